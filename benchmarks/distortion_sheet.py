"""One picture with every distortion at every level, as a JPEG to look at.

python -m benchmarks.distortion_sheet docs/distortions.jpg [--picture FILE --left 142 --top 56 --side 112]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from iqa_cli.images.distortions import DISTORTIONS, LEVELS, distort

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
GAP, TEXT, BLOCKS = 4, 18, 2


def sheet(crop: np.ndarray, seed: int) -> Image.Image:
    """Rows of types in two blocks, columns of levels; the undistorted crop on top.

    Args:
        crop: RGB [S, S, 3], uint8.
        seed: Seed of each distortion.
    """
    side = crop.shape[0]
    rows = -(-len(DISTORTIONS) // BLOCKS)
    block = LEVELS * (side + GAP) + 3 * GAP
    height = (rows + 1) * (side + TEXT + GAP)
    page = Image.new("RGB", (BLOCKS * block, height), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    draw.text((GAP, 0), "undistorted", "black", font)
    page.paste(Image.fromarray(crop), (GAP, TEXT))
    levels = f"below, from left to right: levels 1 to {LEVELS}, at {side} x {side} pixels"
    draw.text((side + 3 * GAP, TEXT), levels, "black", font)
    for place, name in enumerate(DISTORTIONS):
        left, top = place // rows * block + GAP, (1 + place % rows) * (side + TEXT + GAP)
        draw.text((left, top), name, "black", font)
        for level in range(1, LEVELS + 1):
            made = distort(crop, name, level, np.random.default_rng(seed))
            page.paste(Image.fromarray(made), (left + (level - 1) * (side + GAP), top + TEXT))
    return page


def main() -> None:
    """Write the sheet and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("--picture", type=Path, default=EXAMPLES / "lunch.jpg")
    parser.add_argument("--left", type=int, default=142)
    parser.add_argument("--top", type=int, default=56)
    parser.add_argument("--side", type=int, default=112)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quality", type=int, default=60)
    options = parser.parse_args()
    left, top, side = options.left, options.top, options.side
    with Image.open(options.picture) as picture:
        crop = np.asarray(picture.convert("RGB").crop((left, top, left + side, top + side)))
    page = sheet(crop, options.seed)
    page.save(options.out, quality=options.quality, subsampling=0, optimize=True)
    print(f"{options.out}: {page.width} x {page.height}, {options.out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
