"""`iqa refit`: the head of a finished weight that names distortions, fitted anew."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import command_line, interruptible, limit_threads
from iqa_cli.cli.options import Device, DeviceOption, DistortingThreads, Pristine, Quiet, WeightArgument
from iqa_cli.cli.weight_target import InPlace, WeightOutput, WeightTarget
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line

_HELP = """\b
Fit anew how a weight names distortions; every score stays as it is.

\b
Examples:
  iqa refit mfenet --pristine pristine/ --in-place
  iqa refit ./mine.safetensors --pristine pristine/ -o named.safetensors

\b
For an MFE-Net with a distortion branch. Undistorted photographs (the part
train) are cut and distorted by every type at every level; the branch, which
stays as it is, looks at them, and on what it says, and on statistics of the
pixels (brightness, colours, gradients), a type and its level are fitted. How
strongly weights are held back is chosen on a fifth of the photographs. With
the defaults that are about 15,000 crops: twenty minutes on two cores.

\b
The photographs count as met in training; those of the weight's own distortion
branch were met already. Without -o and --in-place nothing is written.

\b
Exit codes: 0 done, 2 wrong usage, 3 a photograph cannot be read,
4 weight not available, 130 interrupted.
"""


def refit(
    context: typer.Context,
    weight: WeightArgument,
    pristine: Pristine,
    crops: Annotated[
        int, typer.Option(min=2, help="Crops of each type and level, five times as many undistorted ones.")
    ] = 110,
    size: Annotated[int, typer.Option(min=64, help="Side of the crops.")] = 224,
    seed: Annotated[int, typer.Option(min=0, help="Seed.")] = 0,
    output: WeightOutput = None,
    in_place: InPlace = False,
    device: DeviceOption = Device.auto,
    threads: DistortingThreads = None,
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    from iqa_cli.cli.eval_seen import seen_of
    from iqa_cli.datasets.pristine import read_pristine
    from iqa_cli.training.dan_config import ContrastiveConfig
    from iqa_cli.weights import find_weights, read_card

    path = find_weights(weight)
    card = read_card(path)
    target = WeightTarget(path, output, in_place)
    photographs = read_pristine(pristine)
    seen = seen_of(path, card, env)
    try:
        config = ContrastiveConfig(head_crops=crops, head_size=size, seed=seed)
    except ValueError as error:
        raise UsageError(one_line(str(error))) from None

    from iqa_cli.training.changed import further_hashes, write_changed
    from iqa_cli.training.crops import check_pictures
    from iqa_cli.training.refit import refit as fit_again

    check_pictures(photographs, "--pristine, part train")
    limit_threads(threads)
    with interruptible(env, "interrupted; nothing was written"):
        found = fit_again(
            path,
            photographs,
            config,
            command=command_line(context),
            device=device.value,
            threads=threads or 1,
            log=env.note,
        )
        further = [] if target.path is None else further_hashes(found.photographs, seen)
    write = partial(write_changed, found.network, found.card, further, path, seen)
    target.write(write, "refitted")
    fitted = found.fitted
    right, off = f"{fitted.type_accuracy:.3f}", f"{fitted.levels_off:.2f}"
    name = target.name_of(found.card)
    typer.echo(f"{name}: type right in {right} of the distorted crops held out, level {off} off")
    target.tell(env)


refit.__doc__ = _HELP
