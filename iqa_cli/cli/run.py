"""What `iqa score` does: inputs to scorer to rows. Imports the network only when all else is known to be in
order."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from iqa_cli.cli.arrange import Pending, Sort, Tally, tell
from iqa_cli.cli.context import Environment
from iqa_cli.cli.inputs import Inputs, gather
from iqa_cli.cli.interrupt import computing
from iqa_cli.cli.output import Output, OutputError, check_output
from iqa_cli.cli.progress import Progress
from iqa_cli.cli.sinks import Format, Sink, format_for, plain_sink
from iqa_cli.errors import ExitCode, UsageError
from iqa_cli.prediction import Prediction
from iqa_cli.text import printable
from iqa_cli.training.interrupt import deferred_interrupt

if TYPE_CHECKING:
    from iqa_cli.card import Card
    from iqa_cli.images.policy import Mode
    from iqa_cli.scoring.device import Precision
    from iqa_cli.scoring.engines import Engine
    from iqa_cli.scoring.store import Store

DEFAULT_MODEL = "mfenet"
# Options that loading a weight takes as they are.
_LOAD = ("device", "precision", "batch_size", "threads")


@dataclass(frozen=True)
class ScoreOptions:
    """The options of `iqa score`; those that exclude each other are refused at construction (UsageError)."""

    paths: tuple[str, ...]
    recursive: bool = False
    null: bool = False
    files_from: str | None = None
    max_pixels: int = 250_000_000
    exif: bool = True
    models: tuple[str, ...] = ()
    weights: str | None = None
    native: bool = False
    fast: bool = False
    device: str = "auto"
    precision: Precision = "auto"
    engine: Engine | Literal["ray"] = "auto"
    address: str | None = None
    workers: int | None = None
    batch_size: int | None = None
    threads: int | None = None
    format: Format | None = None
    output: str | None = None
    sort: Sort = Sort.input
    top: int | None = None
    bottom: int | None = None
    fail_below: float | None = None
    strict_inputs: bool = False
    exit_zero: bool = False
    store: str | None = None
    reread: bool = False
    leave_out: str | None = None

    def __post_init__(self) -> None:
        pairs = (("native", "fast"), ("top", "bottom"), ("models", "weights"))
        for one, other in pairs:
            if getattr(self, one) not in (None, False, ()) and getattr(self, other) not in (None, False):
                raise UsageError(f"--{one.removesuffix('s')} and --{other} exclude each other")
        if self.fail_below is not None and not (
            math.isfinite(self.fail_below) and 0 <= self.fail_below <= 100
        ):
            raise UsageError("--fail-below takes a score from 0 to 100")
        if self.reread and self.store is None:
            raise UsageError("--reread goes with --store")
        if self.engine != "ray" and (self.address is not None or self.workers is not None):
            raise UsageError("--address and --workers go with --engine ray")
        if self.engine == "ray" and self.store is not None:
            raise UsageError(
                "--store and --engine ray exclude each other",
                hint="a store is for the processes of one machine",
            )

    @property
    def mode(self) -> Mode:
        return "native" if self.native else "fast" if self.fast else "default"

    @property
    def streams(self) -> bool:
        """Whether a row is written as soon as it is known."""
        return self.sort is Sort.input and self.top is None and self.bottom is None

    def files_read(self, scores: str | None = None) -> tuple[tuple[str, str | None], ...]:
        """What no output may replace, as `check_output` takes it.

        Args:
            scores: File of scores that is read instead of pictures.
        """
        return (("list", self.files_from), ("store", self.store), ("file of scores", scores))

    def format_for(self, env: Environment) -> Format:
        """The format of the rows."""
        return format_for(self.format, self.output, env)


def run_score(options: ScoreOptions, env: Environment) -> ExitCode:
    """Score what the options name.

    Raises:
        IqaError: Nothing could be scored: wrong usage, no weights, no place for the rows.
        KeyboardInterrupt: Interrupted before the first row could have been written.
    """
    inputs = inputs_of(options, env)
    check_output(options.output, options.files_read())
    options.format_for(env)  # refused before anything is looked at
    tally = Tally(options.fail_below)
    try:
        with scoring(options, env, inputs) as (cards, predictions, progress):
            _write_rows(options, env, cards, predictions, progress, tally)
    except BrokenPipeError:
        # The reader has seen enough, as in `iqa score ... | head`.
        pass
    few = options.top is not None or options.bottom is not None
    tell(env, inputs, tally, few=few, stored=options.store is not None)
    return tally.exit_code(strict_inputs=options.strict_inputs, exit_zero=options.exit_zero)


def inputs_of(options: ScoreOptions, env: Environment) -> Inputs:
    """The pictures that the options name.

    Raises:
        UsageError: There are none, or the working directory is gone.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageError("the folder that this runs in does not exist any more") from None
    return gather(
        list(options.paths),
        env,
        recursive=options.recursive,
        leave_out=options.leave_out,
        null=options.null,
        files_from=options.files_from,
        urls=options.engine == "ray",
    )


