"""A 100-megapixel picture is decoded once and never copied whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Peak memory is that of a process of its own: in this one, other tests have left their mark.
_MEASURE = """
import json, re, sys
from pathlib import Path
from PIL import Image
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy

def peak():
    # Not ru_maxrss: that begins with the size of the process that started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

source, orientation = sys.argv[1:]
if source != "RGBA":
    photo = open_photo(source)
else:
    picture = Image.new("RGBA", (6000, 6000), (200, 100, 50, 128))
    picture.getexif()[0x0112] = int(orientation)
    photo = open_photo(picture)
decoded = peak()
kinds = {}
for mode in ("default", "native"):
    for crop in iter_crops(photo, SizePolicy(), mode):
        kinds[crop.view] = kinds.get(crop.view, 0) + 1
size = [photo.width, photo.height]
json.dump({"decoded": decoded, "after": peak(), "kinds": kinds, "size": size}, sys.stdout)
"""


def measure(*arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_100_megapixels(huge_png: Path) -> None:
    found = measure(str(huge_png), "1")
    assert found["size"] == [10_000, 10_000]
    # Pillow keeps RGB in four bytes a pixel: 381 MiB. Python, NumPy and Pillow take about 60 more.
    assert found["decoded"] < 381 + 130  # type: ignore[operator]
    assert found["after"] - found["decoded"] < 40  # type: ignore[operator]
    assert found["kinds"] == {"whole": 9, "native": 4 + 45 * 45}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_transparency_and_orientation_copy_nothing_whole() -> None:
    found = measure("RGBA", "6")
    # The picture itself is 137 MiB; premultiplying, turning or converting it whole would show.
    assert found["after"] - found["decoded"] < 70  # type: ignore[operator]
    assert found["kinds"] == {"whole": 18, "native": 8 + 2 * 27 * 27}
