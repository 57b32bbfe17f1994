"""KonIQ-10k (Hosu et al., 2020): 10,073 photographs, MOS 1 to 100.

Its authors give two label files. In `koniq10k_scores_and_distributions.csv`, `MOS` is the mean of the
five-point votes (1 to 5) and `MOS_zscore` the mean after the votes of each worker were standardised (1 to
100). In `koniq10k_distributions_sets.csv`, which has the official split of 7,058, 1,000 and 2,015 pictures in
its column `set`, the column called `MOS` is the standardised one. The standardised score is read here, from
whichever file is there. The standard deviation is that of the votes, from their counts or shares in `c1` to
`c5`, on their own scale, beside which the standardised scores spread some tenth wider. The photographs exist
in two sizes; with both there, the larger ones are taken.
"""

from __future__ import annotations

from pathlib import Path

from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.table import Row, read_columns, refuse_repeated
from iqa_cli.datasets.tree import Tree
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line

FACTS = DatabaseFacts(
    name="koniq10k",
    title="KonIQ-10k",
    images=10073,
    references=0,
    low=1.0,
    high=100.0,
    higher_is_better=True,
    split="official",
    citation="V. Hosu, H. Lin, T. Sziranyi and D. Saupe, KonIQ-10k: an ecologically valid database for deep "
    "learning of blind image quality assessment, IEEE Transactions on Image Processing 29, 2020",
    layout=(
        "koniq10k_scores_and_distributions.csv or koniq10k_distributions_sets.csv (official split) or both",
        "1024x768/ or 512x384/",
    ),
    licence="see its page; the photographs come from YFCC100M, each under its own Creative "
    "Commons licence. Cite the paper",
    score="standardised MOS, column MOS_zscore (MOS in koniq10k_distributions_sets.csv)",
    page="KonIQ-10k IQA Database, Multimedia Signal Processing group, University of Konstanz",
)

_SCORES = "koniq10k_scores_and_distributions.csv"
_SETS = "koniq10k_distributions_sets.csv"
_VOTES = ("c1", "c2", "c3", "c4", "c5")
_SPLITS = {"training": "train", "validation": "val", "test": "test"}


def read_koniq10k(root: Path) -> Database:
    """Read KonIQ-10k under `root`; with the file of the official split, records carry their part.

    Raises:
        DatasetError: Labels or pictures are missing, a row is broken, a picture is listed twice or has no
            part in the official split, or a score is outside of the declared range.
    """
    # An archive is often unpacked into a folder that is called as the archive.
    tree = Tree(root, FACTS, *_places(_SCORES), *_places(_SETS))
    scores, sets = tree.find(*_places(_SCORES)), tree.find(*_places(_SETS))
    folder = tree.need(
        "1024x768", "koniq10k_1024x768/1024x768", "512x384", "koniq10k_512x384/512x384", "koniq10k_512x384"
    )
    parts = {} if sets is None else _official(sets)
    if scores is not None:
        path, column = scores, "MOS_zscore"
    else:
        path, column = tree.need(*_places(_SETS)), "MOS"
    records = []
    for row in read_columns(path, "image_name", column, optional=_VOTES):
        name, mos = row.picture("image_name"), row.number(column)
        scaled = FACTS.scaled(mos, row.place)
        if parts and name not in parts:
            raise DatasetError(f"{row.place}: {one_line(name)!r} has no part in {_SETS}")
        records.append(
            ImageRecord(
                path=tree.picture(folder, name),
                name=name,
                mos=scaled,
                raw=mos,
                group=name,
                split=parts.get(name),
                deviation=_deviation(row),
            )
        )
    refuse_repeated([record.name for record in records], one_line(path))
    return Database.of(FACTS, records)


def _deviation(row: Row) -> float | None:
    """Standard deviation of the votes, 1 to 5, as a share of their scale; None where they are not there."""
    votes = [row.number_if_any(column) for column in _VOTES]
    counts = [count for count in votes if count is not None]
    if len(counts) < len(_VOTES) or sum(counts) <= 0:
        return None
    if min(counts) < 0:
        raise DatasetError(f"{row.place}: a negative number of votes")
    mean = sum(vote * count for vote, count in enumerate(counts, 1)) / sum(counts)
    variance = sum(count * (vote - mean) ** 2 for vote, count in enumerate(counts, 1)) / sum(counts)
    return variance**0.5 / (len(_VOTES) - 1)


def _places(file: str) -> tuple[str, str]:
    return file, f"{file.removesuffix('.csv')}/{file}"


def _official(path: Path) -> dict[str, str]:
    """Picture -> part of the official split."""
    rows = read_columns(path, "image_name", "set")
    refuse_repeated([row.cells["image_name"] for row in rows], one_line(path))
    return {row.picture("image_name"): _part(row) for row in rows}


def _part(row: Row) -> str:
    part = row.cells["set"].lower()
    if part not in _SPLITS:
        raise DatasetError(
            f"{row.place}: there is no set {one_line(part)!r}", hint=f"sets: {', '.join(_SPLITS)}"
        )
    return _SPLITS[part]
