"""Small pictures of pairs on a terminal that has 16 million colours: two pixels to a character."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from iqa_cli.cli.context import Environment
from iqa_cli.text import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iqa_cli.gmad.session import Pair

_WIDTH, _ROWS = 32, 12
#: The upper half of a character; its background is the lower one.
_HALF = "▀"


def can_show(env: Environment) -> bool:
    """Whether stdout is a terminal that says it has the colours."""
    if not (env.stdout_is_terminal and env.colour) or env.dumb or env.columns < 2 * _WIDTH + 2:
        return False
    try:
        _HALF.encode(env.stdout_encoding)
    except (UnicodeError, LookupError):
        return False
    return env.environ.get("COLORTERM") in ("truecolor", "24bit")


def thumbnails(pairs: Sequence[Pair]) -> str:
    """The two pictures of each pair side by side; pairs whose pictures cannot be read are left out."""
    from iqa_cli.errors import ImageError

    lines: list[str] = []
    for pair in pairs:
        try:
            sides = [_rows(_pixels(Path(picture.path))) for picture in (pair.first, pair.second)]
        except ImageError:
            continue
        lines.append(
            f"{printable(pair.defender)} fixed, {printable(pair.level)}: {printable(pair.attacker)} prefers "
            "the left one"
        )
        lines += ["  ".join(row) for row in zip(*sides, strict=True)]
    return "\n".join(lines) + "\n" if lines else ""


def _pixels(path: Path) -> NDArray[np.uint8]:
    """RGB [2 * _ROWS, _WIDTH, 3]: the picture in the middle of black."""
    import numpy as np

    from iqa_cli.images.decode import open_photo

    canvas = np.zeros((2 * _ROWS, _WIDTH, 3), np.uint8)
    with open_photo(path, draft_side=2 * _WIDTH, min_side=1) as photo:
        factor = min(_WIDTH / photo.width, 2 * _ROWS / photo.height)
        w, h = max(1, round(photo.width * factor)), max(1, round(photo.height * factor))
        x, y = (_WIDTH - w) // 2, (2 * _ROWS - h) // 2
        canvas[y : y + h, x : x + w] = photo.resized(w, h, background=255 if photo.has_alpha else None)
    return canvas


def _rows(pixels: NDArray[np.uint8]) -> list[str]:
    return [
        "".join(
            f"\x1b[38;2;{a[0]};{a[1]};{a[2]};48;2;{b[0]};{b[1]};{b[2]}m{_HALF}"
            for a, b in zip(upper, lower, strict=True)
        )
        + "\x1b[0m"
        for upper, lower in zip(pixels[::2].tolist(), pixels[1::2].tolist(), strict=True)
    ]
