"""CSIQ: a table in the middle of a sheet, types that folders and files spell otherwise."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from iqa_cli.datasets.csiq import read_csiq
from iqa_cli.datasets.record import ImageRecord
from tests.datasets import trees


def test_every_field_of_every_record(tmp_path: Path) -> None:
    database = read_csiq(trees.csiq(tmp_path))
    assert (database.name, database.low, database.high, database.higher_is_better) == ("csiq", 0, 1, False)

    def record(file: str, dmos: float, level: int) -> ImageRecord:
        folder, name = file.split("/")
        ref = f"{name.split('.')[0]}.png"
        return ImageRecord(
            path=tmp_path / "dst_imgs" / folder / name,
            name=file,
            mos=pytest.approx(1 - dmos),
            raw=dmos,
            group=ref,
            ref=ref,
            distortion=folder,
            level=level,
            deviation=0.05,
        )

    assert list(database.records) == [
        record("awgn/1600.AWGN.1.png", 0.061, 1),
        record("awgn/1600.AWGN.5.png", 0.622, 5),
        record("blur/boston.BLUR.1.png", 0.0, 1),
        record("contrast/family.contrast.2.png", 0.125, 2),
        record("fnoise/boston.fnoise.4.png", 1.0, 4),
        record("jpeg/trolley.JPEG.2.png", 0.25, 2),
        record("jpeg2000/trolley.jpeg2000.3.png", 0.5, 3),
    ]
    database.check_pictures(database.records)


def test_a_file_in_another_letter_case_is_found_under_its_usual_name(tmp_path: Path) -> None:
    trees.csiq(tmp_path)
    (tmp_path / "dst_imgs" / "blur" / "boston.BLUR.1.png").rename(
        tmp_path / "dst_imgs/blur/boston.blur.1.PNG"
    )
    (tmp_path / "dst_imgs" / "awgn").rename(tmp_path / "dst_imgs" / "AWGN")
    paths = {r.name: r.path.relative_to(tmp_path).as_posix() for r in read_csiq(tmp_path).records}
    assert paths["blur/boston.BLUR.1.png"] == "dst_imgs/blur/boston.blur.1.PNG"
    assert paths["awgn/1600.AWGN.5.png"] == "dst_imgs/AWGN/1600.AWGN.5.png"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1600, 1, "noise", 1, 0.5), "'awgn/1600.AWGN.1.png' is listed twice"),
        ((1600, 1, "noise", 2, 1.01), "row 12: the score 1.01 lies outside of 0 to 1"),
        ((1600, 1, "noise", 2, -0.01), "row 12: the score -0.01 lies outside of 0 to 1"),
        ((1600, 1, "noise", 2, "NaN"), "row 12: 'NaN' is no number"),
        ((1600, 1, "noise", 2, None), "row 12: '' is no number"),
        ((1600, 1, "noise", 2.5, 0.1), "row 12: the dst_lev 2.5 is no whole number"),
        ((None, 1, "noise", 2, 0.1), "row 12: names no picture"),
        ((1600, 1, "fog", 2, 0.1), "row 12: there is no type 'fog'"),
    ],
)
def test_a_broken_row_is_one_clear_line(tmp_path: Path, row: Sequence[object], message: str) -> None:
    assert message in trees.refusal(read_csiq, trees.csiq(tmp_path, [*trees.CSIQ_ROWS, row])).message


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    trees.csiq(tmp_path)
    (tmp_path / "dst_imgs" / "fnoise").rename(tmp_path / "elsewhere")
    assert trees.refusal(read_csiq, tmp_path).message.endswith("dst_imgs/fnoise is missing")
    (tmp_path / "csiq.DMOS.xlsx").unlink()
    failure = trees.refusal(read_csiq, tmp_path)
    assert failure.message.endswith("csiq.DMOS.xlsx is missing")
    assert failure.hint is not None
    assert "dst_imgs/awgn/1600.AWGN.1.png" in failure.hint
