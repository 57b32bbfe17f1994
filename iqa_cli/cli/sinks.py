"""Formats of rows: JSON, JSON Lines, CSV, tab-separated, and the table for a person.

The names of the fields are those of `Prediction`, a contract with pipelines. Names of files are exact in JSON
and CSV, bytes that are no UTF-8 included (a CSV puts ./ before one that a spreadsheet would compute), and
made harmless in the tab-separated rows and the table.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from iqa_cli.cli.context import Environment
from iqa_cli.cli.output import Output
from iqa_cli.errors import UsageError
from iqa_cli.prediction import Prediction
from iqa_cli.spreadsheet import name_cell, text_cell
from iqa_cli.text import printable

# With several models, a column "scores.NAME" for each further one comes behind these: `scores` of the JSON.
COLUMNS = (
    "path",
    "score",
    "error",
    "model",
    "spread",
    "width",
    "height",
    "raw",
    "crops",
    "distortion",
    "distortion_level",
    "low",
    "high",
)
# Float rounding differs between batches of different sizes by far less than this.
_DIGITS = {"score": 4, "spread": 4, "raw": 6, "low": 4, "high": 4, "margin": 4, "uncertainty": 4}
_DIGITS |= {"percentile": 2, "percentile_training": 2}
# JSON allows these as they are, a terminal should not see them.
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_CONTROL = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Format(str, Enum):
    """How rows are written."""

    table = "table"
    tsv = "tsv"
    csv = "csv"
    json = "json"
    jsonl = "jsonl"
    parquet = "parquet"


_BY_SUFFIX = {f".{kind.value}": kind for kind in Format if kind is not Format.table}
_BY_SUFFIX[".ndjson"] = Format.jsonl
#: Endings of what rows are not, and what makes it; other endings get plain rows.
_OTHERS = dict.fromkeys((".xlsx", ".xls", ".ods", ".xml", ".pdf", ".feather", ".arrow"), "")
_OTHERS |= dict.fromkeys((".html", ".htm"), "iqa report makes a page")
_OTHERS |= dict.fromkeys((".db", ".sqlite", ".sqlite3"), "--store keeps scores in a database")


def format_for(asked: Format | None, output: str | None, env: Environment) -> Format:
    """The format asked for, or that of the file's name; a table for a person, plain rows for a program.

    Raises:
        UsageError: The name is that of a file of another kind, and no format is asked for.
    """
    if asked is not None:
        return asked
    if output in (None, "-"):
        return Format.table if env.stdout_is_terminal else Format.tsv
    ending = Path(str(output)).suffix.lower()
    if ending in _OTHERS:
        hint = (
            _OTHERS[ending] or f"one of {', '.join(_BY_SUFFIX)}; --format FORMAT goes into a file of any name"
        )
        raise UsageError(f"-o {printable(str(output))}: rows are not written as {ending[1:]}", hint=hint)
    return _BY_SUFFIX.get(ending, Format.tsv)


class Sink(Protocol):
    """Takes records one by one, and the values of further columns by name. `finish` is called once, also
    after an interruption: what it leaves is well-formed."""

    def start(self) -> None: ...

    def row(self, prediction: Prediction, more: Mapping[str, Any] = _NOTHING) -> None: ...

    def finish(self) -> None: ...


def plain_record(prediction: Prediction) -> dict[str, Any]:
    """The record with numbers rounded and without NaN or infinity, which are no JSON."""
    record = {name: _plain_number(name, value) for name, value in prediction.as_dict().items()}
    record["scores"] = {name: _plain_number("score", value) for name, value in prediction.scores.items()}
    record["intervals"] = {
        name: None if both is None else [_plain_number("score", value) for value in both]
        for name, both in prediction.intervals.items()
    }
    return record


def _plain_number(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    return round(value, _DIGITS.get(name, 6))


def _json_bytes(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    text = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    # A lone surrogate (an undecodable byte of a name) becomes its JSON escape, and comes back by json.loads.
    return text.encode("utf-8", "backslashreplace")


class JsonLinesSink:
    """One JSON object on each line."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def start(self) -> None:
        """Nothing comes before the first row."""

    def row(self, prediction: Prediction, more: Mapping[str, Any] = _NOTHING) -> None:
        self._output.write(_json_bytes({**plain_record(prediction), **more}) + b"\n")

    def finish(self) -> None:
        """Nothing comes after the last row."""


