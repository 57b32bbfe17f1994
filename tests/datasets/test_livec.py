"""The LIVE Challenge: two MATLAB files, of which the first seven entries are training pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from iqa_cli.datasets.livec import read_livec
from iqa_cli.datasets.record import ImageRecord
from tests.datasets import trees


def test_every_field_of_every_record_and_no_training_picture(tmp_path: Path) -> None:
    database = read_livec(trees.livec(tmp_path))
    assert (database.name, database.low, database.high, database.higher_is_better) == ("livec", 0, 100, True)
    scores = {"10.JPG": 48.9366, "1024.bmp": 3.42, "3.bmp": 63.9634, "4.bmp": 25.3353}
    assert list(database.records) == [
        ImageRecord(
            path=tmp_path / "Images" / name,
            name=name,
            mos=pytest.approx(mos / 100),
            raw=mos,
            group=name,
            deviation=0.01,
        )
        for name, mos in scores.items()
    ]
    database.check_pictures(database.records)
    assert database.left_out == tuple(tmp_path / "Images/trainingImages" / f"t{k}.bmp" for k in range(1, 8))


def test_the_archive_unpacked_into_a_folder_of_its_own(tmp_path: Path) -> None:
    trees.livec(tmp_path / "ChallengeDB_release")
    assert len(read_livec(tmp_path).records) == 4
    trees.livec(tmp_path / "copy")
    failure = trees.refusal(read_livec, tmp_path)
    assert failure.message == f"'{tmp_path}' holds LIVE Challenge 2 times: ChallengeDB_release, copy"


@pytest.mark.parametrize(
    ("names", "mos", "message"),
    [
        (trees.LIVEC_NAMES, trees.LIVEC_MOS[:-1], "10 scores for 11 pictures"),
        (trees.LIVEC_NAMES[:7], trees.LIVEC_MOS[:7], "no scores but those of the 7 training pictures"),
        ((*trees.LIVEC_NAMES[:-1], "3.bmp"), trees.LIVEC_MOS, "'3.bmp' is listed twice"),
        (trees.LIVEC_NAMES, (*trees.LIVEC_MOS[:-1], 100.5), "entry 11: the score 100.5 lies outside of 0 to"),
        (trees.LIVEC_NAMES, (*trees.LIVEC_MOS[:-1], float("nan")), "entry 11: the score nan lies outside"),
    ],
)
def test_damaged_labels_are_one_clear_line(
    tmp_path: Path, names: Sequence[str], mos: Sequence[float], message: str
) -> None:
    assert message in trees.refusal(read_livec, trees.livec(tmp_path, names, mos)).message


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (trees.livec(tmp_path) / "Images").rename(tmp_path / "elsewhere")
    assert trees.refusal(read_livec, tmp_path).message.endswith("Images is missing")
    (tmp_path / "Data/AllImages_release.mat").unlink()
    assert trees.refusal(read_livec, tmp_path).message.endswith("Data/AllImages_release.mat is missing")


def test_deviations_are_for_all_pictures_or_refused_and_may_be_missing(tmp_path: Path) -> None:
    trees.livec(tmp_path)
    file = tmp_path / "Data/AllStdDev_release.mat"
    savemat(file, {"AllStdDev_release": np.ones((1, 10))})
    assert "10 deviations for 11 pictures" in trees.refusal(read_livec, tmp_path).message
    savemat(file, {"AllStdDev_release": np.array([[1.0] * 7 + [np.nan, 2.0, 3.0, 4.0]])})
    found = {record.name: record.deviation for record in read_livec(tmp_path).records}
    assert found == {"3.bmp": None, "4.bmp": 0.02, "10.JPG": 0.03, "1024.bmp": 0.04}
    file.unlink()
    assert {record.deviation for record in read_livec(tmp_path).records} == {None}
