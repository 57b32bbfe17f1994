"""TID2013: a text file of scores and names, whose letter case is that of no folder."""

from pathlib import Path

import pytest

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.datasets.tid2013 import TYPES, read_tid2013
from tests.datasets import trees


def test_every_field_of_every_record(tmp_path: Path) -> None:
    database = read_tid2013(trees.tid2013(tmp_path))
    assert (database.name, database.low, database.high, database.higher_is_better) == ("tid2013", 0, 9, True)
    expected = []
    for ref in ("i01", "i25"):
        for kind in range(1, 25):
            for level in (1, 5):
                name = f"{ref}_{kind:02d}_{level}.bmp"
                raw = round(7 - level - kind / 25, 5)
                on_disk = name.upper() if (ref, kind) == ("i25", 3) else name
                expected.append(
                    ImageRecord(
                        path=tmp_path / "distorted_images" / on_disk,
                        name=name,
                        mos=pytest.approx(raw / 9),
                        raw=raw,
                        group=f"{ref}.bmp",
                        ref=f"{ref}.bmp",
                        distortion=TYPES[kind - 1],
                        level=level,
                    )
                )
    assert list(database.records) == expected
    database.check_pictures(database.records)


def test_the_types_are_numbered_from_one(tmp_path: Path) -> None:
    types = {r.name[4:6]: r.distortion for r in read_tid2013(trees.tid2013(tmp_path)).records}
    assert len(set(types.values())) == 24
    # As numbered in the readme of the database.
    for number, name in (
        ("01", "gaussian_noise"),
        ("08", "gaussian_blur"),
        ("10", "jpeg"),
        ("11", "jpeg2000"),
    ):
        assert types[number] == name
    assert (types["16"], types["24"]) == ("mean_shift", "sparse_sampling_and_reconstruction")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("5.5 i01_01_1.bmp", "'i01_01_1.bmp' is listed twice"),
        ("9.1 i02_01_1.bmp", "line 97: the score 9.1 lies outside of 0 to 9"),
        ("nan i02_01_1.bmp", "line 97: 'nan' is no number"),
        ("5,5 i02_01_1.bmp", "line 97: '5,5' is no number"),
        ("i02_01_1.bmp", "line 97: has 1 cells, expected mos and image"),
        ("5.5 i02_25_1.bmp", "line 97: 'i02_25_1.bmp' is no name of TID2013"),
        ("5.5 i02_00_1.bmp", "line 97: 'i02_00_1.bmp' is no name of TID2013"),
        ("5.5 i02_01_6.bmp", "line 97: 'i02_01_6.bmp' is no name of TID2013"),
        ("5.5 x02\x1b[2J.bmp", "line 97: 'x02\\\\x1b[2j.bmp' is no name of TID2013"),
        ("5.5 i02_01_1.bmp\udcff", "is not UTF-8 text"),
    ],
)
def test_a_broken_row_is_one_clear_line(tmp_path: Path, line: str, message: str) -> None:
    labels = trees.tid2013(tmp_path) / "mos_with_names.txt"
    labels.write_bytes(labels.read_bytes() + f"{line}\r\n".encode("utf-8", "surrogateescape"))
    assert message in trees.refusal(read_tid2013, tmp_path).message


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "mos_with_names.txt").write_text("\n \n")
    assert trees.refusal(read_tid2013, tmp_path).message.endswith("distorted_images is missing")
    (tmp_path / "distorted_images").mkdir()
    assert trees.refusal(read_tid2013, tmp_path).message.endswith("mos_with_names.txt: no rows")
