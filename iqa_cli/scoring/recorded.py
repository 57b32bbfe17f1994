"""Records read back from what `iqa score` has written: CSV, JSON or JSON Lines, told apart by the first
character. What another tool has written with the fields `path` and `score` (0 to 100) is read as well."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from iqa_cli.errors import DatasetError
from iqa_cli.prediction import Prediction
from iqa_cli.text import one_line, reason_of

_HINT = "iqa score -o FILE.csv, .json or .jsonl writes one"
_HIGHEST = 100.0


def read_records(file: io.BufferedReader, source: str) -> tuple[list[Prediction], int]:
    """The records of a file, in its order.

    A picture that stands there more than once (a file that grows, such as that of a watched folder) is taken
    as its last row has it, at the place of the first.

    Args:
        file: Read to its end.
        source: Its name for messages.

    Returns:
        The records, and how many rows a later one of the same picture has replaced.

    Raises:
        DatasetError: The file cannot be read, is damaged or truncated, lacks a field, holds something else
            where a number belongs, or has no records; the line names the place.
    """
    found: dict[str, Prediction] = {}
    number = 0
    try:
        for place, fields in _rows(file, source):
            record = _Fields(place, fields).record()
            found[record.path] = record
            number += 1
    except (OSError, csv.Error) as error:
        raise DatasetError(f"cannot read '{source}': {reason_of(error)}") from None
    except RecursionError:
        raise DatasetError(f"{source}: is nested too deeply to be records", hint=_HINT) from None
    if not found:
        raise DatasetError(f"{source}: has no records", hint=_HINT)
    return list(found.values()), number - len(found)


def _rows(file: io.BufferedReader, source: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    head = file.peek(4096)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DatasetError(f"{source}: is not UTF-8 text", hint="save it as text in UTF-8")
    # Names of files are bytes, and come back as they were written.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"[":
        yield from _json_array(text.read(), source)
    elif start == b"{":
        yield from _json_lines(text, source)
    else:
        yield from _csv_rows(text, source)


def _json_array(text: str, source: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise DatasetError(f"{source}: is damaged or truncated JSON ({one_line(str(error))})") from None
    for number, entry in enumerate(entries, 1):
        yield _is_object(entry, f"{source}, record {number}")


def _json_lines(lines: io.TextIOWrapper, source: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{source}, line {number}"
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise DatasetError(f"{place}: is damaged or truncated JSON ({one_line(str(error))})") from None
        yield _is_object(entry, place)


def _is_object(entry: Any, place: str) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(entry, dict):
        raise DatasetError(f"{place}: is no record with a path and a score", hint=_HINT)
    return place, entry


def _csv_rows(text: io.TextIOWrapper, source: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.reader(text)
    header = [cell.strip() for cell in next(reader, [])]
    for wanted in ("path", "score"):
        if header.count(wanted) != 1:
            how = "has two columns" if wanted in header else "lacks the column"
            raise DatasetError(f"{source}: {how} {wanted!r}", hint=_HINT)
    further = [name for name in header if name.startswith("scores.")]
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        place = f"{source}, line {reader.line_num}"
        if len(cells) != len(header):
            raise DatasetError(f"{place}: has {len(cells)} cells for {len(header)} columns")
        fields: dict[str, Any] = {name: cell or None for name, cell in zip(header, cells, strict=True)}
        if further:
            others = {name.removeprefix("scores."): fields[name] for name in further}
            fields["scores"] = {fields.get("model") or "": fields["score"], **others}
        yield place, fields


class _Fields:
    """The fields of one row, taken out one by one and checked."""

    def __init__(self, place: str, fields: Mapping[str, Any]) -> None:
        self._place, self._fields = place, fields

    def record(self) -> Prediction:
        """The record.

        Raises:
            DatasetError: A field is none of that kind.
        """
        name = self._fields.get("path")
        if not isinstance(name, str) or not name or "\0" in name:
            raise DatasetError(f"{self._place}: names no picture")
        if "score" not in self._fields:
            raise DatasetError(f"{self._place}: lacks the field 'score'")
        score = self._points("score")
        model = self._text("model") or ""
        error = self._text("error")
        low, high = self._points("low"), self._points("high")
        scores = {str(name): self._checked(value, "scores", float) for name, value in self._object("scores")}
        return Prediction(
            path=name,
            score=score,
            error=(error or "there is no score in the file") if score is None else None,
            model=model,
            spread=self._number("spread"),
            width=self._whole("width"),
            height=self._whole("height"),
            raw=self._number("raw"),
            crops=self._whole("crops"),
            distortion=self._text("distortion"),
            distortion_level=self._whole("distortion_level"),
            low=low if high is not None else None,
            high=high if low is not None else None,
            scores=scores or {model: score},
            errors={str(name): str(why) for name, why in self._object("errors")},
            intervals={str(name): self._interval(both) for name, both in self._object("intervals")},
        )

    def _text(self, field: str) -> str | None:
        value = self._fields.get(field)
        if value is not None and not isinstance(value, str):
            raise DatasetError(f"{self._place}: {field!r} is no text")
        return value

    def _number(self, field: str) -> float | None:
        return self._checked(self._fields.get(field), field, float)

    def _whole(self, field: str) -> int | None:
        value = self._checked(self._fields.get(field), field, int)
        if value is not None and value < 0:
            raise DatasetError(f"{self._place}: {field!r} is negative")
        return value

    def _points(self, field: str) -> float | None:
        value = self._number(field)
        if value is not None and not 0 <= value <= _HIGHEST:
            raise DatasetError(f"{self._place}: {field!r} is {value:g}, not from 0 to 100", hint=_HINT)
        return value

    def _object(self, field: str) -> list[tuple[Any, Any]]:
        value = self._fields.get(field)
        if value is not None and not isinstance(value, dict):
            raise DatasetError(f"{self._place}: {field!r} is no object")
        return list((value or {}).items())

    def _interval(self, both: Any) -> tuple[float, float] | None:
        if both is None:
            return None
        ends = [self._checked(end, "intervals", float) for end in both] if isinstance(both, list) else []
        if len(ends) != 2 or ends[0] is None or ends[1] is None:
            raise DatasetError(f"{self._place}: an interval has two ends")
        return ends[0], ends[1]

    def _checked(self, value: Any, field: str, kind: Callable[[Any], Any]) -> Any:
        """A finite number of a kind, None for none (NaN is none as well)."""
        if value is None:
            return None
        try:
            number = math.inf if isinstance(value, bool) else kind(value)
            if isinstance(value, float) and math.isfinite(value) and number != value:
                number = math.inf  # a part of a pixel
        except (TypeError, ValueError, OverflowError):
            number = math.inf
        if math.isinf(number):
            raise DatasetError(f"{self._place}: {field!r} is {one_line(str(value))!r}, which is no number")
        return None if math.isnan(number) else number
