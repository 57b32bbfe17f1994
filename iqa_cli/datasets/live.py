"""LIVE, release 2 (Sheikh et al., 2006): 779 distorted pictures of 29 references, DMOS, lower is better.

The label files are three vectors of 982 entries, which go through the folders jp2k, jpeg, wn, gblur and
fastfading in this order; entry k of a folder is `img<k>.bmp`, counted from 1. 203 of the entries are
undistorted copies of references with a DMOS of zero, marked in `orgs`: they are no labelled pictures, and
are left out as everywhere in the field. The DMOS is the realigned one (`dmos_new`), whose sessions were put
on one scale; it exceeds the nominal 0 to 100 on both sides, from -2.64 (jpeg/img57) to 111.77 (wn/img20).
The declared range is therefore our own: -3 to 112, so that no score is clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.datasets.matfile import numbers, read_mat, texts
from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.tree import Tree
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line

FACTS = DatabaseFacts(
    name="live",
    title="LIVE",
    images=779,
    references=29,
    low=-3.0,
    high=112.0,
    higher_is_better=False,
    split="reference",
    citation="H. R. Sheikh, M. F. Sabir and A. C. Bovik, A statistical evaluation of recent full reference "
    "image quality assessment algorithms, IEEE Transactions on Image Processing 15(11), 2006",
    layout=(
        "dmos_realigned.mat",
        "refnames_all.mat",
        "jp2k/img1.bmp ... img227.bmp",
        "jpeg/, wn/, gblur/, fastfading/ likewise",
        "refimgs/",
    ),
    licence="free to use, copy, modify and distribute with its notice and an acknowledgement "
    "(The University of Texas at Austin)",
    score="realigned DMOS, variable dmos_new; nominally 0 to 100, in the file -2.64 to 111.77",
    page="LIVE Image Quality Assessment Database Release 2, Laboratory for Image and Video Engineering",
)

_FOLDERS = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}


def read_live(root: Path) -> Database:
    """Read LIVE under `root`.

    Raises:
        DatasetError: A file or folder is missing or damaged, the vectors have not 982 entries, or a score is
            outside of the declared range.
    """
    tree = Tree(root, FACTS, "dmos_realigned.mat")
    path = tree.need("dmos_realigned.mat")
    names_path = tree.need("refnames_all.mat")
    scores = read_mat(path, "dmos_new", "orgs")
    dmos = numbers(scores["dmos_new"], f"{one_line(path)}, dmos_new")
    is_reference = numbers(scores["orgs"], f"{one_line(path)}, orgs")
    references = texts(
        read_mat(names_path, "refnames_all")["refnames_all"], f"{one_line(names_path)}, refnames_all"
    )
    pictures = [(folder, k) for folder, count in _FOLDERS.items() for k in range(1, count + 1)]
    deviations: Sequence[float | None] = [None] * len(pictures)
    if "dmos_std" in scores:
        deviations = numbers(scores["dmos_std"], f"{one_line(path)}, dmos_std")
    lengths = {"dmos_new": len(dmos), "orgs": len(is_reference), "refnames_all": len(references)}
    for name, length in {**lengths, "dmos_std": len(deviations)}.items():
        if length != len(pictures):
            raise DatasetError(
                f"LIVE under '{one_line(root)}': {name} has {length} entries, not {len(pictures)}"
            )
    records, left_out = [], []
    folders = {folder: tree.need(folder) for folder in _FOLDERS}
    for entry, (folder, k) in enumerate(pictures):
        place = tree.picture(folders[folder], f"img{k}.bmp")
        if is_reference[entry]:
            left_out.append(place)
            continue
        records.append(
            ImageRecord(
                path=place,
                name=f"{folder}/img{k}.bmp",
                mos=FACTS.scaled(dmos[entry], f"{one_line(path)}, dmos_new, entry {entry + 1}"),
                raw=dmos[entry],
                group=references[entry],
                ref=references[entry],
                distortion=folder,
                deviation=FACTS.scaled_deviation(
                    deviations[entry], f"{one_line(path)}, dmos_std, entry {entry + 1}"
                ),
            )
        )
    return Database.of(FACTS, records, left_out)
