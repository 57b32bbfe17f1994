"""A sheet of pictures sorted by score, to look for what is wrong: rows that `iqa score` wrote, drawn evenly.

iqa score --files-from list.txt -o rows.jsonl
python -m benchmarks.score_sheet rows.jsonl sheet.jpg [--count 200] [--columns 20]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

GAP, TEXT = 3, 24


def sheet(rows: list[dict[str, object]], side: int, columns: int) -> Image.Image:
    """Thumbnails with score and file name, best first, row by row."""
    lines = -(-len(rows) // columns)
    page = Image.new("RGB", (columns * (side + GAP) + GAP, lines * (side + TEXT + GAP) + GAP), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(10)
    for place, row in enumerate(rows):
        left = GAP + place % columns * (side + GAP)
        top = GAP + place // columns * (side + TEXT + GAP)
        with Image.open(str(row["path"])) as picture:
            picture.draft("RGB", (2 * side, 2 * side))
            small = ImageOps.contain(ImageOps.exif_transpose(picture).convert("RGB"), (side, side))
        page.paste(small, (left + (side - small.width) // 2, top + (side - small.height) // 2))
        draw.text((left, top + side), f"{row['score']:.1f}", "black", font)
        draw.text((left, top + side + 11), Path(str(row["path"])).stem[-18:], "gray", font)
    return page


def main() -> None:
    """Write the sheet and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--quality", type=int, default=70)
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.rows.read_text().splitlines()]
    scored = sorted((row for row in rows if row["score"] is not None), key=lambda row: -row["score"])
    drawn = np.linspace(0, len(scored) - 1, min(options.count, len(scored))).round().astype(int)
    page = sheet([scored[place] for place in drawn], options.side, options.columns)
    page.save(options.out, quality=options.quality, optimize=True)
    size = options.out.stat().st_size / 1024
    print(
        f"{options.out}: {len(drawn)} of {len(scored)} pictures, {page.width} x {page.height}, {size:.0f} KiB"
    )


if __name__ == "__main__":
    main()
