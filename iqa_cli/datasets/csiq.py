"""CSIQ (Larson and Chandler, 2010): 866 distorted pictures of 30 references, DMOS 0 to 1, lower is better.

The workbook calls the types otherwise than the folders do, and the files write them in a mixture of letter
cases: "noise" is `awgn/1600.AWGN.1.png`, "jpeg 2000" (with a blank) is `jpeg2000/1600.jpeg2000.1.png`. The
table of the sheet `all_by_image` begins below and to the right of the corner, and the name of the picture
"1600" is a number there.
"""

from __future__ import annotations

from pathlib import Path

from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.table import refuse_repeated
from iqa_cli.datasets.tree import Tree
from iqa_cli.datasets.workbook import read_sheet
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line

FACTS = DatabaseFacts(
    name="csiq",
    title="CSIQ",
    images=866,
    references=30,
    low=0.0,
    high=1.0,
    higher_is_better=False,
    split="reference",
    citation="E. C. Larson and D. M. Chandler, Most apparent distortion: full-reference image quality "
    "assessment and the role of strategy, Journal of Electronic Imaging 19(1), 2010",
    layout=(
        "csiq.DMOS.xlsx",
        "dst_imgs/awgn/1600.AWGN.1.png ...",
        "dst_imgs/blur/, contrast/, fnoise/, jpeg/, jpeg2000/ likewise",
        "src_imgs/1600.png ...",
    ),
    licence="see its page; free download, cite the paper",
    score="DMOS, column dmos of the sheet all_by_image",
    page="CSIQ Image Quality Database, page of E. C. Larson",
)

# Type in the workbook, without blanks -> folder and part of the file's name.
_TYPES = {
    "noise": ("awgn", "AWGN"),
    "blur": ("blur", "BLUR"),
    "contrast": ("contrast", "contrast"),
    "fnoise": ("fnoise", "fnoise"),
    "jpeg": ("jpeg", "JPEG"),
    "jpeg2000": ("jpeg2000", "jpeg2000"),
}


def read_csiq(root: Path) -> Database:
    """Read CSIQ under `root`.

    Raises:
        DatasetError: The workbook or a folder of pictures is missing or damaged, a row is broken or names an
            unknown type, a picture is listed twice, or a score is outside of the declared range.
    """
    tree = Tree(root, FACTS, "csiq.DMOS.xlsx")
    path = tree.need("csiq.DMOS.xlsx")
    records = []
    for row in read_sheet(
        path, "image", "dst_type", "dst_lev", "dmos", sheet="all_by_image", optional=("dmos_std",)
    ):
        kind = row.cells["dst_type"].lower().replace(" ", "")
        if kind not in _TYPES:
            raise DatasetError(
                f"{row.place}: there is no type {one_line(kind)!r}", hint=f"types: {', '.join(_TYPES)}"
            )
        folder, label = _TYPES[kind]
        ref, level, dmos = row.picture("image"), row.whole("dst_lev"), row.number("dmos")
        file = f"{ref}.{label}.{level}.png"
        records.append(
            ImageRecord(
                path=tree.picture(tree.need(f"dst_imgs/{folder}"), file),
                name=f"{folder}/{file}",
                mos=FACTS.scaled(dmos, row.place),
                raw=dmos,
                group=f"{ref}.png",
                ref=f"{ref}.png",
                distortion=folder,
                level=level,
                deviation=FACTS.scaled_deviation(row.number_if_any("dmos_std"), row.place),
            )
        )
    refuse_repeated([record.name for record in records], one_line(path))
    return Database.of(FACTS, records)
