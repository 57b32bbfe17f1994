"""Files that are checked: the `SHA256SUMS` beside them, atomic writing, opening without surprises.

The manifest has the form of coreutils, so that `sha256sum -c SHA256SUMS` in the folder says the same as
this program.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path

from iqa_cli.errors import WeightsError
from iqa_cli.replacing import Replacement
from iqa_cli.text import one_line, reason_of

MANIFEST = "SHA256SUMS"
MAX_FILE = 8 * 2**30


def mebibytes(size: int) -> str:
    """A size in bytes as a person reads it: "59.6 MiB"."""
    return f"{size} bytes" if size < 2**20 / 10 else f"{size / 2**20:.1f} MiB"


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[tuple[BufferedReader, int]]:
    """The opened file and its size. Looked at before it is opened: opening a FIFO would wait for ever."""
    try:
        try:
            info = path.stat()
        except ValueError as error:  # a null byte in the name
            raise WeightsError(f"{one_line(path)}: cannot be read: {error}") from None
        if stat.S_ISDIR(info.st_mode):
            raise WeightsError(
                f"{one_line(path)}: is a folder, not a weight", hint="give the .safetensors file inside it"
            )
        if not stat.S_ISREG(info.st_mode):
            raise WeightsError(f"{one_line(path)}: is no regular file (a pipe, socket or device)")
        if info.st_size > MAX_FILE:
            raise WeightsError(
                f"{one_line(path)}: {info.st_size / 2**30:.0f} GiB is larger than any weight of this program"
            )
        with path.open("rb") as file:
            yield file, info.st_size
    except OSError as error:
        raise WeightsError(f"{one_line(path)}: cannot be read: {reason_of(error)}") from None


def verify_checksum(path: Path) -> bool:
    """Compare a file with the `SHA256SUMS` beside it, reading it in pieces.

    Returns:
        True when it is listed and agrees, False when it is not listed.

    Raises:
        WeightsError: It is listed and differs, or one of the two cannot be read.
    """
    expected = listed_checksum(path)
    if expected is None:
        return False
    with open_regular(path) as (file, _):
        compare_checksum(path, sha256_from(file), expected)
    return True


def sha256_from(file: BufferedReader) -> str:
    """The SHA-256 (hex) of what is left of an open file, read in pieces."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(2**20))
    while count := file.readinto(buffer):
        digest.update(buffer[:count])
    return digest.hexdigest()


def listed_checksum(path: Path) -> str | None:
    """The SHA-256 (hex) that the manifest beside `path` gives for it, None where it gives none."""
    return _read_manifest(path.parent / MANIFEST).get(path.name)


def write_file(path: Path, content: bytes) -> None:
    """Write a file and its line in `SHA256SUMS` so that whatever goes wrong leaves the old ones as they were;
    see `write_files`."""
    write_files({path: content})


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files of one folder and their lines in `SHA256SUMS` so that whatever goes wrong leaves the old
    ones as they were.

    All are written in full under other names and forced to the disk before any takes its place. The folder
    is made when it is missing: a long training run should not lose its result for that.

    Raises:
        WeightsError: No permission, no space, a folder of that name, ...; nothing has been changed.
    """
    *_, last = contents
    manifest = last.parent / MANIFEST
    written: list[Replacement] = []
    try:
        last.parent.mkdir(parents=True, exist_ok=True)
        for target in (*contents, manifest):
            if target.is_dir():
                raise IsADirectoryError(0, f"{target.name} is a folder")
        with _folder_lock(last.parent):
            digests = {path.name: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
            sums = _read_manifest(manifest) | digests
            lines = "".join(_manifest_line(name, sums[name]) for name in sorted(sums))
            for target, data in (*contents.items(), (manifest, os.fsencode(lines))):
                written.append(Replacement(target))
                written[-1].file.write(data)
                written[-1].complete()
            for made in written:
                made.commit()
    except OSError as error:
        raise WeightsError(f"{one_line(last)}: cannot be written: {reason_of(error)}") from None
    finally:
        for made in written:
            made.discard()


def compare_checksum(path: Path, actual: str, expected: str) -> None:
    """WeightsError when two SHA-256 in hex differ."""
    if actual != expected:
        difference = f"{actual[:12]}... instead of {expected[:12]}..."
        raise WeightsError(
            f"{one_line(path)}: its SHA-256 is not the one in {MANIFEST} ({difference})",
            hint="it has been damaged or replaced: get it again, or mend the manifest if the change is yours",
        )


def _read_manifest(path: Path) -> dict[str, str]:
    """File name -> SHA-256 in hex, of the lines that `sha256sum` writes; {} without a manifest."""
    try:
        if not path.is_file():
            return {}
        lines = os.fsdecode(path.read_bytes()).split("\n")
    except OSError as error:
        raise WeightsError(f"{one_line(path)}: cannot be read: {reason_of(error)}") from None
    sums = {}
    for number, full in enumerate(lines, start=1):
        line = full.removesuffix("\r")
        if not line.strip():
            continue
        escaped = line.startswith("\\")
        digest, mark, name = line.removeprefix("\\").partition(" ")
        if (
            len(digest) != 64
            or set(digest.lower()) - set("0123456789abcdef")
            or not mark
            or name[:1] not in (" ", "*")
        ):
            raise WeightsError(f"{one_line(path)}: line {number} is not '<sha-256>  <file name>'")
        name = name[1:]
        if escaped:  # as sha256sum does for names with a newline or a backslash
            name = name.replace("\\\\", "\0").replace("\\n", "\n").replace("\\r", "\r").replace("\0", "\\")
        sums[name] = digest.lower()
    return sums


def _manifest_line(name: str, digest: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n"


@contextlib.contextmanager
def _folder_lock(folder: Path) -> Iterator[None]:
    """One writer at a time in a folder, so that two runs do not lose each other's line of the manifest;
    POSIX only."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # A file system without locks (some network ones) is no reason to refuse to save.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        # The names are on the disk only when the folder is.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
