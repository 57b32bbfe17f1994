"""Lists of file names: texts with a name on each line or up to each NUL character, from a pipe too, and the
column "path" of a Parquet file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from iqa_cli.errors import UsageError
from iqa_cli.text import one_line, printable, reason_of

# In bytes: more than any system allows.
_LONGEST_NAME = 2**17


def names_from(name: str, *, null: bool) -> Iterator[str]:
    """The names in a list, as soon as they are read; of a Parquet file its column "path".

    Args:
        name: The file.
        null: It is separated by NUL characters instead of line ends.

    Raises:
        UsageError: It cannot be read, or is no such list.
    """
    if name.lower().endswith(".parquet"):
        yield from _from_parquet(name)
        return
    try:
        with Path(name).open("rb") as stream:
            yield from entries_of(stream, null=null, where=name)
    except (OSError, ValueError) as error:
        raise UsageError(f"the list {printable(name)} cannot be read: {reason_of(error)}") from None


def _from_parquet(path: str) -> Iterator[str]:
    """Some thousand rows are in memory at a time; empty names are left out."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError("Parquet needs an extra package", hint="pip install 'iqa-cli[parquet]'") from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            if "path" not in file.schema_arrow.names:
                raise UsageError(f"the list {printable(path)} has no column 'path'")
            for batch in file.iter_batches(batch_size=10_000, columns=["path"]):
                for name in batch.column(0).to_pylist():
                    if name:
                        yield os.fsdecode(name)
    except OSError as error:
        raise UsageError(f"the list {printable(path)} cannot be read: {reason_of(error)}") from None
    except (pyarrow.ArrowException, TypeError) as error:
        raise UsageError(f"the list {printable(path)} cannot be read: {one_line(str(error))}") from None


def entries_of(stream: BinaryIO, *, null: bool, where: str) -> Iterator[str]:
    """The names of a list as soon as they arrive; empty ones are left out.

    Raises:
        UsageError: It is no list of names; `where` is what it is called then.
    """
    lines = _split_at_null(stream) if null else iter(lambda: stream.readline(_LONGEST_NAME + 1), b"")
    for number, line in enumerate(_readable(lines, where)):
        if len(line) > _LONGEST_NAME:
            raise UsageError(
                f"{printable(where)} is no list of files: a name in it is longer than any can be"
            )
        entry = line if null else line.rstrip(b"\n").removesuffix(b"\r")
        if number == 0:
            entry = entry.removeprefix(b"\xef\xbb\xbf")
            if null and b"\n" in entry.rstrip(b"\n") and not os.path.lexists(entry):
                raise UsageError(
                    f"the list on {printable(where)} has a name on each line, and no NUL characters between",
                    hint="read it without -0",
                )
        if b"\0" in entry:
            raise UsageError(
                f"the list on {printable(where)} contains NUL characters", hint="read it with -0"
            )
        if entry:
            # Bytes that are no UTF-8 survive as lone surrogates, as in sys.argv.
            yield os.fsdecode(entry)


def _readable(lines: Iterator[bytes], where: str) -> Iterator[bytes]:
    try:
        yield from lines
    except OSError as error:  # stdin may be a folder, too
        raise UsageError(f"the list {printable(where)} cannot be read: {reason_of(error)}") from None


def _split_at_null(stream: BinaryIO) -> Iterator[bytes]:
    # read1 gives what there is instead of waiting for a full block.
    read = stream.read1 if isinstance(stream, (io.BufferedReader, io.BytesIO)) else stream.read
    rest = b""
    while block := read(65536):
        *whole, rest = (rest + block).split(b"\0")
        yield from whole
        if len(rest) > _LONGEST_NAME:
            break
    if rest:
        yield rest
