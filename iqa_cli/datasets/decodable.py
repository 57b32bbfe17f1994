"""Which pictures of a database cannot be decoded, found by decoding them all, in several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

from iqa_cli.errors import ImageError
from iqa_cli.images.content import HEAD_BYTES, why_not_an_image
from iqa_cli.images.decode import open_photo
from iqa_cli.images.pillow import quiet_pillow

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def why_undecodable(path: Path, *, header_only: bool = False) -> str | None:
    """Why a picture cannot be used, in one line; None where it can.

    Args:
        path: The file.
        header_only: Look at the first bytes alone: a file that was cut off is not found out.
    """
    try:
        if header_only:
            return _why_no_header(path)
        with open_photo(path):
            return None
    except ImageError as error:
        return error.message


def in_threads(
    task: Callable[[Item], Outcome], items: Iterable[Item], threads: int
) -> Iterator[tuple[Item, Outcome]]:
    """Each item and what a task makes of it, in the order of the items; a few are under way at a time.

    Decoders let other threads go on while they work, so that threads do what processes would.

    Args:
        task: Called in a thread; what it raises is raised here.
        items: Read as they are needed.
        threads: How many, at least 1.
    """
    waiting: deque[tuple[Item, Future[Outcome]]] = deque()
    source = iter(items)
    with ThreadPoolExecutor(threads, thread_name_prefix="iqa-data") as pool:
        try:
            for item in islice(source, 2 * threads):
                waiting.append((item, pool.submit(task, item)))
            while waiting:
                item, future = waiting.popleft()
                outcome = future.result()
                for following in islice(source, 1):
                    waiting.append((following, pool.submit(task, following)))
                yield item, outcome
        finally:
            pool.shutdown(cancel_futures=True)


def _why_no_header(path: Path) -> str | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            stream.seek(0)
            if not head:
                return "the file is empty"
            with quiet_pillow(), Image.open(stream):
                return None
    except UnidentifiedImageError:
        return why_not_an_image(head)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except Exception as error:  # the decoders raise struct.error, SyntaxError, EOFError and many more
        return f"the header is damaged ({type(error).__name__})"
