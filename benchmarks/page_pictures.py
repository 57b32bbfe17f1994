"""The pictures of docs/report.md and docs/map.md: the page of `examples/`, its large view, and a map.

python -m benchmarks.page_pictures OUT

Run in the folder of the checkout. `iqa report` and `iqa map` are run as users run them; the page is drawn by
Chromium, on a desktop in light and on a phone in dark. Into OUT go report.jpg, report-map.jpg and map.jpg, in
half the size of a screen or so; `iqa map` prints its figures on stderr. Needs `chromium`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.report.browser import CHROMIUM, Tab, chromium

#: Pixels of the two screens, and of the finished pictures.
_DESKTOP, _PHONE, _HEIGHT, _WIDTH, _GAP = 1280, 390, 940, 1240, 24


def run(folder: Path, *words: str) -> None:
    """Run `iqa` in a folder."""
    subprocess.run([sys.executable, "-m", "iqa_cli", *words], cwd=folder, check=True)


def seen(tab: Tab, width: int, place: Path) -> Image.Image:
    """What is in sight on a screen that is higher than that of the tests, once its pictures are decoded."""
    screen = {"width": width, "height": _HEIGHT, "deviceScaleFactor": 1, "mobile": width < 600}
    tab.call("Emulation.setDeviceMetricsOverride", **screen)
    time.sleep(1)
    tab.screenshot(place, whole=False)
    return Image.open(place).convert("RGB")


def side_by_side(pictures: list[Image.Image], colour: str) -> Image.Image:
    """Pictures in a row, their upper edges in line."""
    width = sum(picture.width for picture in pictures) + _GAP * (len(pictures) - 1)
    whole = Image.new("RGB", (width, max(picture.height for picture in pictures)), colour)
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width + _GAP
    return whole


def save(picture: Image.Image, place: Path) -> None:
    """Write a JPEG, not wider than a page."""
    scale = min(1.0, _WIDTH / picture.width)
    small = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    small.save(place, quality=85)


def main() -> None:
    """Make the three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    if CHROMIUM is None:
        raise SystemExit("needs chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = folder / "examples.html"
        shutil.copytree("examples", folder / "examples")
        run(folder, "report", "examples", "-o", "examples.html", "--maps", "3")
        with chromium(folder / "profile") as tab:
            tab.open(page, _DESKTOP)
            desktop = seen(tab, _DESKTOP, folder / "desktop.png")
            tab.evaluate("document.querySelectorAll('#shown button, #shown a')[2].click(), 0")
            tab.evaluate("document.getElementById('toggle').click(), 0")
            large = seen(tab, _DESKTOP, folder / "large.png")
            tab.open(page, _PHONE, dark=True)
            tab.evaluate("document.getElementById('pictures').scrollIntoView(), 0")
            phone = seen(tab, _PHONE, folder / "phone.png")
        save(side_by_side([desktop, phone], "grey"), given.out / "report.jpg")
        save(large, given.out / "report-map.jpg")
        sound, shaken = (Image.open(f"examples/{name}.jpg") for name in ("college", "college-shake"))
        half = (sound.width // 2, 0, sound.width, sound.height)
        sound.paste(shaken.crop(half), half)
        sound.save(folder / "half.png")
        run(folder, "map", "half.png", "-o", "map.png")
        over = Image.open(folder / "map.png").convert("RGB")
        save(side_by_side([sound, over], "white"), given.out / "map.jpg")


if __name__ == "__main__":
    main()
