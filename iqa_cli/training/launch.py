"""Which of several training processes this one is, as `accelerate launch` says it. Imports no torch."""

from __future__ import annotations

import os


def process_count() -> int:
    """Processes that train together; 1 without a launcher."""
    return max(1, _number("WORLD_SIZE", 1))


def process_rank() -> int:
    """Position of this process among them, from 0."""
    return _number("RANK", 0) if process_count() > 1 else 0


def local_process_count() -> int:
    """Processes on this machine; they share its memory."""
    return max(1, _number("LOCAL_WORLD_SIZE", 1)) if process_count() > 1 else 1


def is_main_process() -> bool:
    """Whether this process writes and speaks for all of them."""
    return process_rank() == 0


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else default
