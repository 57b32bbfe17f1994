"""LIVE-FB, also FLIVE or PaQ-2-PiQ (Ying et al., 2020): 39,810 photographs, MOS 0 to 100.

`labels_image.csv` names each picture with the collection it comes from (`voc_emotic_ava/AVA__102506.jpg`).
The official split is in two more files of its authors: the pictures of `labels640.csv` (`labels>640.csv`), of
which a side is longer than 640 pixels, are the test part; in `labels=640_padded.csv`
(`labels<=640_padded.csv`), `is_valid` says which of the others are for validation. A column `is_valid` or
`is_test` in `labels_image.csv` itself is taken too.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.table import Row, read_columns, refuse_repeated
from iqa_cli.datasets.tree import Tree
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line

FACTS = DatabaseFacts(
    name="flive",
    title="LIVE-FB",
    images=39810,
    references=0,
    low=0.0,
    high=100.0,
    higher_is_better=True,
    split="official",
    citation="Z. Ying, H. Niu, P. Gupta, D. Mahajan, D. Ghadiyaram and A. Bovik, From patches to pictures "
    "(PaQ-2-PiQ): mapping the perceptual space of picture quality, IEEE Conference on Computer Vision and "
    "Pattern Recognition (CVPR), 2020",
    layout=(
        "labels_image.csv",
        "database/voc_emotic_ava/, database/blur_dataset/, ...",
        "for the official split labels640.csv and labels=640_padded.csv",
    ),
    licence="CC BY-NC-SA 4.0 as its repository; the photographs under the terms of the collections they come "
    "from",
    score="MOS, column mos of labels_image.csv",
    page="PaQ-2-PiQ, repositories baidut/PaQ-2-PiQ and niu-haoran/FLIVE_Database of its authors",
)

_LABELS = ("labels_image.csv", "database/labels_image.csv")
_TEST = ("labels640.csv", "labels>640.csv")
_VALID = ("labels=640_padded.csv", "labels<=640_padded.csv")


def read_flive(root: Path) -> Database:
    """Read LIVE-FB under `root`; with the files of the official split, records carry their part.

    Raises:
        DatasetError: The label file is missing, a row is broken, a picture is listed twice, or a score is
            outside of the declared range.
    """
    tree = Tree(root, FACTS, *_LABELS)
    path = tree.need(*_LABELS)
    images = tree.find("database") or tree.base
    parts, others = _official(tree)
    records = []
    for row in read_columns(path, "name", "mos", optional=("is_valid", "is_test")):
        name, mos = row.picture("name"), row.number("mos")
        within = PurePosixPath(name)
        records.append(
            ImageRecord(
                path=tree.picture(images / within.parent, within.name),
                name=name,
                mos=FACTS.scaled(mos, row.place),
                raw=mos,
                group=name,
                split=_own_part(row) or parts.get(name, others),
                subset=str(within.parent) if len(within.parts) > 1 else None,
            )
        )
    refuse_repeated([record.name for record in records], one_line(path))
    return Database.of(FACTS, records)


def _official(tree: Tree) -> tuple[dict[str, str], str | None]:
    """Picture -> part, and the part of all other pictures, from the files of the official split.

    One of the two is enough for the test part: it is what the other one does not name.
    """
    parts = {}
    valid = tree.find(*_VALID, *(f"database/{name}" for name in _VALID))
    if valid is not None:
        rows = read_columns(valid, "name_image", "is_valid")
        refuse_repeated([row.cells["name_image"] for row in rows], one_line(valid))
        for row in rows:
            parts[row.picture("name_image")] = "val" if _truth(row, "is_valid") else "train"
    test = tree.find(*_TEST, *(f"database/{name}" for name in _TEST))
    if test is not None:
        parts |= {row.picture("name_image"): "test" for row in read_columns(test, "name_image")}
    others = {(True, False): "test", (False, True): "train"}.get((valid is not None, test is not None))
    return parts, others


def _own_part(row: Row) -> str | None:
    if row.cells.get("is_test") and _truth(row, "is_test"):
        return "test"
    if row.cells.get("is_valid"):
        return "val" if _truth(row, "is_valid") else "train"
    return "train" if row.cells.get("is_test") else None


def _truth(row: Row, column: str) -> bool:
    text = row.cells[column].lower()
    if text not in ("true", "false", "1", "0"):
        raise DatasetError(f"{row.place}: {one_line(text)!r} in {column} is neither True nor False")
    return text in ("true", "1")
