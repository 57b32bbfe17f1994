"""A small view of very many pictures, decoded by several threads, for pages and for a look at what a picture
shows."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from iqa_cli.errors import ImageError
from iqa_cli.images.decode import open_photo
from iqa_cli.scoring.scored import reason_in_row

T = TypeVar("T")

_WHITE = 255
# A picture of 50 megapixels takes 150 MB while it is decoded.
_THREADS = 4


def small_view(
    path: str | os.PathLike[str], side: int, *, max_pixels: int = 250_000_000
) -> NDArray[np.uint8]:
    """A picture reduced so that its longer side is `side` pixels at most; a JPEG is decoded reduced already.

    Args:
        path: A file.
        side: In pixels.
        max_pixels: Larger pictures are refused.

    Returns:
        sRGB uint8 [height, width, 3]; what is transparent lies on white.

    Raises:
        ImageError: It is missing or cannot be decoded.
    """
    with open_photo(path, max_pixels=max_pixels, draft_side=side, min_side=1) as photo:
        factor = min(side / photo.width, side / photo.height, 1)
        size = max(1, round(photo.width * factor)), max(1, round(photo.height * factor))
        return photo.resized(*size, background=_WHITE if photo.has_alpha else None)


def each(
    paths: Iterable[str], look: Callable[[str], T], *, threads: int | None = None
) -> Iterator[T | ImageError]:
    """What `look` says of each picture, in their order, a few ahead; or why it says nothing.

    Args:
        paths: Files.
        look: Called from several threads.
        threads: How many; None for the number of cores, four at most.
    """
    count = threads or min(_THREADS, os.cpu_count() or 1)
    waiting: deque[Future[T | ImageError]] = deque()
    pool = ThreadPoolExecutor(count, thread_name_prefix="iqa-look")
    try:
        for path in paths:
            waiting.append(pool.submit(_said, look, path))
            if len(waiting) > 2 * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _said(look: Callable[[str], T], path: str) -> T | ImageError:
    try:
        return look(path)
    except ImageError as error:
        return error
    except Exception as error:
        return ImageError(reason_in_row(error))
