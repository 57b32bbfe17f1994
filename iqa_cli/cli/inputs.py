"""What is to be scored: files, folders, patterns and lists, as one lazy stream of paths.

Paths are kept exactly as given; the names in a folder are put behind it. Nothing is opened here but to see
whether a file with an unknown ending is a picture. A million of them take no more memory than some thousand
(`iqa_cli.cli.names`).
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from iqa_cli.cli.context import Environment
from iqa_cli.cli.lists import entries_of, names_from
from iqa_cli.cli.names import NameSet, counted, in_order
from iqa_cli.cli.walk import files_in
from iqa_cli.errors import UsageError
from iqa_cli.images.endings import SUFFIXES
from iqa_cli.text import count, printable

_STDIN = "-"

# First bytes of the formats above, for files whose name does not say what they are.
_MAGIC = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|II[*+]\0|MM\0[*+]|\0\0\0\x0cjP  "
    rb"|....ftyp(?:avif|avis|hei[cxms]|hev[cx]|mif1|msf1)|BM....\0\0\0\0",
    re.DOTALL,
)


@dataclass
class Inputs:
    """The stream of paths, and what was noticed while it was read.

    Attributes:
        paths: Each path once, in order; to be read once. May wait for stdin.
        total: Number of paths where it is known beforehand.
        repeated: Inputs left out because the same file comes under another name.
        first_repeated: The first of them.
        unreadable: Folders that could not be listed.
        empty: Folders without pictures.
        left_out: Absolute path of the folder that is passed over; empty for none.
        passed_over: How many inputs lay in it.
        urls: Whether there may be URLs.
    """

    paths: Iterator[str] = field(default_factory=lambda: iter(()))
    total: int | None = None
    repeated: int = 0
    first_repeated: str = ""
    unreadable: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    left_out: str = ""
    passed_over: int = 0
    urls: bool = False
    _seen: NameSet = field(default_factory=NameSet)

    def leave(self, paths: Iterable[str]) -> None:
        """Count inputs that are left out because the same file comes under another name."""
        for path in paths:
            self.repeated += 1
            self.first_repeated = self.first_repeated or path

    def notes(self) -> list[str]:
        """Lines for a person about what was left out; asked for after the last path."""
        lines = [f"there are no pictures in {printable(folder)}" for folder in self.empty]
        if self.repeated:
            times = count(self.repeated, "input")
            lines.append(
                f"{times} given more than once, scored once (first left out: "
                f"{printable(self.first_repeated)})"
            )
        return lines


def gather(
    arguments: list[str],
    env: Environment,
    *,
    recursive: bool = False,
    null: bool = False,
    files_from: str | None = None,
    leave_out: str | None = None,
    urls: bool = False,
) -> Inputs:
    """All inputs of a command line.

    Args:
        arguments: Paths; folders (with `recursive`), patterns that no shell has expanded, or "-" for a list
            on stdin.
        env: Where stdin comes from.
        recursive: Walk folders.
        null: Lists are separated by NUL characters instead of line ends. Without arguments it means a list on
            stdin.
        files_from: A file with a list, or "-"; of a .parquet file its column "path".
        urls: Walk and match what lies behind a URL, too.
        leave_out: What lies in this folder is passed over, whatever leads there.

    Raises:
        UsageError: A folder without `recursive`, a list that cannot be read, or nothing to score at all.
    """
    arguments = list(arguments)
    if null and not arguments and files_from is None:
        arguments = [_STDIN]
    inputs = Inputs(urls=urls)
    if leave_out is not None:
        inputs.left_out = os.path.join(os.path.normcase(os.path.realpath(leave_out)), "")  # noqa: PTH118
    lists: list[str] = [] if files_from is None else [files_from]
    for argument in arguments:
        if not argument:
            raise UsageError("one of the names is empty", hint="perhaps a variable of the shell is")
        if argument != _STDIN:
            _refuse_folder(argument, recursive)
    streamed = _STDIN in arguments or _STDIN in lists
    if streamed and env.stdin_is_terminal:
        raise UsageError(
            "a list of files is expected on stdin, which is a terminal",
            hint="for example: find photos -name '*.jpg' | iqa score -",
        )
    stdin = entries_of(env.stdin, null=null, where="stdin")

    def listed(entries: Iterator[str]) -> Iterator[str]:
        # Lines of a list are file names, never patterns; folders among them are walked with -r all the same.
        return chain.from_iterable(_expand(entry, inputs, recursive, patterns=False) for entry in entries)

    stream = chain(
        chain.from_iterable(
            listed(stdin) if argument == _STDIN else _expand(argument, inputs, recursive, patterns=True)
            for argument in _plain_names(arguments, inputs)
        ),
        # stdin that has been read already gives nothing a second time.
        chain.from_iterable(
            listed(stdin if name == _STDIN else names_from(name, null=null)) for name in lists
        ),
    )
    distinct = _distinct(stream, inputs)
    if not streamed:
        inputs.total, distinct = counted(distinct)
    first = next(distinct, None)
    if first is None:
        raise _nothing(inputs, bool(arguments or lists), streamed)
    inputs.paths = chain((first,), distinct)
    return inputs


def _nothing(inputs: Inputs, given: bool, streamed: bool) -> UsageError:
    if inputs.unreadable:
        return UsageError(inputs.unreadable[0])
    if inputs.passed_over:
        return UsageError(
            f"all pictures are in {printable(inputs.left_out)}, where pictures are put and none taken from"
        )
    if len(inputs.empty) == 1:
        return UsageError(f"there are no pictures in {printable(inputs.empty[0])}")
    if inputs.empty:
        return UsageError(f"there are no pictures in any of {count(len(inputs.empty), 'folder')}")
    if not given:
        return UsageError("nothing to score", hint="give files, folders with -r, or - for a list on stdin")
    return UsageError("the list on stdin is empty" if streamed else "the list is empty")


def _plain_names(arguments: list[str], inputs: Inputs) -> list[str]:
    """The arguments but for links to files that are among them: what is done with a photograph, and what lies
    beside it, is done with the file, wherever a shell has sorted a link to it."""
    links = {one for one in arguments if one != _STDIN and os.path.islink(one)}  # noqa: PTH114
    if not links:
        return arguments
    files = {os.path.realpath(argument) for argument in arguments if argument not in links}
    twice = {link for link in links if os.path.realpath(link) in files}
    inputs.leave(one for one in arguments if one in twice)
    return [one for one in arguments if one not in twice]


def _refuse_folder(path: str, recursive: bool) -> None:
    if not recursive and _is_folder(path):
        raise UsageError(f"{printable(path)} is a folder", hint="use -r to score the pictures inside")


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # a name that is too long; a NUL character, on some versions of Python
        return False


def _expand(argument: str, inputs: Inputs, recursive: bool, *, patterns: bool) -> Iterator[str]:
    """A file as it is (also one that is missing: its row will say so), a folder's pictures, a pattern's
    matches."""
    if recursive and _is_folder(argument):
        yield from _walk(argument, inputs)
    elif inputs.urls and "://" in argument:
        yield from _behind_url(argument, inputs, recursive=recursive, patterns=patterns)
    elif patterns and glob.has_magic(argument) and not os.path.lexists(argument):
        try:
            matches = in_order(glob.iglob(argument, recursive=True))  # noqa: PTH207 - keeps the prefix given
            first = next(matches, None)
        except RecursionError:
            raise UsageError(
                f"{printable(argument)}: the folders are too deep for **", hint="-r walks them"
            ) from None
        if first is None and not set("*?") & set(argument):
            yield argument  # more likely brackets in a name than a pattern; its row will say so
        elif first is None:
            raise UsageError(f"no file matches {printable(argument)}")
        for match in chain(() if first is None else (first,), matches):
            _refuse_folder(match, recursive)
            yield from _expand(match, inputs, recursive, patterns=False)
    else:
        yield argument


def _behind_url(url: str, inputs: Inputs, *, recursive: bool, patterns: bool) -> Iterator[str]:
    """A URL as it is, or with `recursive` the pictures below it; what matches one with a "*"."""
    if not (patterns and "*" in url) and (not recursive or _is_named_as_picture(url)):
        yield url
        return
    from iqa_cli.scoring.remote import files_below

    found = in_order(name for name in files_below(url) if _is_named_as_picture(name))
    first = next(found, None)
    if first is None:
        inputs.empty.append(url)
    else:
        yield from chain((first,), found)


def _walk(folder: str, inputs: Inputs) -> Iterator[str]:
    """The pictures below a folder."""
    root = os.path.realpath(folder)
    found = (
        path
        for path in files_in(folder, inputs.unreadable)
        if is_picture(path) and not _comes_as_itself(path, root, inputs)
    )
    first = next(found, None)
    if first is not None:
        yield first
        yield from found
    elif not inputs.unreadable:
        inputs.empty.append(folder)


def _comes_as_itself(path: str, root: str, inputs: Inputs) -> bool:
    """Whether a file in the walked folder `root` (without links) is a link to another that the walk meets."""
    if not os.path.islink(path):  # noqa: PTH114
        return False
    target = os.path.realpath(path)
    below = os.path.join(root, "")  # noqa: PTH118
    hidden = any(part.startswith(".") for part in Path(target.removeprefix(below)).parts)
    if not target.startswith(below) or hidden or not Path(target).is_file() or not is_picture(target):
        return False
    inputs.leave((path,))
    return True


def is_picture(path: str) -> bool:
    """By its name, so that a damaged photo gets its row; otherwise by its first bytes."""
    if _is_named_as_picture(path):
        return True
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as stream:
            return _MAGIC.match(stream.read(16)) is not None
    except OSError:
        return False


def _is_named_as_picture(path: str) -> bool:
    return Path(path).suffix.lower() in SUFFIXES


def _distinct(paths: Iterable[str], inputs: Inputs) -> Iterator[str]:
    for path in paths:
        try:
            # Also the same file for a disk that ignores case on Windows.
            real = os.path.normcase(os.path.realpath(path))
        except (OSError, ValueError):
            real = path
        if inputs.left_out and real.startswith(inputs.left_out):
            inputs.passed_over += 1
            continue
        if inputs._seen.add(real):
            yield path
        else:
            inputs.leave((path,))