class JsonSink:
    """One JSON array, an object on each line of it."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._before = b"[\n  "

    def start(self) -> None:
        """The bracket comes with the first row, so that a run that fails at once has written nothing."""

    def row(self, prediction: Prediction, more: Mapping[str, Any] = _NOTHING) -> None:
        self._output.write(self._before + _json_bytes({**plain_record(prediction), **more}))
        self._before = b",\n  "

    def finish(self) -> None:
        self._output.write(b"[]\n" if self._before.startswith(b"[") else b"\n]\n")


class CsvSink:
    """RFC 4180 with a header, but "\\n" line ends; empty fields for what is unknown.

    Args:
        output: Where to.
        further: Names of the models beside the first.
        more: Names of the columns behind those.
    """

    def __init__(self, output: Output, further: Sequence[str], more: Sequence[str] = ()) -> None:
        self._output = output
        self._further = list(further)
        self._more = list(more)

    def start(self) -> None:
        self._write([*COLUMNS, *(f"scores.{model}" for model in self._further), *self._more])

    def row(self, prediction: Prediction, more: Mapping[str, Any] = _NOTHING) -> None:
        path, *cells = _cells(prediction, self._further) + [_cell(name, more[name]) for name in self._more]
        self._write([name_cell(path), *(text_cell(cell) if _is_text(cell) else cell for cell in cells)])

    def finish(self) -> None:
        """Nothing comes after the last row."""

    def _write(self, cells: Sequence[str]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        # The very bytes of the name, as the file system has them.
        self._output.write(line.getvalue().encode("utf-8", "surrogateescape"))


class TsvSink:
    """Tab-separated rows without a header, for cut, sort and awk: the columns of the CSV in the same
    order."""

    def __init__(self, output: Output, further: Sequence[str], more: Sequence[str] = ()) -> None:
        self._output = output
        self._further = list(further)
        self._more = list(more)

    def start(self) -> None:
        """Without a header, every line is a picture."""

    def row(self, prediction: Prediction, more: Mapping[str, Any] = _NOTHING) -> None:
        cells = _cells(prediction, self._further) + [_cell(name, more[name]) for name in self._more]
        self._output.write(("\t".join(map(printable, cells)) + "\n").encode())

    def finish(self) -> None:
        """Nothing comes after the last row."""


def plain_sink(chosen: Format, output: Output, further: Sequence[str] = (), more: Sequence[str] = ()) -> Sink:
    """The sink of a format that is no table.

    Args:
        chosen: The format.
        output: Where to.
        further: Names of the models beside the first.
        more: Names of the columns behind those.

    Raises:
        OutputError: Parquet needs an extra package, or a file.
    """
    if chosen is Format.json:
        return JsonSink(output)
    if chosen is Format.jsonl:
        return JsonLinesSink(output)
    if chosen is Format.csv:
        return CsvSink(output, further, more)
    if chosen is Format.parquet:
        from iqa_cli.cli.parquet import ParquetSink

        return ParquetSink(output, further, more)
    return TsvSink(output, further, more)


def _cells(prediction: Prediction, further: Sequence[str]) -> list[str]:
    record = plain_record(prediction)
    cells = [_cell(name, record[name]) for name in COLUMNS]
    return cells + [_cell("score", record["scores"].get(model)) for model in further]


def _is_text(cell: str) -> bool:
    """Whether a cell is no number; a negative one is not computed."""
    try:
        float(cell)
    except ValueError:
        return True
    return False


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return " ".join(value)
    return f"{value:.{_DIGITS.get(name, 6)}f}" if isinstance(value, float) else str(value)
