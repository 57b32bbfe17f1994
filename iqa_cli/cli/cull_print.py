"""The rows of `iqa cull`: those of `iqa score` with the verdict, or a table for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iqa_cli.cli.context import Environment
from iqa_cli.cli.data_print import print_table
from iqa_cli.cli.output import Output
from iqa_cli.cli.run import ScoreOptions
from iqa_cli.cli.sinks import Format, plain_sink
from iqa_cli.culling.choosing import Verdict

_MORE = ("group", "members", "rank", "keep", "margin", "uncertainty", "sure", "small")
_HEADING = ("scene", "keep", "score", "margin", "needed", "sure", "picture")
_NUMBERS = ("scene", "score", "margin", "needed")


def print_verdicts(options: ScoreOptions, verdicts: Sequence[Verdict], env: Environment) -> None:
    """All rows in the order of the inputs; the table has the scenes alone, the best of each first.

    Raises:
        OutputError: They cannot be written.
    """
    chosen = options.format_for(env)
    if chosen is Format.table:
        rows = _table(verdicts)
        if rows:
            print_table(env, _HEADING, rows, _NUMBERS, options.output)
        return
    output = Output(env, options.output, direct=chosen is Format.jsonl)
    try:
        sink = plain_sink(chosen, output, _further(verdicts), _MORE)
        sink.start()
        for verdict in verdicts:
            sink.row(verdict.prediction, _more(verdict))
        sink.finish()
        output.close()
    except BaseException:
        output.discard()
        raise


def _further(verdicts: Sequence[Verdict]) -> list[str]:
    """Names of the models beside the first."""
    return list(verdicts[0].prediction.scores)[1:] if verdicts else []


def _more(verdict: Verdict) -> dict[str, Any]:
    values = {name: getattr(verdict, name) for name in _MORE}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}


def _table(verdicts: Sequence[Verdict]) -> list[list[str]]:
    grouped = sorted(
        (verdict for verdict in verdicts if verdict.group is not None),
        key=lambda verdict: (verdict.group, verdict.rank),
    )
    rows: list[list[str]] = []
    for verdict in grouped:
        if rows and verdict.rank == 1:
            rows.append([""] * len(_HEADING))
        rows.append(_row(verdict))
    return rows


def _row(verdict: Verdict) -> list[str]:
    score, margin, needed = verdict.prediction.score, verdict.margin, verdict.uncertainty
    return [
        str(verdict.group),
        "keep" if verdict.keep else "",
        f"{score:.2f}",
        "" if margin is None else f"{margin:+.2f}",
        "" if needed is None else f"{needed:.2f}",
        "small" if verdict.small else {True: "yes", False: "no", None: ""}[verdict.sure],
        verdict.path,
    ]
