"""A folder as a photographer has it, made again from its seed: 500 mixed pictures to follow the commands on.

python -m benchmarks.mixed_folder OUT --root ../shared/data/biq2021 --pristine ../shared/data/pristine \
    [--number 500] [--seed 0] [--packages FOLDER]

All photographs of the part val of the pristine ones, the wallpapers of Debian's packages, and of the part
val of BIQ2021 as many as are missing to the number. The packages are fetched by `apt-get download` into
FOLDER (OUT-packages, if it is not named) and unpacked by `dpkg-deb -x`; those that lie there are taken as
they are. The same packages and seed give the same files.

Names have spaces, umlauts, signs of HTML and of the shell; there are subfolders; scenes of BIQ2021 get an
EXIF of one camera, a second from shot to shot, others some minutes; some photographs are stored turned, with
the EXIF orientation that turns them back. Beside the number lies what such folders hold, too: a file cut
short, an empty one, a text. OUT.csv says of each picture what it was. Made up are these EXIF and the turning
alone, and no pixel is encoded anew but those of turned pictures.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from iqa_cli.datasets.pristine import read_pristine

PACKAGES = (
    "plasma-workspace-wallpapers",
    "gnome-backgrounds",
    "mate-backgrounds",
    "ukui-wallpapers",
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
)
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_FIRST = datetime(2025, 6, 13, 9, 30)
#: One in so many photographs is stored turned.
_TURNED = 8
#: EXIF orientation -> what was done to the pixels, so that a viewer undoes it.
_TURNS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
_ORIENTATION, _MAKER, _CAMERA, _TIME, _EXIF, _TAKEN = 0x112, 0x10F, 0x110, 0x132, 0x8769, 0x9003
#: Maker, model, and names of the files: of a camera, and of a phone, which has every fifth scene.
_CAMERAS = (
    ("Made up", "M1", "Grüße vom See/DSC_{:04}.JPG"),
    ("Made up", "P7", "Phone & co/IMG_{:%Y%m%d_%H%M%S}.jpg"),
)
_ODD = (
    "me <3 you.jpg",
    "50% off #1.jpg",
    "it's 'quoted'.jpg",
    "a  b (copy).jpg",
    "Été à la mer.jpeg",
    "-dash.jpg",
)


def wallpapers(packages: Path) -> list[Path]:
    """The pictures of the packages, sorted; fetches and unpacks what is not there."""
    packages.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        if not any(packages.glob(f"{name}_*.deb")):
            subprocess.run(["apt-get", "download", "-qq", name], cwd=packages, check=True)
        if not (packages / name).exists():
            whole = next(packages.glob(f"{name}_*.deb"))
            subprocess.run(["dpkg-deb", "-x", str(whole), str(packages / name)], check=True)
    found = [path for name in PACKAGES for path in (packages / name).rglob("*") if not path.is_symlink()]
    return sorted(path for path in found if path.suffix.lower() in _ENDINGS and path.is_file())


def shot(original: Path, camera: tuple[str, str, str], taken: datetime, orientation: int) -> bytes:
    """A JPEG with an EXIF; its pixels are encoded anew where they are turned."""
    exif = Image.Exif()
    exif[_MAKER], exif[_CAMERA] = camera[:2]
    exif[_TIME] = f"{taken:%Y:%m:%d %H:%M:%S}"
    exif.get_ifd(_EXIF)[_TAKEN] = exif[_TIME]
    exif[_ORIENTATION] = orientation
    if orientation == 1:
        segment, data = exif.tobytes(), original.read_bytes()
        return data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]
    turned = io.BytesIO()
    with Image.open(original) as picture:
        picture.transpose(_TURNS[orientation]).save(turned, "JPEG", quality=95, subsampling=0, exif=exif)
    return turned.getvalue()


def photographs(root: Path, number: int, draw: np.random.Generator) -> list[tuple[Path, str]]:
    """Photographs of the part val of BIQ2021, whole scenes first, then drawn ones: path and scene."""
    with (root / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    scenes: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        scenes[row["group"]].append(row["image"])
    several = [names for names in scenes.values() if len(names) > 1]
    burst = [name for names in several for name in names][: number // 3]
    others = [row["image"] for row in rows if row["image"] not in set(burst)]
    drawn = [others[i] for i in sorted(draw.permutation(len(others))[: number - len(burst)])]
    of = {row["image"]: row["group"] for row in rows}
    return [(root / "images" / name, of[name]) for name in burst + drawn]


def main() -> None:
    """Make the folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--pristine", type=Path, required=True)
    parser.add_argument("--number", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--packages", type=Path)
    given = parser.parse_args()
    if given.out.exists():
        parser.error(f"{given.out} is there already")
    draw = np.random.default_rng(given.seed)
    packages = given.packages or given.out.with_name(f"{given.out.name}-packages")
    walls, sound = wallpapers(packages), read_pristine(given.pristine, "val")
    missing = given.number - len(walls) - len(sound)
    if missing < 0:
        parser.error(f"--number: {len(walls)} wallpapers and {len(sound)} pristine photographs are more")
    origin: dict[str, Path] = {}

    def put(name: str, data: bytes, original: Path) -> None:
        place = given.out / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            file.write(data)
        origin[name] = original

    taken, before = _FIRST, ""
    for number, (path, scene) in enumerate(photographs(given.root, missing, draw)):
        taken += timedelta(seconds=1 if scene == before else int(draw.integers(60, 3000)))
        before = scene
        camera = _CAMERAS[int(scene) % 5 == 0]
        orientation = int(draw.choice(list(_TURNS))) if draw.integers(_TURNED) == 0 else 1
        name = camera[2].format(taken) if "%" in camera[2] else camera[2].format(number + 1)
        put(name, shot(path, camera, taken, orientation), path)
    for number, path in enumerate(sound):
        put(_ODD[number] if number < len(_ODD) else f"best of 2024/{path.name}", path.read_bytes(), path)
    for path in walls:
        put("Wallpapers/" + "/".join(path.relative_to(packages).parts[4:]), path.read_bytes(), path)
    cut = next(iter(origin))
    (given.out / "Phone & co" / "cut short.jpg").write_bytes((given.out / cut).read_bytes()[:9000])
    (given.out / "empty.jpg").touch()
    (given.out / "notes.txt").write_text("lens to be cleaned\n", encoding="utf-8")
    with given.out.with_name(f"{given.out.name}.csv").open("x", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "original"), *sorted(origin.items())])
    print(f"{len(origin)} pictures: {missing} of BIQ2021, {len(sound)} pristine, {len(walls)} wallpapers")


if __name__ == "__main__":
    main()
