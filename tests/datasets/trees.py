"""Miniature databases in their official layouts: the label files in their real formats, with the quirks of
the real ones, and small pictures that can be decoded.

Each function writes one tree into a folder that it makes and returns that folder; `BUILDERS` names them all.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from PIL import Image
from scipy.io import savemat

from iqa_cli.errors import DatasetError

#: Entries of LIVE's vectors for each folder, and how many of them are undistorted copies of references.
LIVE_FOLDERS = {
    "jp2k": (227, 58),
    "jpeg": (233, 58),
    "wn": (174, 29),
    "gblur": (174, 29),
    "fastfading": (174, 29),
}
LIVE_REFERENCES = tuple(f"ref{number:02d}.bmp" for number in range(29))

#: Rows of CSIQ's sheet: image (a number where the name is one), index and name of the type, level, DMOS.
CSIQ_ROWS: tuple[tuple[Any, ...], ...] = (
    (1600, 1, "noise", 1, 0.061),
    (1600, 1, "noise", 5, 0.622),
    ("trolley", 2, "jpeg", 2, 0.25),
    ("trolley", 3, "jpeg 2000", 3, 0.5),
    ("boston", 4, "fnoise", 4, 1),
    ("boston", 5, "blur", 1, 0),
    ("family", 6, "contrast", 2, 0.125),
)
CSIQ_FILES = (
    "awgn/1600.AWGN.1.png",
    "awgn/1600.AWGN.5.png",
    "jpeg/trolley.JPEG.2.png",
    "jpeg2000/trolley.jpeg2000.3.png",
    "fnoise/boston.fnoise.4.png",
    "blur/boston.BLUR.1.png",
    "contrast/family.contrast.2.png",
)

#: LIVE Challenge: seven training pictures, then the database, whose endings differ.
LIVEC_NAMES = (*(f"t{number}.bmp" for number in range(1, 8)), "3.bmp", "4.bmp", "10.JPG", "1024.bmp")
LIVEC_MOS = (55.0, 54.0, 53.0, 52.0, 51.0, 50.0, 49.0, 63.9634, 25.3353, 48.9366, 3.42)

#: Standardised MOS and official set of KonIQ-10k, and the mean of the votes, which nobody should take for it.
KONIQ_ROWS = (
    ("10004473376.jpg", 3.82857142857143, 77.3836206897, "training"),
    ("10007357496.jpg", 3.47916666666667, 68.7285714286, "test"),
    ("10043785683.jpg", 3.56603773584906, 71.2043269231, "validation"),
    ("10344921126.jpg", 1.14678899082569, 4.46638655462, "training"),
)
FLIVE_ROWS = (
    ("blur_dataset/motion0091.jpg", 0.0),
    ("voc_emotic_ava/AVA__102506.jpg", 76.04488773522753),
    ("voc_emotic_ava/EMOTIC__gys98nlu9hsyek632k.jpg", 67.89658875570593),
    ("EE371R/rq59.jpg", 50.0),
)


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (12, 8)) -> Path:
    """A small picture of noise, in the format that the ending of its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def cells(values: Iterable[str], standing: bool = False) -> np.ndarray:
    """Texts as MATLAB keeps them: a cell array, lying or standing."""
    array = np.array(list(values), dtype=object)
    return array.reshape(-1, 1) if standing else array.reshape(1, -1)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """A CSV file with Windows line ends, as those of the databases have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def live_vectors() -> tuple[list[float], list[int], list[str]]:
    """DMOS, mark of references and reference of the 982 entries. The first entry of jp2k is a reference, as
    in the real files; the extremes of the real DMOS are at jpeg/img57 and wn/img20."""
    dmos, marks, names = [], [], []
    for folder, (count, references) in LIVE_FOLDERS.items():
        for k in range(1, count + 1):
            is_reference = (
                k == 1 or k > count - references + 1 if folder == "jp2k" else k > count - references
            )
            extreme = {("jpeg", 57): -2.640015016409613, ("wn", 20): 111.7746935263145}.get((folder, k))
            marks.append(int(is_reference))
            names.append(LIVE_REFERENCES[(k * 7 + len(folder)) % 29])
            dmos.append(0.0 if is_reference else (10 + len(dmos) / 11 if extreme is None else extreme))
    return dmos, marks, names


def live(root: Path) -> Path:
    """LIVE, release 2; one folder and one picture in another letter case than usual."""
    dmos, marks, names = live_vectors()
    root.mkdir(parents=True, exist_ok=True)
    savemat(
        root / "dmos_realigned.mat",
        {"dmos_new": np.array([dmos]), "dmos_std": np.ones((1, 982)), "orgs": np.array([marks], np.uint8)},
    )
    savemat(root / "refnames_all.mat", {"refnames_all": cells(names)})
    content = picture(root / "refimgs" / LIVE_REFERENCES[0]).read_bytes()
    for name in LIVE_REFERENCES:
        (root / "refimgs" / name).write_bytes(content)
    for folder, (count, _) in LIVE_FOLDERS.items():
        there = root / ("FastFading" if folder == "fastfading" else folder)
        there.mkdir()
        for k in range(1, count + 1):
            name = "IMG2.BMP" if (folder, k) == ("wn", 2) else f"img{k}.bmp"
            (there / name).write_bytes(content)
        (there / "info.txt").write_text(f"{LIVE_REFERENCES[0]} img1.bmp 0.5\n")
    return root


def csiq(root: Path, rows: Iterable[Sequence[object]] = CSIQ_ROWS) -> Path:
    """CSIQ; the table of the sheet begins in D4, behind another sheet."""
    root.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    book.active.title = "all_by_distortion"
    book.active["A1"] = "image"
    sheet = book.create_sheet("all_by_image")
    sheet["D2"] = "CSIQ, all images"
    for column, name in enumerate(("image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"), 4):
        sheet.cell(4, column, name)
    for number, (image, index, kind, level, dmos) in enumerate(rows, 5):
        for column, value in enumerate((image, index, kind, level, 0.05, dmos), 4):
            sheet.cell(number, column, value)
    book.save(root / "csiq.DMOS.xlsx")
    for seed, name in enumerate(CSIQ_FILES):
        picture(root / "dst_imgs" / name, seed)
        picture(root / "src_imgs" / f"{name.split('/')[1].split('.')[0]}.png", seed)
    return root


def tid2013(root: Path) -> Path:
    """TID2013: two references, all types, levels 1 and 5; label file, folder and references each have their
    own letter case."""
    lines = []
    for ref in (1, 25):
        picture(root / "reference_images" / ("I01.BMP" if ref == 1 else "i25.bmp"), ref)
        for kind in range(1, 25):
            for level in (1, 5):
                name = f"i{ref:02d}_{kind:02d}_{level}.bmp"
                lines.append(f"{7 - level - kind / 25:.5f} {name.replace('i', 'I') if ref == 1 else name}")
                on_disk = name.upper() if (ref, kind) == (25, 3) else name
                picture(root / "distorted_images" / on_disk, kind)
    (root / "mos_with_names.txt").write_text("\r\n".join(lines) + "\r\n")
    return root


def kadid10k(root: Path, references: int = 2, size: tuple[int, int] = (12, 8)) -> Path:
    """KADID-10k: all types at levels 1 and 5 of some references, which lie in the same folder."""
    rows = []
    for ref in range(1, references + 1):
        picture(root / "images" / f"I{ref:02d}.png", ref, size)
        for kind in range(1, 26):
            for level in (1, 5):
                name = f"I{ref:02d}_{kind:02d}_{level:02d}.png"
                rows.append((name, f"I{ref:02d}.png", round(5.1 - level * 0.8 - kind / 250, 3), 0.4))
                picture(root / "images" / name, kind + level, size)
    write_csv(root / "dmos.csv", ("dist_img", "ref_img", "dmos", "var"), rows)
    return root


def livec(root: Path, names: Sequence[str] = LIVEC_NAMES, mos: Sequence[float] = LIVEC_MOS) -> Path:
    """The LIVE Challenge: names standing, scores lying, the training pictures in a folder of their own."""
    (root / "Data").mkdir(parents=True)
    savemat(root / "Data/AllImages_release.mat", {"AllImages_release": cells(names, standing=True)})
    savemat(root / "Data/AllMOS_release.mat", {"AllMOS_release": np.array([mos])})
    savemat(root / "Data/AllStdDev_release.mat", {"AllStdDev_release": np.ones((1, len(mos)))})
    for seed, name in enumerate(names):
        picture(root / "Images" / ("trainingImages" if seed < 7 else ".") / name, seed)
    return root


def koniq10k(root: Path, scores: bool = True, sets: bool = True, folder: str = "1024x768") -> Path:
    """KonIQ-10k with its first label file, that of the official split, or both."""
    votes = ("c1", "c2", "c3", "c4", "c5", "c_total")
    if scores:
        write_csv(
            root / "koniq10k_scores_and_distributions.csv",
            ("image_name", *votes, "MOS", "SD", "MOS_zscore"),
            [(name, 0, 0, 25, 73, 7, 105, mean, 0.5, score) for name, mean, score, _ in KONIQ_ROWS],
        )
    if sets:
        write_csv(
            root / "koniq10k_distributions_sets.csv",
            ("image_name", *votes, "MOS", "SD", "set"),
            [(name, 0.0, 0.0, 0.2, 0.7, 0.1, 105, score, 0.5, part) for name, _, score, part in KONIQ_ROWS],
        )
    for seed, row in enumerate(KONIQ_ROWS):
        picture(root / folder / row[0], seed)
    return root


def spaq(root: Path) -> Path:
    """SPAQ: a workbook of one sheet, pictures with leading zeros in their names."""
    (root / "Annotations").mkdir(parents=True)
    book = openpyxl.Workbook()
    attributes = ("Brightness", "Colorfulness", "Contrast", "Noisiness", "Sharpness")
    book.active.append(("Image name", "MOS", *attributes))
    for seed, (name, mos) in enumerate((("00001.jpg", 30.25), ("00002.jpg", 100), ("11125.jpg", 0))):
        book.active.append((name, mos, 50, 50, 50, 50, 50.5))
        picture(root / "TestImage" / name, seed)
    book.save(root / "Annotations/MOS and Image attribute scores.xlsx")
    return root


def flive(root: Path, test: bool = True, valid: bool = True) -> Path:
    """LIVE-FB: pictures in folders by collection, the official split in two more files."""
    write_csv(root / "labels_image.csv", ("name", "mos"), FLIVE_ROWS)
    if test:
        write_csv(
            root / "labels640.csv", ("mos_patch_1", "mos_image", "name_image"), [(60, 67.9, FLIVE_ROWS[2][0])]
        )
    if valid:
        rows = [(FLIVE_ROWS[0][0], True), (FLIVE_ROWS[1][0], False), (FLIVE_ROWS[3][0], False)]
        write_csv(root / "labels=640_padded.csv", ("name_image", "is_valid"), rows)
    for seed, (name, _) in enumerate(FLIVE_ROWS):
        picture(root / "database" / name, seed)
    return root


def biq2021(root: Path) -> Path:
    """BIQ2021 with its official split into two label files."""
    for part, rows in (
        ("Train", [("ss01 (1).jpg", 0.5), ("ss03 (2).jpg", 0.75)]),
        ("Test", [("ss02 (9).jpg", 0.25)]),
    ):
        write_csv(root / f"{part} (Images and MOS).csv", ("Images", "MOS"), rows)
        for seed, (name, _) in enumerate(rows):
            picture(root / "Images" / name, seed)
    return root


def refusal(read: Callable[[Path], object], root: Path) -> DatasetError:
    """The DatasetError with which a reader refuses a tree: message and hint are each one line."""
    with pytest.raises(DatasetError) as caught:
        read(root)
    for line in (caught.value.message, caught.value.hint or ""):
        assert line.isprintable(), line
    return caught.value


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "live": live,
    "csiq": csiq,
    "tid2013": tid2013,
    "kadid10k": kadid10k,
    "livec": livec,
    "koniq10k": koniq10k,
    "spaq": spaq,
    "flive": flive,
    "biq2021": biq2021,
}
