"""SPAQ: a workbook beside a folder of photographs."""

from pathlib import Path

import openpyxl
import pytest

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.datasets.spaq import read_spaq
from tests.datasets import trees

WORKBOOK = "Annotations/MOS and Image attribute scores.xlsx"


def test_every_field_of_every_record(tmp_path: Path) -> None:
    database = read_spaq(trees.spaq(tmp_path))
    assert (database.name, database.low, database.high, database.higher_is_better) == ("spaq", 0, 100, True)
    assert list(database.records) == [
        ImageRecord(path=tmp_path / "TestImage" / name, name=name, mos=mos / 100, raw=mos, group=name)
        for name, mos in (("00001.jpg", 30.25), ("00002.jpg", 100.0), ("11125.jpg", 0.0))
    ]
    database.check_pictures(database.records)


def test_the_workbook_may_lie_beside_the_pictures(tmp_path: Path) -> None:
    path = trees.spaq(tmp_path) / WORKBOOK
    path.rename(tmp_path / path.name)
    assert len(read_spaq(tmp_path).records) == 3


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("00001.jpg", 30), "'00001.jpg' is listed twice"),
        (("00003.jpg", 100.01), "row 5: the score 100.01 lies outside of 0 to 100"),
        (("00003.jpg", "n/a"), "row 5: 'n/a' is no number"),
        (("00003.jpg", None), "row 5: '' is no number"),
        ((None, 30), "row 5: names no picture"),
    ],
)
def test_a_broken_row_is_one_clear_line(tmp_path: Path, row: tuple[object, ...], message: str) -> None:
    path = trees.spaq(tmp_path) / WORKBOOK
    book = openpyxl.load_workbook(path)
    book.active.append(row)
    book.save(path)
    assert message in trees.refusal(read_spaq, tmp_path).message


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (trees.spaq(tmp_path) / "TestImage").rename(tmp_path / "elsewhere")
    assert trees.refusal(read_spaq, tmp_path).message.endswith("TestImage is missing")
