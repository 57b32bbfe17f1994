"""KADID-10k: a column called dmos in which higher is better, references among the pictures."""

from pathlib import Path

import pytest

from iqa_cli.datasets.kadid10k import TYPES, read_kadid10k
from iqa_cli.datasets.record import ImageRecord
from tests.datasets import trees


def test_every_field_of_every_record(tmp_path: Path) -> None:
    database = read_kadid10k(trees.kadid10k(tmp_path))
    assert (database.name, database.low, database.high) == ("kadid10k", 1, 5)
    assert database.higher_is_better
    expected = []
    for ref in ("I01.png", "I02.png"):
        for kind in range(1, 26):
            for level in (1, 5):
                name = f"{ref[:3]}_{kind:02d}_{level:02d}.png"
                raw = round(5.1 - level * 0.8 - kind / 250, 3)
                expected.append(
                    ImageRecord(
                        path=tmp_path / "images" / name,
                        name=name,
                        mos=pytest.approx((raw - 1) / 4),
                        raw=raw,
                        group=ref,
                        ref=ref,
                        distortion=TYPES[kind - 1],
                        level=level,
                        deviation=0.1,
                    )
                )
    assert list(database.records) == expected
    database.check_pictures(database.records)


def test_the_column_called_dmos_is_not_turned_around(tmp_path: Path) -> None:
    records = {r.name: r for r in read_kadid10k(trees.kadid10k(tmp_path)).records}
    assert records["I01_01_01.png"].raw > records["I01_01_05.png"].raw
    assert records["I01_01_01.png"].mos > records["I01_01_05.png"].mos


def test_the_types_are_those_of_the_distortions() -> None:
    from iqa_cli.images.distortions import KADID_TYPES

    assert tuple(KADID_TYPES) == TYPES


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("I01_01_01.png,I01.png,3,1", "'I01_01_01.png' is listed twice"),
        ("I03_01_01.png,I03.png,0.5,1", "line 102: the score 0.5 lies outside of 1 to 5"),
        ("I03_01_01.png,I03.png,nan,1", "line 102: 'nan' is no number"),
        ("I03_01_01.png,I03.png,3", "line 102: has 3 cells for 4 columns"),
        (",I03.png,3,1", "line 102: names no picture"),
        ("I03_26_01.png,I03.png,3,1", "line 102: 'I03_26_01.png' is no name of KADID-10k"),
        ("I03_01_01.png,I04.png,3,1", "line 102: the reference of I03_01_01.png is not I04.png"),
    ],
)
def test_a_broken_row_is_one_clear_line(tmp_path: Path, row: str, message: str) -> None:
    with (trees.kadid10k(tmp_path) / "dmos.csv").open("a") as file:
        file.write(f"{row}\r\n")
    assert message in trees.refusal(read_kadid10k, tmp_path).message


def test_another_csv_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "dmos.csv").write_text("image,dmos\na.png,3\n")
    failure = trees.refusal(read_kadid10k, tmp_path)
    assert failure.message == f"{tmp_path / 'dmos.csv'}: lacks the column 'dist_img', has image, dmos"
