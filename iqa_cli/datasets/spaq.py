"""SPAQ (Fang et al., 2020): 11,125 photographs by 66 smartphones, MOS 0 to 100."""

from __future__ import annotations

from pathlib import Path

from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.table import refuse_repeated
from iqa_cli.datasets.tree import Tree
from iqa_cli.datasets.workbook import read_sheet
from iqa_cli.text import one_line

FACTS = DatabaseFacts(
    name="spaq",
    title="SPAQ",
    images=11125,
    references=0,
    low=0.0,
    high=100.0,
    higher_is_better=True,
    split="random",
    citation="Y. Fang, H. Zhu, Y. Zeng, K. Ma and Z. Wang, Perceptual quality assessment of smartphone "
    "photography, IEEE Conference on Computer Vision and Pattern Recognition (CVPR), 2020",
    layout=("Annotations/MOS and Image attribute scores.xlsx", "TestImage/00001.jpg ..."),
    licence="see its page; free download, cite the paper",
    score="MOS, column MOS of the first sheet",
    page="SPAQ, repository h4nwei/SPAQ of its authors",
)

_WORKBOOK = "MOS and Image attribute scores.xlsx"


def read_spaq(root: Path) -> Database:
    """Read SPAQ under `root`.

    Raises:
        DatasetError: The workbook or `TestImage/` is missing or damaged, a row is broken, a picture is listed
            twice, or a score is outside of the declared range.
    """
    places = (f"Annotations/{_WORKBOOK}", _WORKBOOK)
    tree = Tree(root, FACTS, *places)
    path, folder = tree.need(*places), tree.need("TestImage")
    records = []
    for row in read_sheet(path, "Image name", "MOS"):
        name, mos = row.picture("Image name"), row.number("MOS")
        records.append(
            ImageRecord(
                path=tree.picture(folder, name),
                name=name,
                mos=FACTS.scaled(mos, row.place),
                raw=mos,
                group=name,
            )
        )
    refuse_repeated([record.name for record in records], one_line(path))
    return Database.of(FACTS, records)
