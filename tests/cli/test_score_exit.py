"""What `iqa score` says to the shell: each exit code, thresholds, and how quiet it can be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa

Photos = Callable[..., Path]


@pytest.fixture
def scores(iqa: Iqa, photos: Photos) -> dict[str, float]:
    """Scores of good.jpg and bad.jpg, to two decimals, and a damaged.jpg beside them."""
    folder = photos("a.jpg", "b.jpg")
    rows = sorted(iqa("score", "a.jpg", "b.jpg").rows, key=lambda row: float(row[1]))
    (folder / rows[0][0]).rename("bad.jpg")
    (folder / rows[1][0]).rename("good.jpg")
    (folder / "damaged.jpg").write_bytes((folder / "good.jpg").read_bytes()[:5000])
    return {"bad": round(float(rows[0][1]), 2), "good": round(float(rows[1][1]), 2)}


def test_0_when_all_is_well(iqa: Iqa, scores: dict[str, float]) -> None:
    result = iqa("score", "good.jpg", "bad.jpg")
    assert (result.code, result.err) == (ExitCode.OK, "")


def test_1_when_a_score_is_below_the_threshold(iqa: Iqa, scores: dict[str, float]) -> None:
    between = (scores["good"] + scores["bad"]) / 2
    result = iqa("score", "good.jpg", "bad.jpg", "--fail-below", between)
    assert result.code == ExitCode.BELOW_THRESHOLD
    assert len(result.rows) == 2
    assert result.err == f"iqa: 1 of 2 pictures scored below {between:g}\n"
    assert iqa("score", "good.jpg", "--fail-below", between).code == ExitCode.OK
    # The threshold itself is met, and the hidden rows of --top count as well.
    assert iqa("score", "good.jpg", "--fail-below", scores["good"]).code == ExitCode.OK
    assert iqa("score", "good.jpg", "--fail-below", round(scores["good"] + 0.01, 2)).code == 1
    assert iqa("score", "good.jpg", "bad.jpg", "--top", 1, "--fail-below", between).code == 1
    # So is one that a row has said, to the last of its decimals.
    for name in scores:
        (printed,) = (row[1] for row in iqa("score", f"{name}.jpg").rows)
        assert iqa("score", f"{name}.jpg", "--fail-below", printed).code == ExitCode.OK


@pytest.mark.parametrize("value", ["-1", "101", "nan", "inf", "high"])
def test_2_for_a_threshold_that_is_no_score(iqa: Iqa, photos: Photos, value: str) -> None:
    photos("a.jpg")
    result = iqa("score", "a.jpg", f"--fail-below={value}")
    assert result.code == ExitCode.USAGE
    assert "--fail-below" in result.err


def test_2_for_options_that_exclude_each_other(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg")
    assert "--native and --fast" in iqa("score", "a.jpg", "--native", "--fast").err
    assert "--model and --weights" in iqa("score", "a.jpg", "--model", "x", "--weights", "y").err


def test_3_when_some_failed_and_the_others_are_scored(iqa: Iqa, scores: dict[str, float]) -> None:
    result = iqa("score", "good.jpg", "damaged.jpg", "bad.jpg")
    assert result.code == ExitCode.SOME_FAILED
    assert [bool(row[1]) for row in result.rows] == [True, False, True]
    assert result.rows[1][2] == "the file is truncated"
    assert float(result.rows[2][1]) == pytest.approx(scores["bad"], abs=0.006)
    assert result.err == (
        "iqa: error: 1 of 3 pictures could not be scored; the first: damaged.jpg: the file is truncated\n"
    )


def test_1_is_told_before_3_unless_inputs_are_strict(iqa: Iqa, scores: dict[str, float]) -> None:
    arguments = ["score", "damaged.jpg", "bad.jpg", "--fail-below", "100"]
    assert iqa(*arguments).code == ExitCode.BELOW_THRESHOLD
    assert iqa(*arguments, "--strict-inputs").code == ExitCode.SOME_FAILED
    assert iqa("score", "bad.jpg", "--fail-below", "100", "--strict-inputs").code == ExitCode.BELOW_THRESHOLD
    assert iqa(*arguments, "--exit-zero").code == ExitCode.OK
    assert iqa("score", "damaged.jpg", "--exit-zero", "--strict-inputs").code == ExitCode.OK
    assert iqa("score", "--exit-zero").code == ExitCode.USAGE


def test_4_without_weights(iqa: Iqa, photos: Photos, tmp_path: Path, tiny_weights: Path) -> None:
    photos("a.jpg")
    missing = iqa("score", "a.jpg", "--weights", tmp_path / "none.safetensors")
    assert missing.code == ExitCode.NOT_AVAILABLE
    assert missing.out == b""
    pickled = tmp_path / "old.pth"
    pickled.write_bytes(b"\x80\x02}q\x00.")
    refused = iqa("score", "a.jpg", "--weights", pickled)
    assert refused.code == ExitCode.NOT_AVAILABLE
    assert "safetensors" in refused.err
    copied = tmp_path / "mine.safetensors"
    shutil.copy(tiny_weights / "mfenet.safetensors", copied)
    assert iqa("score", "a.jpg", "--weights", copied).rows == iqa("score", "a.jpg").rows
    whole = copied.read_bytes()
    copied.write_bytes(whole[: len(whole) // 2])
    cut = iqa("score", "a.jpg", "--weights", copied)
    assert cut.code == ExitCode.NOT_AVAILABLE
    assert len([line for line in cut.err.splitlines() if "error" in line]) == 1


def test_quiet_leaves_errors_only(iqa: Iqa, scores: dict[str, float]) -> None:
    said = iqa("score", "bad.jpg", "bad.jpg", "damaged.jpg", "--fail-below", "100", "-q", terminal="stderr")
    assert [line[:10] for line in said.err.splitlines()] == ["iqa: error"]
    assert iqa("score", "bad.jpg", "bad.jpg", "--fail-below", "100", "-q", terminal="stderr").err == ""


def test_progress_only_on_a_terminal(iqa: Iqa, scores: dict[str, float]) -> None:
    shown = iqa("score", "good.jpg", "bad.jpg", terminal="stderr").err
    assert "loading mfenet" in shown
    assert "2 of 2 pictures" in shown
    assert shown.endswith("\r\x1b[K")
    iqa.environ["TERM"] = "dumb"
    assert iqa("score", "good.jpg", "bad.jpg", terminal="stderr").err == ""


def test_options_of_pictures(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg")
    small = iqa("score", "a.jpg", "--max-pixels", 1000)
    assert small.code == 3
    assert "over the limit" in small.err
    for option in ("--native", "--fast", "--no-exif", "--batch-size=1", "--threads=1", "--precision=fp32"):
        assert iqa("score", "a.jpg", option).code == 0, option


def test_no_exif_turns_the_orientation_off(iqa: Iqa, photos: Photos, dog: object, tmp_path: Path) -> None:
    from PIL import Image

    assert isinstance(dog, Image.Image)
    exif = Image.Exif()
    exif[0x0112] = 6
    dog.save(tmp_path / "turned.png", exif=exif)
    assert iqa("score", tmp_path / "turned.png").rows[0][5:7] == ["536", "432"]
    assert iqa("score", tmp_path / "turned.png", "--no-exif").rows[0][5:7] == ["432", "536"]


def test_a_gpu_that_is_not_there_is_one_line(iqa: Iqa, photos: Photos) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    photos("a.jpg")
    result = iqa("score", "a.jpg", "--device", "cuda")
    assert result.code == ExitCode.USAGE
    assert result.err.splitlines()[1] == "  hint: use --device cpu, or leave it out"


def test_a_picture_of_100_megapixels(iqa: Iqa, huge_png: Path) -> None:
    result = iqa("score", huge_png)
    assert result.code == 0, result.err
    assert result.rows[0][5:7] == ["10000", "10000"]
    assert iqa("score", huge_png, "--max-pixels", 99_999_999).code == 3