@contextlib.contextmanager
def scoring(
    options: ScoreOptions, env: Environment, inputs: Inputs
) -> Iterator[tuple[list[Card], Iterator[Prediction], Progress]]:
    """The way from pictures to records: within it, the scorer is loaded and the store is open.

    Yields:
        The cards of the weights in their order, the records to come in the order of the inputs, and the
        progress, which whoever iterates has to advance and show.

    Raises:
        IqaError: No weights, no device, no store.
    """
    progress = Progress(env, inputs.total)
    with computing(env):
        if env.debug:
            logging.basicConfig(stream=env.stderr, level=logging.INFO, format="%(message)s")
            logging.getLogger("iqa_cli").setLevel(logging.DEBUG)
        try:
            with opened_store(options.store) as store:
                yield *_predictions(options, inputs, progress, store), progress
        finally:
            progress.erase()


def opened_store(store: str | None) -> contextlib.AbstractContextManager[Store | None]:
    """The store, if one is wanted: opened before seconds go into anything else."""
    if store is None:
        return contextlib.nullcontext()
    from iqa_cli.scoring.store import Store

    return Store(store)


def _predictions(
    options: ScoreOptions, inputs: Inputs, progress: Progress, store: Store | None
) -> tuple[list[Card], Iterator[Prediction]]:
    """The cards of the weights, in their order, and the records to come."""
    from iqa_cli.weights import find_several

    # A misspelt name or a damaged file is told before seconds go into importing torch.
    wanted = [Path(options.weights)] if options.weights else options.models or (DEFAULT_MODEL,)
    found = find_several(wanted)
    files, cards = [path for path, _ in found], [card for _, card in found]
    load: dict[str, Any] = {name: getattr(options, name) for name in _LOAD}
    look: dict[str, Any] = {"mode": options.mode, "max_pixels": options.max_pixels, "exif": options.exif}
    progress.say(f"loading {printable(', '.join(card.name for card in cards))} ...")
    if options.engine == "ray":
        from iqa_cli.scoring.engines_ray import score_by_ray

        cluster: dict[str, Any] = {"address": options.address, "workers": options.workers}
        predictions = score_by_ray(inputs.paths, files, look=look, **cluster, **load)
        progress.begin()
        return cards, predictions
    from iqa_cli.scoring.scorer import load_many

    group = load_many(files, engine=options.engine, lazy=store is not None, **load)
    progress.begin()
    progress.show()
    memory = None
    if store is not None:
        from iqa_cli.scoring.storekey import keys_of

        keys = keys_of(group, files, mode=options.mode, exif=options.exif)
        memory = store.memory(keys, max_pixels=options.max_pixels, trust_stamps=not options.reread)
    labelled = ((path, path) for path in inputs.paths)
    return [scorer.card for scorer in group.scorers], group.score_many(labelled, memory=memory, **look)


def _write_rows(
    options: ScoreOptions,
    env: Environment,
    cards: Sequence[Card],
    predictions: Iterator[Prediction],
    progress: Progress,
    tally: Tally,
) -> None:
    """All rows, as they come or arranged at the end; after an interruption those that are known."""
    chosen = options.format_for(env)
    output = Output(env, options.output, direct=chosen is Format.jsonl)
    pending = Pending(sort=options.sort, top=options.top, bottom=options.bottom)
    try:
        sink = _sink(chosen, output, options, env, cards)
        progress.erase()
        sink.start()
        try:
            progress.show()
            for prediction in predictions:
                # A Ctrl-C comes before both or after both: what is counted has its row, and that whole.
                with deferred_interrupt():
                    tally.add(prediction)
                    progress.advance()
                    if options.streams:
                        progress.erase()
                        sink.row(prediction)
                    else:
                        pending.add(prediction)
                progress.show()
        except KeyboardInterrupt:
            tally.interrupted = True
        finally:
            # Whatever has happened, hours of work are not thrown away.
            progress.erase()
            for prediction in pending.rows():
                sink.row(prediction)
            sink.finish()
        output.close()
    except OutputError:
        output.discard()
        raise
    except BaseException:
        output.close()
        raise


def _sink(
    chosen: Format, output: Output, options: ScoreOptions, env: Environment, cards: Sequence[Card]
) -> Sink:
    card, further = cards[0], [other.name for other in cards[1:]]
    if chosen is not Format.table:
        return plain_sink(chosen, output, further)
    from iqa_cli.cli.table import table_for

    return table_for(env, output, options.output, card, further, calibrated=options.mode == "default")
