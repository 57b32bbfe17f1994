"""Peak memory of looking at one 100-megapixel picture, in MiB beyond the imports; prints a Markdown table.

    python -m benchmarks.peak_memory [--kinds jpeg png ...]

Each picture is opened and all its crops are cut out, as `iqa score` does, in a process of its own that reads
its peak from /proc (Linux). The network is left out: what it takes is the same for every picture (see
`score_sizes.py`). "Beyond imports" is less the peak of a process that has done the same with a 64x64 picture.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

SIZE = (12_000, 8_400)
#: name: (ending, mode, how it is saved). A square of RGBA is half transparent.
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("jpg", "RGB", {"quality": 90}),
    "jpeg, turned": ("jpg", "RGB", {"quality": 90, "exif": 6}),
    "jpeg, progressive, 4:4:4": ("jpg", "RGB", {"quality": 90, "progressive": True, "subsampling": 0}),
    "png": ("png", "RGB", {"compress_level": 1}),
    "png, RGBA": ("png", "RGBA", {"compress_level": 1}),
    "tiff": ("tif", "RGB", {}),
    "tiff, deflate, RGBA": ("tif", "RGBA", {"compression": "tiff_deflate"}),
    "webp": ("webp", "RGB", {"quality": 80, "method": 0}),
    "webp, RGBA": ("webp", "RGBA", {"quality": 80, "method": 0}),
}
CHILD = """
import re, sys
from pathlib import Path
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy

with open_photo(sys.argv[1]) as photo:
    crops = sum(1 for _ in iter_crops(photo, SizePolicy()))
print(crops, re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def make(path: Path, mode: str, options: dict[str, Any]) -> None:
    """A picture of that size: a photograph, enlarged."""
    example = Path(__file__).resolve().parents[1] / "examples" / "dog.jpg"
    with Image.open(example) as photo:
        picture = photo.convert("RGB").resize(SIZE, Image.Resampling.BILINEAR)
    if mode == "RGBA":
        picture.putalpha(255)
        picture.paste((90, 20, 30, 128), (1000, 1000, 3000, 3000))
    options = dict(options)
    if "exif" in options:
        exif = Image.Exif()
        exif[0x0112] = options["exif"]
        options["exif"] = exif
    picture.save(path, **options)


def measure(path: Path) -> tuple[int, float]:
    """Number of crops, and peak MiB, of one process that looks at a picture."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    crops, peak = done.stdout.split()
    return int(crops), int(peak) / 1024


def main() -> None:
    """Make, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.new("RGB", (64, 64), (90, 120, 60)).save(folder / "tiny.png")
        bare = measure(folder / "tiny.png")[1]
        print(f"| {SIZE[0]}x{SIZE[1]} | crops | beyond imports, MiB |\n| --- | --: | --: |")
        for kind in parser.parse_args().kinds:
            ending, mode, options = KINDS[kind]
            path = folder / f"large.{ending}"
            make(path, mode, options)
            crops, peak = measure(path)
            print(f"| {kind} | {crops} | {peak - bare:.0f} |", flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
