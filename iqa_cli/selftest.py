"""A picture that needs no file, and what each weight is known to say of it.

A broken installation (another BLAS, a miscompiled kernel, half a weight) mostly computes something; whether
it is the right thing shows in a score that is known. The picture is made of whole numbers alone, so that it
is the same wherever it is made. Answers stand in `known_answers.json` beside the weights, by the SHA-256 of
the file: a weight that has changed has none.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_cli.checksums import open_regular
from iqa_cli.errors import WeightsError
from iqa_cli.replacing import Replacement
from iqa_cli.text import one_line, reason_of

ANSWERS = "known_answers.json"
#: Points by which an answer may be off: what scores differ by between processors and a GPU at most.
TOLERANCE = 0.1
#: Height and width of the picture.
SHAPE = (320, 448)


def picture() -> NDArray[np.uint8]:
    """The picture, uint8 [320, 448, 3] RGB: slopes of colour, edges of all directions, and fine grain."""
    height, width = SHAPE
    y, x = np.mgrid[:height, :width].astype(np.int64)
    slope = (x * 160) // width + (y * 60) // height
    discs = ((x - 150) ** 2 + (y - 140) ** 2) // 1500 % 2 * 50
    stripes = ((2 * x + 3 * y) // 40 % 2) * 30 * (x > 250)
    grain = (x * 73856093 ^ y * 19349663) % 8191 % 23
    base = slope + discs + stripes + grain
    channels = [base, base * 4 // 5 + y * 40 // height, base * 3 // 5 + x * 50 // width]
    return np.clip(np.stack(channels, -1), 0, 255).astype(np.uint8)


def known_answer(path: Path) -> float | None:
    """The score of the picture that a weight is known to give, None where none is known.

    Args:
        path: The weight's file.

    Raises:
        WeightsError: One of the two files cannot be read.
    """
    answers = _read(path.parent / ANSWERS)
    value = answers.get(_sha256(path)) if answers else None
    return float(value) if isinstance(value, int | float) else None


def record_answers(scores: dict[Path, float]) -> Path:
    """Keep scores of the picture as the known answers of weights of one folder; those of files that are no
    longer there are dropped.

    Args:
        scores: The weight's file -> points.

    Returns:
        The file that was written.

    Raises:
        WeightsError: It cannot be written, or a weight cannot be read.
    """
    folder = next(iter(scores)).parent
    path = folder / ANSWERS
    found = {_sha256(weight): round(score, 3) for weight, score in scores.items()}
    there = {_sha256(weight) for weight in folder.glob("*.safetensors")}
    kept = {digest: value for digest, value in _read(path).items() if digest in there}
    written: Replacement | None = None
    try:
        written = Replacement(path)
        written.file.write((json.dumps(kept | found, indent=2, sort_keys=True) + "\n").encode())
        written.complete()
        written.commit()
    except OSError as error:
        raise WeightsError(f"{one_line(path)}: cannot be written: {reason_of(error)}") from None
    finally:
        if written is not None:
            written.discard()
    return path


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{one_line(path)}: cannot be read: {one_line(str(error))}") from None
    return found if isinstance(found, dict) else {}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open_regular(path) as (file, _):
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()
