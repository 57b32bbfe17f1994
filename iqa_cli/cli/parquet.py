"""Rows as a Parquet file: the columns of the CSV with their types. Needs the extra `parquet` (pyarrow)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from iqa_cli.cli.output import Output, OutputError
from iqa_cli.cli.sinks import COLUMNS, plain_record
from iqa_cli.text import printable

if TYPE_CHECKING:
    from iqa_cli.prediction import Prediction

# A group of rows waits in memory: about ten megabytes.
_GROUP = 20_000
_WHOLE = frozenset({"width", "height", "crops", "distortion_level", "rank"})
_REAL = frozenset({"score", "spread", "raw", "low", "high", "percentile", "percentile_training"})


class ParquetSink:
    """Columns of the CSV; null for what is unknown. The file is whole only when `finish` was called.

    A name that is no UTF-8 is no text of Parquet: its bytes appear as \\xff.

    Args:
        output, further, more: As of `CsvSink`.

    Raises:
        OutputError: pyarrow is not installed, or the place is a terminal.
    """

    def __init__(self, output: Output, further: Sequence[str], more: Sequence[str] = ()) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise OutputError(
                "Parquet needs an extra package", hint="pip install 'iqa-cli[parquet]'"
            ) from None
        if output.is_terminal:
            raise OutputError("Parquet is not for a terminal", hint="-o FILE.parquet writes a file")
        kinds = {name: pyarrow.string() for name in (*COLUMNS, *more)}
        kinds |= {name: pyarrow.int64() for name in kinds if name in _WHOLE}
        kinds |= {name: pyarrow.float64() for name in kinds if name in _REAL}
        kinds |= {f"scores.{model}": pyarrow.float64() for model in further}
        self._schema = pyarrow.schema(list(kinds.items()))
        self._writer = pyarrow.parquet.ParquetWriter(_Stream(output), self._schema, compression="zstd")
        self._batch = pyarrow.RecordBatch.from_pylist
        self._further = list(further)
        self._rows: list[dict[str, Any]] = []

    def start(self) -> None:
        """The first bytes were written when it was made."""

    def row(self, prediction: Prediction, more: Mapping[str, Any] | None = None) -> None:
        record = plain_record(prediction)
        row = {name: record[name] for name in COLUMNS} | dict(more or {})
        row |= {f"scores.{model}": record["scores"].get(model) for model in self._further}
        self._rows.append({name: _text(value) for name, value in row.items()})
        if len(self._rows) == _GROUP:
            self._write()

    def finish(self) -> None:
        """The rows that wait, and the index, without which the file is none."""
        if self._rows:
            self._write()
        self._writer.close()

    def _write(self) -> None:
        self._writer.write_batch(self._batch(self._rows, schema=self._schema))
        self._rows.clear()


def _text(value: Any) -> Any:
    """A name that holds bytes which are no UTF-8 made one that does not; of a list one text."""
    if isinstance(value, list):
        value = " ".join(value)
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return printable(value)
    return value


class _Stream:
    """An `Output` as pyarrow asks for one."""

    closed = False

    def __init__(self, output: Output) -> None:
        self._output = output
        self._done = 0

    def write(self, data: bytes) -> int:
        # A copy, since pyarrow takes its buffer back.
        content = bytes(data)
        self._output.write(content)
        self._done += len(content)
        return len(content)

    def tell(self) -> int:
        return self._done

    def flush(self) -> None:
        """Every write is flushed."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """The output is closed by whoever has opened it."""
