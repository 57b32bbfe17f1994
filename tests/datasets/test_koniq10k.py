"""KonIQ-10k: two label files in which `MOS` means two things, pictures in two sizes."""

from pathlib import Path

import numpy as np
import pytest

from iqa_cli.datasets.koniq10k import read_koniq10k
from iqa_cli.datasets.record import ImageRecord
from tests.datasets import trees

PARTS = {"training": "train", "validation": "val", "test": "test"}


@pytest.mark.parametrize(("scores", "sets"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("folder", ["1024x768", "512x384"])
def test_every_field_of_every_record(tmp_path: Path, scores: bool, sets: bool, folder: str) -> None:
    database = read_koniq10k(trees.koniq10k(tmp_path, scores, sets, folder))
    assert (database.name, database.low, database.high) == ("koniq10k", 1, 100)
    assert database.higher_is_better
    # The votes of trees.py: 25 of 3, 73 of 4 and 7 of 5, or shares of 0.2, 0.7 and 0.1.
    votes = (25, 73, 7) if scores else (2, 7, 1)
    assert list(database.records) == [
        ImageRecord(
            path=tmp_path / folder / name,
            name=name,
            mos=pytest.approx((score - 1) / 99),
            raw=score,
            group=name,
            split=PARTS[part] if sets else None,
            deviation=pytest.approx(np.std(np.repeat([3, 4, 5], votes)) / 4),
        )
        for name, _, score, part in trees.KONIQ_ROWS
    ]
    database.check_pictures(database.records)


def test_of_two_sizes_the_larger_is_taken(tmp_path: Path) -> None:
    trees.koniq10k(tmp_path, folder="512x384")
    trees.koniq10k(tmp_path, folder="1024x768")
    assert {r.path.parent.name for r in read_koniq10k(tmp_path).records} == {"1024x768"}


def test_archives_unpacked_into_folders_of_their_own(tmp_path: Path) -> None:
    trees.koniq10k(tmp_path, sets=False, folder="koniq10k_512x384/512x384")
    inner = tmp_path / "koniq10k_scores_and_distributions"
    inner.mkdir()
    (tmp_path / f"{inner.name}.csv").rename(inner / f"{inner.name}.csv")
    database = read_koniq10k(tmp_path)
    database.check_pictures(database.records)


@pytest.mark.parametrize(
    ("file", "row", "message"),
    [
        (
            "scores_and_distributions",
            "1.jpg,0,0,0,0,0,1,3.5,1,100.5",
            "line 6: the score 100.5 lies outside of 1 to",
        ),
        ("scores_and_distributions", "1.jpg,0,0,0,0,0,1,3.5,1,nan", "line 6: 'nan' is no number"),
        ("scores_and_distributions", "1.jpg,0,0,0", "line 6: has 4 cells for 10 columns"),
        ("scores_and_distributions", "1.jpg,0,0,0,0,0,1,3.5,1,50", "line 6: '1.jpg' has no part in koniq10k"),
        ("scores_and_distributions", "10344921126.jpg,0,0,0,0,0,1,3.5,1,50", "is listed twice"),
        ("distributions_sets", "1.jpg,0,0,0,0,0,1,50,1,trainig", "line 6: there is no set 'trainig'"),
        ("distributions_sets", "10344921126.jpg,0,0,0,0,0,1,50,1,test", "'10344921126.jpg' is listed twice"),
    ],
)
def test_a_broken_row_is_one_clear_line(tmp_path: Path, file: str, row: str, message: str) -> None:
    with (trees.koniq10k(tmp_path) / f"koniq10k_{file}.csv").open("a") as stream:
        stream.write(f"{row}\r\n")
    assert message in trees.refusal(read_koniq10k, tmp_path).message


def test_the_mean_of_the_votes_is_not_taken_for_the_standardised_score(tmp_path: Path) -> None:
    path = trees.koniq10k(tmp_path, sets=False) / "koniq10k_scores_and_distributions.csv"
    path.write_text(path.read_text().replace("MOS_zscore", "other"))
    assert "lacks the column 'MOS_zscore'" in trees.refusal(read_koniq10k, tmp_path).message


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (trees.koniq10k(tmp_path) / "1024x768").rename(tmp_path / "elsewhere")
    failure = trees.refusal(read_koniq10k, tmp_path)
    assert "1024x768 or " in failure.message
    assert failure.hint is not None
    assert "koniq10k_distributions_sets.csv (official split)" in failure.hint
