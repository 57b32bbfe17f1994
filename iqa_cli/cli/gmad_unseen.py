"""`iqa gmad --held-out` and `--unseen-by`: pictures that a weight has met in training leave the pool, and the
record of the competition says what was compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING, Any

from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_lineup import Lineup, Weight
from iqa_cli.cli.eval_tasks import Task, check_held_out, meet
from iqa_cli.errors import UsageError
from iqa_cli.text import count, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iqa_cli.evaluation.correlation import Floats


def weights_to_ask(lineup: Lineup, held_out: bool, unseen_by: Sequence[str], env: Environment) -> Lineup:
    """The weights whose hashes are looked at: those of the competition, and those that are named for models
    that are files of scores.

    Returns:
        A lineup of them, with their hashes; without weights where nothing is held out.

    Raises:
        UsageError: `held_out` without any weight.
        WeightsError: A weight is not there, or what it has met is not known.
    """
    from iqa_cli.weights import find_several

    found = {weight.card.name: weight for weight in (lineup.weights if held_out else ())}
    for path, card in find_several(unseen_by) if unseen_by else ():
        found.setdefault(card.name, Weight(path, card))
    asked = Lineup(tuple(found.values())).with_seen(env)
    if held_out and not asked.weights:
        raise UsageError(
            "--held-out leaves out what a weight has met in training, and there is no weight",
            hint="--unseen-by WEIGHT names one, for a file of its scores",
        )
    if asked.weights:
        check_held_out(asked)
    return asked


def hold_out(
    tasks: Sequence[Task],
    files: Sequence[dict[str, Floats]],
    asked: Lineup,
    lineup: Lineup,
    missing: bool,
    env: Environment,
) -> tuple[list[Task], list[dict[str, Floats]], dict[str, Any]]:
    """Leave out what the weights have met: these pixels, others that resemble them, and copies of a reference
    of the pool of which either holds, since a strong distortion hides it.

    Args:
        tasks: The pictures.
        files: Scores of files by task.
        asked: As `weights_to_ask` gives it.
        lineup: The competition; of models in it that are not asked a note says so.
        missing: Whether pictures may be unreadable.
        env: For notes and progress.

    Returns:
        Tasks and scores of files without it, and the record: how many pictures were compared with how many
        hashes of each weight, how many of them were met or resemble one that was, and how many could not be
        read, which stay.

    Raises:
        UsageError: Nothing is left.
        ImageError: A picture cannot be read, and `missing` is not given.
    """
    import numpy as np

    met = [meet(task, asked, missing, env) for task in tasks]
    kept: list[NDArray[np.bool_]] = []
    for task in met:
        flags = np.any([*task.met.values(), *task.near.values()], axis=0)
        names = {name for name, flag in zip(task.part.names, flags, strict=True) if flag}
        kept.append(~flags & np.array([record.ref not in names for record in task.records], bool))
    total, left = sum(map(len, kept)), sum(int(flags.sum()) for flags in kept)
    record: dict[str, Any] = {
        "pictures": total,
        "left_out": total - left,
        "not_compared": sum(len(task.failures) for task in met),
        "weights": {
            weight.card.name: {
                "hashes": 0 if weight.seen is None else len(weight.seen),
                "met": sum(int(task.met[weight.card.name].sum()) for task in met),
                "resembling": sum(int(task.near[weight.card.name].sum()) for task in met),
            }
            for weight in asked.weights
        },
    }
    by = ", ".join(one_line(weight.card.name) for weight in asked.weights)
    env.note(f"{total - left:,} of {count(total, 'picture')} left out as met in training by {by}")
    others = [known.name for known in lineup.baselines if known.fitted] + [f.name for f in lineup.files]
    others = [name for name in others if name not in record["weights"]]
    if others:
        env.note(f"what {', '.join(map(one_line, others))} learned from is not known here")
    if record["not_compared"]:
        env.note(f"{count(record['not_compared'], 'picture')} could not be read and compared")
    if not left:
        raise UsageError("the pool is empty: every picture was met in training")
    smaller = [
        replace(
            task,
            records=tuple(compress(task.records, flags)),
            part=task.part.only(flags),
            met={},
            near={},
        )
        for task, flags in zip(met, kept, strict=True)
    ]
    scores = [
        {name: values[flags] for name, values in found.items()}
        for found, flags in zip(files, kept, strict=True)
    ]
    return smaller, scores, record
