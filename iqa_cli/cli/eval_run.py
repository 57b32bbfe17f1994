"""What `iqa eval` does with databases: scorers and parts to scores, to figures, to tables. Imports networks
only when all else is known to be in order, and not at all where there is no weight."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_lineup import DEFAULT_MODEL, Lineup, line_up, named_file
from iqa_cli.cli.eval_scores import Means, from_files, score_tasks
from iqa_cli.cli.eval_tasks import Task, check_held_out, hold_out, meet, read_tasks, tell_scale
from iqa_cli.cli.interrupt import computing
from iqa_cli.cli.output import check_output, write
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.cli.eval_result import Evaluation
    from iqa_cli.evaluation.part import Column

_BY_SUFFIX = {".json": "json", ".csv": "csv", ".md": "markdown"}
#: What a report draws beside the whole part.
_REPORTED = ("subset", "distortion", "level")


@dataclass(frozen=True)
class EvalOptions:
    """The options of `iqa eval` on databases; None and empty where they were not given.

    Raises:
        UsageError: They do not go together.
    """

    models: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    lower_is_better: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    split_files: tuple[Path, ...] = ()
    scale: tuple[float, float] | None = None
    by: tuple[str, ...] = ()
    held_out: bool = False
    allow_missing: bool = False
    record: bool = False
    form: str | None = None
    output: str | None = None
    report: str | None = None
    store: str | None = None
    device: str = "auto"
    threads: int | None = None
    command: str = ""

    def __post_init__(self) -> None:
        if self.record and (self.baselines or self.scores or max(len(self.models), len(self.datasets)) > 1):
            raise UsageError("--record writes the figures of one weight on one database into its card")
        if self.record and self.held_out:
            raise UsageError("--record and --held-out exclude each other: a card tells of whole parts")
        read = [("file of scores", str(named_file(entry)[1])) for entry in self.scores]
        read += [("split", str(place)) for place in self.split_files]
        read += [("store", self.store)] if self.store is not None else []
        for place in (self.output, self.report):
            check_output(place, read)
        if self.report == "-" or (self.report is not None and self.report == self.output):
            raise UsageError("--report is a file of its own")

    @property
    def format(self) -> str:
        """That of --format, else by the name of the file, else a table."""
        return self.form or _BY_SUFFIX.get(Path(self.output or "").suffix.lower(), "table")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Rows that are shown: subsets, unless others are asked for."""
        return tuple(dict.fromkeys(self.by)) or ("subset",)


def run_eval(options: EvalOptions, env: Environment) -> None:
    """Score, measure, print.

    Raises:
        IqaError: A scorer or database cannot be used, a picture cannot be scored, a place cannot be written
            to; one line.
    """
    from iqa_cli.cli.eval_record import prepare, record_result

    # Whatever can be wrong is found before minutes go into scoring, and before torch is imported.
    lineup = line_up(options.models, options.baselines, options.scores, options.lower_is_better)
    tasks = read_tasks(options.datasets, options.roots, options.splits, options.scale, options.split_files)
    for task in tasks if lineup.need_pictures and not options.allow_missing else ():
        task.database.check_pictures(task.records)
    place = None
    if options.record:
        place = prepare(lineup.weights[0].path, _command(options, tasks[0]))
    lineup = lineup.with_seen(env)
    tell_scale(tasks, options.scale, env)
    if options.held_out:
        check_held_out(lineup)
    with computing(env):
        tasks, columns = _scored(tasks, lineup, options, env)
        found = _measured(tasks, columns, lineup, options, env)
    # A weight alone is called as it was asked for: its name on the card may be that of another one.
    heads = (options.models or (DEFAULT_MODEL,))[0] if found.is_single and lineup.weights else found.names[0]
    try:
        _print(found, heads, options, env)
    finally:
        # Also when the reader of stdout has gone: the figures were asked to be kept.
        if place is not None:
            whole = found.results[0][0].measured
            part = tasks[0].part
            head = {"dataset": part.dataset, "split": part.name, "split_hash": part.split_hash}
            record_result(place, head, whole.whole, whole.rows.get("subset", []), env)


def _scored(
    tasks: Sequence[Task], lineup: Lineup, options: EvalOptions, env: Environment
) -> tuple[list[Task], list[list[Column]]]:
    missing = options.allow_missing
    tasks = [meet(task, lineup, missing, env) for task in tasks]
    if options.held_out:
        tasks = [hold_out(task, lineup, env) for task in tasks]
    files = from_files(tasks, lineup, missing, env)
    means = Means(options.device, options.threads, options.store)
    return tasks, score_tasks(tasks, files, lineup, missing, means, env)


def _measured(
    tasks: list[Task],
    columns: list[list[Column]],
    lineup: Lineup,
    options: EvalOptions,
    env: Environment,
) -> Evaluation:
    from iqa_cli.cli.eval_result import evaluate_columns, tell_kinds

    # Without --by, a matrix of databases is not followed by tables of the subsets of each.
    by = options.kinds if options.by or len(tasks) == 1 else ()
    further = _REPORTED if options.report is not None else ("subset",) if options.record else ()
    if options.by:
        tell_kinds(tasks, by, env)
    return evaluate_columns(tasks, columns, lineup, by, further=further)


def _print(found: Evaluation, heads: str, options: EvalOptions, env: Environment) -> None:
    from iqa_cli.cli.eval_result import tell

    if options.format in ("json", "csv"):
        from iqa_cli.cli.eval_documents import as_csv, as_json

        text = (as_json if options.format == "json" else as_csv)(found, heads)
    else:
        from iqa_cli.cli.eval_layout import as_markdown, as_text
        from iqa_cli.cli.eval_tables import blocks

        made = blocks(found, heads)
        colour = env.colour and env.stdout_is_terminal and not env.dumb and options.output in (None, "-")
        text = as_markdown(made) if options.format == "markdown" else as_text(made, colour=colour)
    write(env, options.output, text.encode("utf-8", "surrogateescape"))
    tell(found, env)
    if options.report is not None:
        from iqa_cli.report import write_report

        results = [result for _, result in found.cells()]
        write_report(Path(options.report), results, best=found.best, command=options.command)
        env.note(f"report: {one_line(options.report)}")


def _command(options: EvalOptions, task: Task) -> str:
    """What gives the same figures again, the part named also where it was the default."""
    words: list[Any] = ["iqa", "eval", "--dataset", task.part.dataset]
    for root in options.roots:
        words += ["--root", root]
    for file in options.split_files:
        words += ["--split-file", file]
    words += ["--split", task.part.name]
    words += [] if options.scale is None else ["--range", *(f"{bound:.15g}" for bound in options.scale)]
    words += ["--model", *(options.models or (DEFAULT_MODEL,))]
    words += ["--allow-missing"] if options.allow_missing else []
    words += [] if options.device == "auto" else ["--device", options.device]
    return shlex.join(map(str, words))
