"""Pillow kept quiet while it works for us, without changing it for the program around us."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

# Where a program has set up no logging, Python prints the complaints of a library on stderr, beside our own.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_lock = threading.Lock()
_inside = 0
_saved_limit: int | None = None
_saved_warnings: warnings.catch_warnings[None] | None = None


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow's size limit and its warnings are off inside; ours (`max_pixels`) is checked from the header.

    Both are settings of the whole process. They are counted rather than saved by each caller, because
    pictures are decoded in several threads: a thread that leaves must not switch them back under another
    one.
    """
    global _inside, _saved_limit, _saved_warnings
    with _lock:
        if _inside == 0:
            _saved_limit = Image.MAX_IMAGE_PIXELS
            Image.MAX_IMAGE_PIXELS = None
            _saved_warnings = warnings.catch_warnings()
            _saved_warnings.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\b")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                Image.MAX_IMAGE_PIXELS = _saved_limit
                if _saved_warnings is not None:
                    _saved_warnings.__exit__(None, None, None)
                _saved_warnings = None
