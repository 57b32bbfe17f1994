"""What `iqa gmad` does: a pool to pairs, a folder with them and their figures, tables."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli.cli.context import Environment
from iqa_cli.cli.data_print import print_table, progress_on
from iqa_cli.cli.gmad_pool import Models, PoolOptions, find_models, read_pool
from iqa_cli.cli.gmad_thumbnails import can_show, thumbnails
from iqa_cli.cli.output import write
from iqa_cli.errors import ExitCode, UsageError
from iqa_cli.text import count, one_line

if TYPE_CHECKING:
    from iqa_cli.gmad.compete import Settings
    from iqa_cli.gmad.pool import Pool
    from iqa_cli.gmad.session import Competition

#: Of the votes; see `iqa_cli.gmad.votes`.
_VOTES = "votes.sqlite"


@dataclass(frozen=True)
class RunOptions:
    """What is done with the pool.

    Attributes:
        output: Folder of the competition; None prints pairs alone.
        form: "table", "json" or "csv".
        catch: Catch trials.
        proxy: Ask full-reference metrics.
        command: The command, for the record.
    """

    output: Path | None = None
    form: str = "table"
    catch: int = 4
    proxy: bool = False
    command: str = ""


def run_gmad(pool_options: PoolOptions, settings: Settings, options: RunOptions, env: Environment) -> int:
    """Score, mine, write, print.

    Returns:
        The exit code: 3 where pictures of a folder were left out, 0 otherwise.

    Raises:
        IqaError: One line.
    """
    if options.output is not None:
        _check_folder(options.output)
    models = find_models(pool_options.models, pool_options.lower_is_better)
    pool, failed = read_pool(models, pool_options, settings, env)
    competition = _mined(pool, settings, models, options, env)
    votes: dict[str, float] = {}
    if options.proxy:
        votes = _asked(pool, competition, env)
    if options.output is not None:
        _write(pool, competition, options, env)
    _print(competition, votes, options, env)
    return ExitCode.SOME_FAILED if failed and not pool_options.allow_missing else ExitCode.OK


def _mined(
    pool: Pool, settings: Settings, models: Models, options: RunOptions, env: Environment
) -> Competition:
    from iqa_cli.gmad.catch import catch_trials
    from iqa_cli.gmad.compete import compete
    from iqa_cli.gmad.pool import NearDuplicates, check_there

    refuse = NearDuplicates(pool)
    competition = compete(pool, settings, refuse=refuse, note=env.note, facts=_facts(models))
    record = {**competition.settings, **pool.notes, "command": options.command}
    competition = replace(competition, settings=record)
    if refuse.refused:
        env.note(f"{count(refuse.refused, 'pair')} passed over as near-duplicates")
    if options.output is not None:
        check_there([Path(p.path) for pair in competition.pairs for p in (pair.first, pair.second)])
        trials = catch_trials(pool, competition, options.catch, options.output)
        if len(trials) < options.catch:
            env.note(f"only {len(trials)} of {count(options.catch, 'catch trial')} could be made")
        competition = replace(competition, pairs=(*competition.pairs, *trials))
    elif refuse.unread:
        env.note(
            f"{count(len(refuse.unread), 'picture')} of pairs could not be looked at, so that pairs may be "
            "near-duplicates"
        )
    return competition


def _facts(models: Models) -> Mapping[str, Mapping[str, Any]]:
    """What each model is, for the record."""
    lineup = models.lineup
    facts: dict[str, dict[str, Any]] = {weight.card.name: {"kind": "weight"} for weight in lineup.weights}
    facts |= {known.name: {"kind": "baseline"} for known in lineup.baselines}
    for file in lineup.files:
        facts[file.name] = {"kind": "file", "file": one_line(file.file.source)}
    return facts


def _asked(pool: Pool, competition: Competition, env: Environment) -> dict[str, float]:
    from iqa_cli.gmad.opinions import proxy_votes

    if not pool.files:
        raise UsageError(
            "--proxy: the files of the references are not known",
            hint="it is for databases of distorted pictures that have their references, and for folders "
            "whose labels.csv has the column ref",
        )
    with progress_on(env, len(competition.mined)) as advance:
        votes = proxy_votes(competition, pool.files, advance)
    if len(votes) < len(competition.mined):
        env.note(f"--proxy: {len(votes):,} of {count(len(competition.mined), 'pair')} could be compared")
    return votes


def _check_folder(folder: Path) -> None:
    """Refuse a place for results before minutes go into scoring."""
    name = one_line(folder)
    if not str(folder) or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"cannot write to '{name}': it is no folder", hint="-o takes a folder")
    if (folder / _VOTES).exists():
        raise UsageError(
            f"'{name}' has votes on its pairs, which other pairs would make worthless",
            hint="take another folder",
        )
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"cannot write to '{name}': there is no folder {one_line(folder.absolute().parent)}")


def _write(pool: Pool, competition: Competition, options: RunOptions, env: Environment) -> None:
    """The folder: scores, figures, and last the pairs, so that a folder with pairs is whole."""
    from itertools import combinations

    from iqa_cli.gmad.figure import draw_figure, panels, save_figure
    from iqa_cli.gmad.session import write_competition

    folder = options.output
    assert folder is not None
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to '{one_line(folder)}': {error.strerror}") from None
    for name, values in pool.scores.items():
        write(env, str(folder / f"scores-{_plain(name)}.csv"), _score_file(pool, values))
    drawn = []
    for one, other in combinations(competition.models, 2):
        pairs = panels(competition, one, other)
        if pairs:
            figure = draw_figure(pairs, competition.scale_text)
            drawn.append(f"figure-{_plain(one)}-{_plain(other)}")
            for suffix in (".png", ".pdf"):
                save_figure(figure, folder / f"{drawn[-1]}{suffix}")
    write_competition(folder, competition)
    figures = f", {drawn[0]}.png and .pdf" if len(drawn) == 1 else f", {count(len(drawn), 'figure')}"
    env.note(f"wrote {one_line(folder)}: {count(len(competition.pairs), 'pair')} to judge{figures}")


def _score_file(pool: Pool, values: Any) -> bytes:
    """Scores as `--a FILE` reads them again."""
    import csv

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "score"])
    writer.writerows(
        (str(path.absolute()), f"{value:.10g}") for path, value in zip(pool.paths, values, strict=True)
    )
    return text.getvalue().encode("utf-8", "surrogateescape")


def _plain(name: str) -> str:
    """A name of a model as part of one of a file."""
    return re.sub(r"[^A-Za-z0-9._+]+", "_", name)[:60] or "_"


def _print(competition: Competition, votes: dict[str, float], options: RunOptions, env: Environment) -> None:
    from iqa_cli.cli import gmad_print as show
    from iqa_cli.gmad.opinions import PROXY, verdicts

    opinions = verdicts(competition)
    proxy = verdicts(competition, lambda pair: votes.get(pair.id)) if votes else []
    if options.form == "json":
        write(env, None, show.as_json(competition, opinions, proxy, votes).encode())
    elif options.form == "csv":
        write(env, None, show.as_csv(competition, votes).encode("utf-8", "surrogateescape"))
    else:
        env.note(competition.scale_text)
        heading, rows = show.HEADING, show.table_rows(competition)
        if not opinions:
            at = heading.index("MOS diff")
            heading, rows = heading[:at] + heading[at + 1 :], [row[:at] + row[at + 1 :] for row in rows]
        print_table(env, heading, rows, right=[name for name in show.RIGHT if name in heading])
        if can_show(env):
            tops = [pair for pair in competition.mined if pair.rank == 1]
            write(env, None, thumbnails(tops).encode(env.stdout_encoding))
        for found, title, unit in (
            (opinions, show.question(competition), "points"),
            (proxy, PROXY, "of 5"),
        ):
            if found:
                write(env, None, f"\n{title}\n".encode())
                cells = show.verdict_rows(found, unit)
                print_table(env, show.VERDICT_HEADING, cells, right=show.VERDICT_RIGHT)
