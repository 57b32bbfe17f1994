"""Putting a file under a name that is free: never over another file, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import errno
import filecmp
import os
import shutil
import stat
from pathlib import Path

#: What a file system without hard links, or one that forbids them, says.
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOTSUP}
)


def take_name(own: Path, name: Path) -> None:
    """Give a file another name on the same file system, which must be free.

    A rename would replace what has that name. So the file gets a second name, which fails where there is one,
    and loses the first. Where there are no hard links (FAT, some network folders), the name is first taken by
    an empty file, which only one program can do.

    Raises:
        FileExistsError: Something has that name.
        OSError: No permission, another file system, ...
    """
    if os.name == "nt":
        own.rename(name)  # never replaces there
        return
    try:
        os.link(own, name, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        _end_old_name(own, name)
        return
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        own.replace(name)
    except BaseException:
        with contextlib.suppress(OSError):
            name.unlink()
        raise


def copy_to(source: Path, name: Path, part: Path) -> None:
    """Copy a file, with its times and permissions, to a name that must be free; it appears there whole.

    Args:
        source: The file; a link is followed.
        name: The new name.
        part: Where it is written first: beside the new name. What stands there is written over.

    Raises:
        FileExistsError: Something has that name.
        OSError: The disk is full, ...; nothing is left of the copy.
    """
    if os.path.lexists(name):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(name))
    try:
        with source.open("rb") as reading, part.open("wb") as writing:
            shutil.copyfileobj(reading, writing, 2**20)
            writing.flush()
            os.fsync(writing.fileno())
        with contextlib.suppress(OSError):  # a file system that knows no times or permissions
            shutil.copystat(source, part)
        take_name(part, name)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def move_to(source: Path, name: Path, part: Path) -> None:
    """Move a file to a name that must be free; to another file system as a copy that is compared with it
    before it goes.

    Raises:
        FileExistsError: Something has that name.
        OSError: As of `copy_to`; the file is where it was.
    """
    try:
        take_name(source, name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_to(source, name, part)
        if not same_content(source, name):
            raise OSError(errno.EIO, "the copy on the other file system is not the same") from None
        _end_old_name(source, name)


def _end_old_name(own: Path, name: Path) -> None:
    """Unlink a file that has got its new name; where that fails, the new name goes again."""
    try:
        own.unlink(missing_ok=True)
    except OSError:
        with contextlib.suppress(OSError):
            if are_apart(name, own):
                name.unlink()
        raise


def link_to(source: Path, name: Path) -> None:
    """Give a file a second name, which must be free.

    Raises:
        FileExistsError: Something has that name.
        OSError: Another file system, one without hard links, ...
    """
    os.link(os.path.realpath(source), name)


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes; False where one of them cannot be read."""
    try:
        if one.stat().st_size != other.stat().st_size:
            return False
        filecmp.clear_cache()
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def same_file(one: Path, other: Path) -> bool:
    """Whether two names are one file."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def are_apart(gone: Path, kept: Path) -> bool:
    """Whether, of two names that hold the same, one can be unlinked and the other still holds it.

    Not where one leads to the other by a symbolic link, or both are one name by way of linked folders.

    Args:
        gone: The name that would be unlinked.
        kept: The other; where it is a symbolic link, what it points to counts.
    """
    try:
        own = gone.lstat()
        for name in (kept, Path(os.path.realpath(kept))):
            if os.path.samestat(own, name.lstat()):
                return own.st_nlink > 1 and entry_of(gone) != entry_of(name)
    except OSError:
        return False
    return stat.S_ISREG(own.st_mode)


def entry_of(path: Path) -> Path:
    """A name in its real folder: the same for all ways that lead to this entry, but not for a link to it."""
    return Path(os.path.realpath(path.parent)) / path.name
