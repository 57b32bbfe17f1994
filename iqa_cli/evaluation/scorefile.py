"""Scores from elsewhere: a file that any tool has written, joined to the pictures of a part by their names.

CSV with the columns `path` and `score` (further ones are passed over), JSON (a list of such records, or one
object of names and scores), or JSON Lines: what `iqa score` writes and what a few lines of any language do.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from iqa_cli.datasets.table import shown_columns
from iqa_cli.errors import DatasetError
from iqa_cli.evaluation.correlation import Floats
from iqa_cli.evaluation.part import Part
from iqa_cli.text import one_line, reason_of

_HINT = "CSV with the columns path and score, or JSON or JSON Lines of such records"
_HEAD_BYTES = 4096
T = TypeVar("T")


class NothingMatchedError(DatasetError):
    """A file has no picture of a part at all: it may be of another database."""


@dataclass(frozen=True)
class ScoreFile:
    """What a scorer from elsewhere says.

    Attributes:
        source: The file, for messages.
        names: Pictures as the file calls them, each once.
        scores: [len(names)] in the scorer's own units and direction; NaN where the file has no score (an
            empty cell, null, NaN: a picture that failed).
    """

    source: str
    names: tuple[str, ...]
    scores: Floats

    def __len__(self) -> int:
        return len(self.names)


def read_scores(path: Path, column: str = "score") -> ScoreFile:
    """Read a file of scores; its first character tells which of the three formats it has.

    Args:
        path: The file.
        column: The field with the scores; a file of `iqa score` with several models has more than one.

    Raises:
        DatasetError: The file cannot be read, is damaged or truncated, lacks a field, holds something that
            is no number where a score belongs, lists a picture twice, or lists none.
    """
    source = one_line(path)
    names: dict[str, float] = {}
    try:
        with path.open("rb") as file:
            for place, name, score in rows(file, source, column):
                if not isinstance(name, str) or not name:
                    raise DatasetError(f"{place}: names no picture")
                if name in names:
                    raise DatasetError(f"{place}: {one_line(name)!r} is listed twice")
                names[name] = _number(score, place)
    except (OSError, csv.Error) as error:
        raise DatasetError(f"cannot read '{source}': {reason_of(error)}") from None
    except RecursionError:
        raise DatasetError(f"{source}: is nested too deeply to be scores", hint=_HINT) from None
    if not names:
        raise DatasetError(f"{source}: has no scores", hint=_HINT)
    return ScoreFile(source, tuple(names), np.fromiter(names.values(), np.float64, len(names)))


def match(part: Part, file: ScoreFile, others: Sequence[str] = ()) -> Floats:
    r"""The scores of a file in the order of a part.

    A picture is found by its name in the database. Names not found so are compared from their ends, folder
    by folder (parted by / or \): the longest common ending decides, so that `/data/csiq/dst/a.png` is
    `dst/a.png`, and each row of the file goes to one picture.

    Args:
        part: The pictures.
        file: The scores.
        others: The pictures of the database outside of the part. Where a file has scores for them too,
            theirs are not mistaken for those of a picture of the same file name.

    Returns:
        [len(part)] scores, NaN where the file has none.

    Raises:
        NothingMatchedError: No row means any picture.
        DatasetError: A row could mean two pictures, or a picture two rows.
    """
    row = {name: index for index, name in enumerate(file.names)}
    known = set(part.names)
    names = [*part.names, *(name for name in others if name not in known)]
    found = {name: row.pop(name) for name in names if name in row}
    # Gathered first: what has been found so far says what is left to be found.
    found.update(list(_by_ending(part, names, found, row, file)))
    if not any(name in found for name in part.names):
        raise NothingMatchedError(
            f"{file.source}: has no picture of {part.dataset}, part {part.name}",
            hint=f"it names {_some(file.names)}; the database has {_some(part.names)}",
        )
    indices = np.array([found.get(name, -1) for name in part.names], dtype=np.int64)
    return np.where(indices >= 0, file.scores[indices], np.nan)


def _by_ending(
    part: Part, names: Sequence[str], found: dict[str, int], rows: dict[str, int], file: ScoreFile
) -> Iterator[tuple[str, int]]:
    """Pairs of a name and a row, the longest common endings first: a row is given away once."""
    left = {name: _folders(name) for name in names if name not in found}
    free = {index: _folders(name) for name, index in rows.items()}
    wanted = set(part.names)
    depth = min(max(map(_depth, left.values()), default=0), max(map(_depth, free.values()), default=0))
    for length in range(depth, 0, -1):
        pictures = _by_key((_ending(folders, length), name) for name, folders in left.items())
        of_file = _by_key(
            (ending, index)
            for index, folders in free.items()
            if (ending := _ending(folders, length)) in pictures
        )
        for ending, indices in of_file.items():
            same = pictures[ending]
            if len(same) > 1 or len(indices) > 1:
                if any(name in wanted for name in same):
                    raise _ambiguous(file, part, same, [file.names[index] for index in indices])
            else:
                yield same[0], indices[0]
            for name in same:
                del left[name]
            for index in indices:
                del free[index]


def _folders(name: str) -> str:
    """The pieces of a path, parted by / whatever the system: a string, since there may be a million."""
    if "\\" not in name and "//" not in name and "./" not in name and name[:1] != "/":
        return name
    return "/".join(piece for piece in re.split(r"[/\\]", name) if piece not in ("", "."))


def _depth(folders: str) -> int:
    return folders.count("/") + 1


def _ending(folders: str, length: int) -> str | None:
    """The last pieces of a path; None where it has fewer."""
    pieces = folders.rsplit("/", length)
    if len(pieces) > length:
        return folders[len(pieces[0]) + 1 :]
    return folders if len(pieces) == length else None


def _by_key(pairs: Iterable[tuple[str | None, T]]) -> dict[str, list[T]]:
    """The values of each key, in their order; those without a key are left out."""
    found: dict[str, list[T]] = {}
    for key, value in pairs:
        if key is not None:
            found.setdefault(key, []).append(value)
    return found


def _ambiguous(file: ScoreFile, part: Part, pictures: Sequence[str], rows: Sequence[str]) -> DatasetError:
    if len(rows) > 1:
        text = f"{_some(rows)} could each be {_some(pictures)} of {part.dataset}"
    else:
        text = f"{_some(rows)} could be {_some(pictures)} of {part.dataset}"
    return DatasetError(f"{file.source}: {text}", hint="name the pictures as the database does")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{one_line(name)}'" for name in names[:2])
    return shown if len(names) <= 2 else f"{shown} and {len(names) - 2:,} more"


def rows(file: io.BufferedReader, source: str, column: str) -> Iterator[tuple[str, Any, Any]]:
    """(place for messages, name, what stands in the field `column`) row by row; nothing of it is checked."""
    head = file.peek(_HEAD_BYTES)[:_HEAD_BYTES]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DatasetError(f"{source}: is not UTF-8 text", hint="save it as text in UTF-8")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start in (b"[", b"{"):
        yield from _json_rows(file, source, column)
    else:
        yield from _csv_rows(file, source, column)


def _csv_rows(file: BinaryIO, source: str, column: str) -> Iterator[tuple[str, Any, Any]]:
    # Row by row: there may be a million. Names of files are bytes, and come back as `iqa score` wrote them.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text)
    header: list[str] = []
    for cells in reader:
        if any(cell.strip() for cell in cells):
            header = [cell.strip() for cell in cells]
            break
    lowered = [cell.lower() for cell in header]
    for wanted in ("path", column.lower()):
        if lowered.count(wanted) != 1:
            how = "has two columns" if wanted in lowered else "lacks the column"
            shown = f", has {shown_columns(header)}" if header and wanted not in lowered else ""
            raise DatasetError(f"{source}: {how} {one_line(wanted)!r}{shown}", hint=_HINT)
    name_at, score_at = lowered.index("path"), lowered.index(column.lower())
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        place = f"{source}, line {reader.line_num}"
        if len(cells) != len(header):
            hint = "a comma inside a cell needs quotes around it" if len(cells) > len(header) else None
            raise DatasetError(f"{place}: has {len(cells)} cells for {len(header)} columns", hint=hint)
        yield place, cells[name_at], cells[score_at].strip()


def _json_rows(file: BinaryIO, source: str, column: str) -> Iterator[tuple[str, Any, Any]]:
    text = file.read().decode("utf-8-sig", "surrogateescape")
    try:
        # Each record is reduced as soon as it is read: a whole one is ten times as large.
        whole = json.loads(text, object_hook=lambda record: _reduced(record, column))
    except ValueError as error:
        if not text.lstrip().startswith("{") or not _is_one_record(text.lstrip().split("\n", 1)[0]):
            raise DatasetError(f"{source}: is damaged or truncated JSON ({one_line(str(error))})") from None
        yield from _json_lines(text, source, column)
        return
    if isinstance(whole, dict):
        yield from ((f"{source}, {one_line(name)!r}", name, score) for name, score in whole.items())
        return
    for number, record in enumerate(whole if isinstance(whole, list) else [whole], 1):
        yield _of_record(record, f"{source}, record {number}", column)


def _json_lines(text: str, source: str, column: str) -> Iterator[tuple[str, Any, Any]]:
    for number, line in enumerate(io.StringIO(text), 1):
        if not line.strip():
            continue
        place = f"{source}, line {number}"
        try:
            record = json.loads(line, object_hook=lambda found: _reduced(found, column))
        except ValueError as error:
            raise DatasetError(f"{place}: is damaged or truncated JSON ({one_line(str(error))})") from None
        yield _of_record(record, place, column)


class _Record(tuple[Any, Any]):
    """(name, score) of a record; a type of its own, since a JSON array is a list and never this."""


def _reduced(record: dict[str, Any], column: str) -> Any:
    """A record as its name and score; any other object as it is."""
    if "path" not in record or isinstance(record["path"], (int, float)):
        return record
    scores = record.get("scores")
    if column not in record and column.startswith("scores.") and isinstance(scores, dict):
        # The CSV of `iqa score` has these as columns of that name.
        return _Record((record["path"], scores.get(column.removeprefix("scores."), _MISSING)))
    return _Record((record["path"], record.get(column, _MISSING)))


_MISSING = object()


def _of_record(record: Any, place: str, column: str) -> tuple[str, Any, Any]:
    if not isinstance(record, _Record):
        raise DatasetError(f"{place}: is no record with a path and a score", hint=_HINT)
    if record[1] is _MISSING:
        raise DatasetError(f"{place}: lacks the field {one_line(column)!r}")
    return place, record[0], record[1]


def _is_one_record(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _number(score: Any, place: str) -> float:
    """A finite number, or NaN for no score."""
    if score is None or score == "":
        return math.nan
    try:
        value = math.inf if isinstance(score, bool) else float(score)
    except (TypeError, ValueError, OverflowError):
        value = math.inf
    if math.isinf(value):
        raise DatasetError(f"{place}: {one_line(str(score))!r} is no number")
    return value
