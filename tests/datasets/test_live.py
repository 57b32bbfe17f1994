"""LIVE: three vectors over five folders, references among the pictures, scores outside of 0 to 100."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from iqa_cli.datasets.live import read_live
from iqa_cli.datasets.record import ImageRecord
from tests.datasets import trees

FIRST_ENTRY = {"jp2k": 0, "jpeg": 227, "wn": 460, "gblur": 634, "fastfading": 808}
LABELLED = {"jp2k": 169, "jpeg": 175, "wn": 145, "gblur": 145, "fastfading": 145}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.live(tmp_path_factory.mktemp("live"))


def test_every_field_of_every_record(tree: Path) -> None:
    dmos, marks, names = trees.live_vectors()
    database = read_live(tree)
    assert (database.name, database.low, database.high, database.higher_is_better) == ("live", -3, 112, False)
    expected = []
    for folder, first in FIRST_ENTRY.items():
        on_disk = "FastFading" if folder == "fastfading" else folder
        for k in range(1, trees.LIVE_FOLDERS[folder][0] + 1):
            entry = first + k - 1
            if marks[entry]:
                continue
            file = "IMG2.BMP" if (folder, k) == ("wn", 2) else f"img{k}.bmp"
            expected.append(
                ImageRecord(
                    path=tree / on_disk / file,
                    name=f"{folder}/img{k}.bmp",
                    mos=pytest.approx((112 - dmos[entry]) / 115),
                    raw=dmos[entry],
                    group=names[entry],
                    ref=names[entry],
                    distortion=folder,
                    deviation=pytest.approx(1 / 115),
                )
            )
    assert list(database.records) == sorted(expected, key=lambda record: record.name)


def test_references_among_the_pictures_are_left_out_by_their_mark(tree: Path) -> None:
    database = read_live(tree)
    counts = {folder: sum(r.distortion == folder for r in database.records) for folder in LABELLED}
    assert counts == LABELLED
    assert len(database.records) == 779
    assert len(database.left_out) == 203
    # The first picture of jp2k is a reference with a DMOS of zero, which would be the best of all.
    assert tree / "jp2k" / "img1.bmp" in database.left_out
    assert {r.group for r in database.records} == set(trees.LIVE_REFERENCES)


def test_the_extremes_of_the_realigned_scores_fit_and_keep_their_order(tree: Path) -> None:
    records = {r.name: r for r in read_live(tree).records}
    assert records["jpeg/img57.bmp"].raw == pytest.approx(-2.640015)
    assert records["wn/img20.bmp"].raw == pytest.approx(111.774694)
    assert records["jpeg/img57.bmp"].mos == max(r.mos for r in records.values()) < 1
    assert records["wn/img20.bmp"].mos == min(r.mos for r in records.values()) > 0


def test_the_pictures_can_be_decoded(tree: Path) -> None:
    for record in read_live(tree).records[::97]:
        with Image.open(record.path) as picture:
            assert picture.convert("RGB").size == (12, 8)


def _labels(root: Path, **changes: object) -> Path:
    """Only the label files, with folders that are empty; `changes` are entries of dmos_new, or variables."""
    dmos, marks, names = trees.live_vectors()
    variables: dict[str, object] = {"dmos_new": np.array([dmos]), "orgs": np.array([marks])}
    for key, value in changes.items():
        if key.startswith("entry"):
            variables["dmos_new"][0, int(key[5:])] = value  # type: ignore[index]
        else:
            variables[key] = value
    cells = variables.pop("refnames_all", trees.cells(names))
    savemat(root / "dmos_realigned.mat", {k: v for k, v in variables.items() if v is not None})
    savemat(root / "refnames_all.mat", {"refnames_all": cells})
    for folder in trees.LIVE_FOLDERS:
        (root / folder).mkdir(exist_ok=True)
    return root


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entry300": 112.5}, "entry 301: the score 112.5 lies outside of -3 to 112"),
        ({"entry300": float("nan")}, "entry 301: the score nan lies outside of -3 to 112"),
        ({"dmos_new": np.zeros((1, 900))}, "dmos_new has 900 entries, not 982"),
        ({"orgs": None}, "lacks the variable 'orgs'"),
        ({"orgs": np.zeros((2, 491))}, "orgs: is no vector of numbers"),
        ({"dmos_new": trees.cells(["a"] * 982)}, "dmos_new: is no vector of numbers"),
        ({"dmos_std": np.ones((1, 981))}, "dmos_std has 981 entries, not 982"),
        ({"dmos_std": -np.ones((1, 982))}, "-1 is no standard deviation"),
        ({"refnames_all": trees.cells(["a.bmp"] * 981)}, "refnames_all has 981 entries, not 982"),
        ({"refnames_all": trees.cells(["a.bmp"] * 981 + [""])}, "refnames_all, entry 982: is no name"),
        ({"refnames_all": np.zeros((1, 982))}, "refnames_all: is no list of names"),
    ],
)
def test_damaged_labels_are_one_clear_line(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    assert message in trees.refusal(read_live, _labels(tmp_path, **changes)).message


def test_the_score_of_a_reference_does_not_matter(tmp_path: Path) -> None:
    assert len(read_live(_labels(tmp_path, entry0=float("nan"))).records) == 779


def test_the_scores_that_are_not_realigned_are_no_substitute(tmp_path: Path) -> None:
    _labels(tmp_path)
    (tmp_path / "dmos_realigned.mat").rename(tmp_path / "dmos.mat")
    assert "dmos_realigned.mat is missing" in trees.refusal(read_live, tmp_path).message


@pytest.mark.parametrize("missing", ["refnames_all.mat", "gblur"])
def test_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    path = _labels(tmp_path) / missing
    path.rmdir() if path.is_dir() else path.unlink()
    failure = trees.refusal(read_live, tmp_path)
    assert failure.message == f"no LIVE under '{tmp_path}': {missing} is missing"
    assert failure.hint is not None
    assert "jp2k/img1.bmp" in failure.hint
