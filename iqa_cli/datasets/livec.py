"""LIVE In the Wild Image Quality Challenge (Ghadiyaram and Bovik, 2016): 1,162 photographs, MOS 0 to 100.

The label files name 1,169 pictures; the first seven are those with which the subjects were trained
(`Images/trainingImages/`), and are no part of the database.
"""

from __future__ import annotations

from pathlib import Path

from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.datasets.matfile import numbers, read_mat, texts
from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.table import refuse_repeated
from iqa_cli.datasets.tree import Tree
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line

FACTS = DatabaseFacts(
    name="livec",
    title="LIVE Challenge",
    images=1162,
    references=0,
    low=0.0,
    high=100.0,
    higher_is_better=True,
    split="random",
    citation="D. Ghadiyaram and A. C. Bovik, Massive online crowdsourced study of subjective and objective "
    "picture quality, IEEE Transactions on Image Processing 25(1), 2016",
    layout=("Data/AllImages_release.mat", "Data/AllMOS_release.mat", "Images/"),
    licence="free to use, copy, modify and distribute with its notice and an acknowledgement "
    "(The University of Texas at Austin)",
    score="MOS, variable AllMOS_release",
    page="LIVE In the Wild Image Quality Challenge Database, Laboratory for Image and Video Engineering",
)

_TRAINING = 7


def read_livec(root: Path) -> Database:
    """Read the LIVE Challenge database under `root` (the unpacked `ChallengeDB_release`).

    Raises:
        DatasetError: A file or folder is missing or damaged, names and scores are not as many, a picture is
            listed twice, or a score is outside of the declared range.
    """
    tree = Tree(root, FACTS, "Data/AllMOS_release.mat")
    path, names_path = tree.need("Data/AllMOS_release.mat"), tree.need("Data/AllImages_release.mat")
    images = tree.need("Images")
    mos = numbers(read_mat(path, "AllMOS_release")["AllMOS_release"], one_line(path))
    names = texts(read_mat(names_path, "AllImages_release")["AllImages_release"], one_line(names_path))
    if len(mos) != len(names):
        raise DatasetError(f"{one_line(path)}: {len(mos)} scores for {len(names)} pictures")
    if len(mos) <= _TRAINING:
        raise DatasetError(f"{one_line(path)}: no scores but those of the {_TRAINING} training pictures")
    deviations: list[float] = []
    deviations_path = tree.find("Data/AllStdDev_release.mat")
    if deviations_path is not None:
        values = read_mat(deviations_path, "AllStdDev_release")["AllStdDev_release"]
        deviations = numbers(values, one_line(deviations_path))
        if len(deviations) != len(names):
            raise DatasetError(
                f"{one_line(deviations_path)}: {len(deviations)} deviations for {len(names)} pictures"
            )
    refuse_repeated(names, one_line(names_path))
    training = tree.find("Images/trainingImages") or images
    left_out = [tree.picture(training, name) for name in names[:_TRAINING]]
    records = [
        ImageRecord(
            path=tree.picture(images, names[entry]),
            name=names[entry],
            mos=FACTS.scaled(mos[entry], f"{one_line(path)}, entry {entry + 1}"),
            raw=mos[entry],
            group=names[entry],
            deviation=FACTS.scaled_deviation(
                deviations[entry] if deviations else None, f"AllStdDev_release.mat, entry {entry + 1}"
            ),
        )
        for entry in range(_TRAINING, len(names))
    ]
    return Database.of(FACTS, records, left_out)
