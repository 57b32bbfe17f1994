"""`iqa cull`: what a person sees, and what is done with files."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from PIL import ExifTags, Image, ImageOps

from iqa_cli.culling.xmp import rating_of
from tests.cli.conftest import Iqa
from tests.culling.test_xmp import DARKTABLE

SCORES = {"dog.jpg": (80, 76, 84), "worse.jpg": (74, 70, 77), "sub/small.jpg": (76, 70, 77)}
SCORES["palace.jpg"] = (50, 40, 60)


@pytest.fixture
def shoot(tmp_path: Path, examples: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two versions of one photograph (one half the size), a third one worse, and another
    photograph; the working directory is the one above."""
    folder = tmp_path / "shoot"
    (folder / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    shutil.copy(examples / "dog.jpg", folder / "dog.jpg")
    with Image.open(examples / "dog.jpg") as picture:
        picture.reduce(2).save(folder / "sub" / "small.jpg", quality=95)
        picture.save(folder / "worse.jpg", quality=12)
    shutil.copy(examples / "palace.jpg", folder / "palace.jpg")
    return folder


@pytest.fixture
def scored(shoot: Path) -> Path:
    """The same with scores and intervals in scores.csv, so that no network is needed."""
    with Path("scores.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "score", "model", "low", "high"])
        for name, (score, low, high) in SCORES.items():
            writer.writerow([f"shoot/{name}", score, "m", low, high])
    return shoot


def rows_of(result: bytes) -> dict[str, dict[str, object]]:
    """JSON Lines by the name of the picture."""
    return {Path(row["path"]).name: row for row in map(json.loads, result.splitlines())}


def names(folder: Path) -> set[str]:
    """All files below a folder, without journals."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in files if not Path(name).name.startswith("iqa-cull-")}


def journal_in(folder: Path) -> Path:
    (found,) = folder.glob("iqa-cull-*.jsonl")
    return found


def test_rows_are_those_of_score_with_the_verdict(iqa: Iqa, shoot: Path) -> None:
    result = iqa("cull", "shoot", "--format", "jsonl")
    assert result.code == 0, result.err
    rows = rows_of(result.out)
    scored = rows_of(iqa("score", "-r", "shoot", "--format", "jsonl").out)
    assert list(rows) == list(scored)
    more = {"group", "members", "rank", "keep", "margin", "uncertainty", "sure", "small"}
    for name, row in rows.items():
        assert {key: value for key, value in row.items() if key not in more} == scored[name]
    grouped = {name: row for name, row in rows.items() if row["group"] == 1}
    assert set(grouped) == {"dog.jpg", "small.jpg", "worse.jpg"}
    assert rows["palace.jpg"]["group"] is None
    assert rows["palace.jpg"]["keep"] is True
    assert [name for name, row in rows.items() if row["small"]] == ["small.jpg"]
    large = [row for row in grouped.values() if not row["small"]]
    best = max(large, key=lambda row: row["score"])  # type: ignore[arg-type, return-value]
    assert [row for row in grouped.values() if row["keep"]] == [best]
    assert best["rank"] == 1
    # The tiny weight has no interval, so that nothing is known of how sure this is.
    assert best["uncertainty"] is None
    assert "1 scene with 3 of 4 pictures" in result.err
    assert "the scores have no intervals, so that nothing is known" in result.err


def test_when_a_margin_is_sure(iqa: Iqa, scored: Path) -> None:
    result = iqa("cull", "--scores", "scores.csv", "-o", "out.csv")
    assert result.code == 0, result.err
    with Path("out.csv").open(newline="") as file:
        rows = {Path(row["path"]).name: row for row in csv.DictReader(file)}
    # 4 = sqrt(4^2 + 1^2) is not exceeded by 80 - 76; sqrt(4^2 + 3^2) is by 80 - 74.
    assert [rows[name]["sure"] for name in ("dog.jpg", "small.jpg", "worse.jpg")] == [
        "false",
        "false",
        "true",
    ]
    assert rows["dog.jpg"]["margin"] == "4.0000"
    assert rows["dog.jpg"]["keep"] == "true"
    assert rows["palace.jpg"]["sure"] == ""
    close = iqa("cull", "--scores", "scores.csv", "--keep", "close", "--groups-only", "--format", "jsonl")
    kept = {name: row["keep"] for name, row in rows_of(close.out).items()}
    assert kept == {"dog.jpg": True, "small.jpg": True, "worse.jpg": False}
    table = iqa("cull", "--scores", "scores.csv", "--format", "table").out.decode().splitlines()
    assert table[0].split() == ["scene", "keep", "score", "margin", "needed", "sure", "picture"]
    assert table[1].split() == ["1", "keep", "80.00", "+4.00", "4.12", "no", "shoot/dog.jpg"]
    assert len(table) == 4


def test_a_burst_is_a_scene_by_its_time_and_by_how_it_looks(iqa: Iqa, tmp_path: Path, examples: Path) -> None:
    """The dog turns round within a second: no near-duplicates, but alike. Then the camera turns, too."""
    folder = tmp_path / "burst"
    folder.mkdir()
    with Image.open(examples / "dog.jpg") as dog, Image.open(examples / "college.jpg") as college:
        shots = (("0", dog, "00"), ("1", ImageOps.mirror(dog), "01"), ("2", college, "01"))
        for name, picture, second in shots:
            exif = Image.Exif()
            exif[ExifTags.Base.Model] = "Camera"
            exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"2026:11:21 12:00:{second}"
            picture.save(folder / f"{name}.jpg", exif=exif)
    found = {}
    for gap in ("0", "0.5", "1"):
        rows = rows_of(iqa("cull", folder, "--gap", gap, "--format", "jsonl").out)
        found[gap] = [row["group"] for row in rows.values()]
    assert found == {"0": [None] * 3, "0.5": [None] * 3, "1": [1, 1, None]}


@pytest.mark.parametrize("action", ["copy", "link", "move"])
def test_apply_and_undo(iqa: Iqa, scored: Path, action: str) -> None:
    (scored / "palace.xmp").write_text("<x/>")
    before, picks = names(scored), Path("picks")
    result = iqa("cull", "--scores", "scores.csv", "--apply", action, "--to", "picks")
    assert result.code == 0, result.err
    assert result.out == b""
    assert names(picks) == {"dog.jpg", "palace.jpg", "palace.xmp"}
    assert names(scored) == (before - names(picks) if action == "move" else before)
    assert "2 pictures and 1 file that belong to them" in result.err
    undone = iqa("cull", "--undo", journal_in(picks))
    assert undone.code == 0, undone.err
    assert names(scored) == before
    assert names(picks) == set()
    assert iqa("cull", "--resume", journal_in(picks)).code == 2


def test_a_second_time_nothing_is_doubled(iqa: Iqa, scored: Path) -> None:
    for _ in range(2):
        result = iqa("cull", "--scores", "scores.csv", "--rest", "--apply", "copy", "--to", "rest")
        assert result.code == 0
        assert names(Path("rest")) == {"worse.jpg", "sub/small.jpg"}
    assert "2 pictures already there" in result.err
    assert "there is nothing to do" in result.err


def test_the_picks_are_no_inputs(iqa: Iqa, shoot: Path) -> None:
    (shoot / "picks").mkdir()
    shutil.copy(shoot / "dog.jpg", shoot / "picks" / "old.jpg")
    result = iqa("cull", "shoot", "--apply", "copy", "--to", "shoot/picks", "--format", "jsonl")
    assert result.code == 0, result.err
    assert set(rows_of(result.out)) == {"dog.jpg", "palace.jpg", "small.jpg", "worse.jpg"}
    assert "old.jpg" in names(shoot / "picks")


def test_a_folder_is_not_carried_into_itself(iqa: Iqa, shoot: Path) -> None:
    before = names(Path())
    for place in ("shoot", "."):
        result = iqa("cull", "shoot", "--apply", "move", "--to", place)
        assert result.code == 2
        assert result.err.startswith(f"iqa: error: all pictures are in {Path(place).resolve()}")
    assert names(Path()) == before


def test_a_picture_that_is_scored_under_two_spellings_is_one(iqa: Iqa, scored: Path, tmp_path: Path) -> None:
    """Else one spelling would be kept, and the other moved out of the way."""
    with Path("scores.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["./shoot/worse.jpg", 75, "m", 71, 78])
        csv.writer(file).writerow([tmp_path / "shoot" / "dog.jpg", 81, "m", 77, 85])
        csv.writer(file).writerow(["rest/old.jpg", 99, "m", 98, 100])
    Path("rest").mkdir()
    shutil.copy(scored / "dog.jpg", "rest/old.jpg")
    options = ("--rest", "--apply", "move", "--to", "rest", "--format", "jsonl")
    result = iqa("cull", "--scores", "scores.csv", *options)
    assert result.code == 0, result.err
    rows = rows_of(result.out)
    assert {name: row["score"] for name, row in rows.items()} == {
        "dog.jpg": 81, "worse.jpg": 75, "small.jpg": 76, "palace.jpg": 50
    }  # fmt: skip
    assert rows["dog.jpg"]["members"] == 3
    assert names(scored) == {"dog.jpg", "palace.jpg"}
    assert names(Path("rest")) == {"old.jpg", "sub/small.jpg", "worse.jpg"}


@pytest.mark.parametrize(
    "options",
    [
        ["-o", "scores.csv"],
        ["--plan", "scores.csv"],
        ["-o", "new.json", "--plan", "new.json"],
        ["-o", "new.json", "--plan", "./new.json"],
        ["-o", "new.parquet"],
    ],
)
def test_what_is_read_is_not_written_over_and_no_row_lost(iqa: Iqa, scored: Path, options: list[str]) -> None:
    before = Path("scores.csv").read_bytes()
    result = iqa("cull", "--scores", "scores.csv", *options)
    assert result.code == 2, result.err
    assert result.err.startswith("iqa: error: ")
    assert len(result.err.splitlines()) <= 2
    assert Path("scores.csv").read_bytes() == before
    assert {path.name for path in Path().iterdir()} == {"scores.csv", "shoot"}


def test_a_plan_can_be_changed_and_carried_out_from_elsewhere(
    iqa: Iqa, scored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert iqa("cull", "--scores", "scores.csv", "--plan", "plan.json", "-q").code == 0
    plan = json.loads(Path("plan.json").read_text())
    for picture in plan["pictures"]:
        picture["keep"] = picture["path"] == "shoot/worse.jpg"
        if picture["keep"]:
            picture["target"] = "renamed.jpg"
    Path("plan.json").write_text(json.dumps(plan))
    for options in ([], ["--keep", "close", "--apply", "copy", "--to", "kept"], ["-o", "rows.csv"]):
        assert iqa("cull", "plan.json", *options).code == 2
    (scored / "sub" / "elsewhere").mkdir()
    monkeypatch.chdir(scored / "sub" / "elsewhere")
    done = iqa("cull", "../../../plan.json", "--apply", "move", "--to", "kept", "--journal", "j")
    assert done.code == 0, done.err
    assert names(Path("kept")) == {"renamed.jpg"}
    rest = iqa("cull", "../../../plan.json", "--rest", "--groups-only", "--apply", "copy", "--to", "rest")
    assert names(Path("rest")) == {"dog.jpg", "sub/small.jpg"}, rest.err
    assert iqa("cull", "--undo", "j").code == 0
    assert (scored / "worse.jpg").exists()


def test_stars_and_an_existing_sidecar_only_on_request(iqa: Iqa, scored: Path) -> None:
    (scored / "dog.jpg.xmp").write_bytes(DARKTABLE)
    result = iqa("cull", "--scores", "scores.csv", "--xmp", "full")
    assert result.code == 0, result.err
    expected = {"dog.jpg.xmp": "1", "worse.jpg.xmp": "4", "small.jpg.xmp": "4", "palace.jpg.xmp": "3"}
    assert {path.name: rating_of(path.read_bytes()) for path in scored.rglob("*.xmp")} == expected
    assert "dog.jpg.xmp: is there already" in result.err
    stars = ["--stars", "50", "74", "75", "76.5"]
    assert iqa("cull", "--scores", "scores.csv", "--xmp", "full", "--rerate", *stars).code == 0
    expected = {"dog.jpg.xmp": "5", "worse.jpg.xmp": "3", "small.jpg.xmp": "4", "palace.jpg.xmp": "2"}
    assert {path.name: rating_of(path.read_bytes()) for path in scored.rglob("*.xmp")} == expected
    assert b'darktable:operation="exposure"' in (scored / "dog.jpg.xmp").read_bytes()
    journals = Path().glob("iqa-cull-*.jsonl")
    for journal in sorted(journals, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        assert iqa("cull", "--undo", journal).code == 0
    assert {path.name for path in scored.rglob("*.xmp")} == {"dog.jpg.xmp"}
    assert (scored / "dog.jpg.xmp").read_bytes() == DARKTABLE


def test_new_ratings_go_where_the_pictures_go(iqa: Iqa, scored: Path) -> None:
    result = iqa("cull", "--scores", "scores.csv", "--xmp", "both", "--apply", "move", "--to", "picks")
    assert result.code == 0, result.err
    assert names(Path("picks")) == {
        f"{name}{ending}" for name in ("dog", "palace") for ending in (".jpg", ".xmp", ".jpg.xmp")
    }
    assert "palace.xmp" not in names(scored)
    assert iqa("cull", "--undo", journal_in(Path("picks"))).code == 0
    assert names(scored) == set(SCORES)


def test_broken_pictures_are_told_and_left_alone(iqa: Iqa, shoot: Path) -> None:
    broken = shoot / "broken\x1b[31m.jpg"
    broken.write_bytes((shoot / "dog.jpg").read_bytes()[:5000])
    result = iqa("cull", "shoot", "--apply", "move", "--to", "picks")
    assert result.code == 3
    assert "truncated" in result.err
    assert "\x1b" not in result.err
    assert broken.exists()
    assert "palace.jpg" in names(Path("picks"))


def test_a_picture_that_could_not_be_scored_is_in_no_scene(iqa: Iqa, scored: Path) -> None:
    """Though its thumbnail looks like others: too large for --max-pixels, say."""
    text = Path("scores.csv").read_text()
    Path("scores.csv").write_text(text.replace("shoot/worse.jpg,74,m,70,77", "shoot/worse.jpg,,m,,"))
    rows = rows_of(iqa("cull", "--scores", "scores.csv", "--format", "jsonl").out)
    found = {name: (row["group"], row["members"], row["keep"]) for name, row in rows.items()}
    assert found == {
        "dog.jpg": (1, 2, True), "small.jpg": (1, 2, False), "worse.jpg": (None, 1, None),
        "palace.jpg": (None, 1, True),
    }  # fmt: skip
    grouped = rows_of(iqa("cull", "--scores", "scores.csv", "--groups-only", "--format", "jsonl").out)
    assert set(grouped) == {"dog.jpg", "small.jpg"}
    # A plan has it, for what is done with none.
    assert iqa("cull", "--scores", "scores.csv", "--plan", "plan.json").code == 3
    planned = {
        entry["path"]: entry["keep"] for entry in json.loads(Path("plan.json").read_text())["pictures"]
    }
    assert planned["shoot/worse.jpg"] is None
    done = iqa("cull", "plan.json", "--apply", "copy", "--to", "picks")
    assert done.code == 0, done.err
    assert "1 picture without a score: left where they are" in done.err
    assert names(Path("picks")) == {"dog.jpg", "palace.jpg"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["cull"],
        ["cull", "missing-folder/*"],
        ["cull", "shoot", "--apply", "copy"],
        ["cull", "shoot", "--to", "picks"],
        ["cull", "shoot", "--apply", "delete", "--to", "picks"],
        ["cull", "shoot", "--apply", "copy", "--to", "shoot/dog.jpg"],
        ["cull", "shoot", "--rest"],
        ["cull", "shoot", "--rerate"],
        ["cull", "shoot", "--xmp", "full", "--stars", "50", "40", "60", "80"],
        ["cull", "shoot", "--gap", "-1"],
        ["cull", "shoot", "--format", "parquet"],
        ["cull", "shoot", "-o", "shoot/dog.jpg"],
        ["cull", "shoot", "--plan", "shoot/dog.jpg"],
        ["cull", "shoot", "--plan", "-"],
        ["cull", "--undo", "shoot/dog.jpg"],
        ["cull", "--undo", "missing"],
        ["cull", "shoot", "--undo", "journal"],
        ["cull", "--undo", "a", "--resume", "b"],
    ],
)
def test_wrong_usage_is_one_line_and_touches_nothing(iqa: Iqa, shoot: Path, arguments: list[str]) -> None:
    before = names(Path())
    result = iqa(*arguments)
    assert result.code == 2, result.err
    assert result.err.startswith("iqa: error: ")
    assert len(result.err.splitlines()) <= 2
    assert names(Path()) == before


@pytest.mark.skipif(os.name == "nt", reason="pipes with names")
def test_a_pipe_is_no_plan_and_no_journal_and_never_waited_for(iqa: Iqa, shoot: Path) -> None:
    os.mkfifo("pipe")
    assert "not a regular file" in iqa("cull", "pipe").err
    for place in ("pipe", "/dev/zero"):
        for option in ("--undo", "--resume"):
            result = iqa("cull", option, place)
            assert (result.code, result.err) == (2, f"iqa: error: {place} is no journal of 'iqa cull'\n")


def test_a_sidecar_whose_name_would_be_too_long_is_told_and_the_others_are_written(
    iqa: Iqa, scored: Path
) -> None:
    name = "x" * 250 + ".jpg"
    shutil.copy(scored / "dog.jpg", scored / name)
    with Path("scores.csv").open("a") as file:
        file.write(f"shoot/{name},70,m,60,80\n")
    result = iqa("cull", "--scores", "scores.csv", "--xmp", "full")
    assert result.code == 3
    assert "file name too long" in result.err
    assert "defect" not in result.err
    assert {path.name for path in scored.rglob("*.xmp")} == {f"{Path(name).name}.xmp" for name in SCORES}


def test_none_alike(iqa: Iqa, shoot: Path) -> None:
    only = iqa("cull", "shoot/palace.jpg", "shoot/dog.jpg", "--groups-only", "--apply", "copy", "--to", "p")
    assert only.code == 0
    assert "there is nothing to do" in only.err
    # What cannot be read is alone, and told all the same.
    broken = iqa("cull", "shoot/palace.jpg", "shoot/dog.jpg", "shoot/missing.jpg", "--groups-only")
    assert broken.code == 3
    assert "1 picture could not be compared; the first: shoot/missing.jpg: no such file" in broken.err


@pytest.mark.slow
def test_ctrl_c_while_files_are_carried_leaves_a_journal_that_goes_on(iqa: Iqa, tmp_path: Path) -> None:
    """A process of its own, interrupted after its first file; sparse files take a while to copy."""
    from iqa_cli.culling.plan import Plan, Planned, save_plan

    shoot = tmp_path / "shoot"
    shoot.mkdir()
    planned = []
    for number in range(8):
        with (shoot / f"{number}.jpg").open("wb") as file:
            file.truncate(2**26)
        planned.append(Planned(f"{number}.jpg", f"{number}.jpg", None, True, 50.0))
    save_plan(Plan(str(shoot), "m", tuple(planned)), tmp_path / "plan.json")
    out = tmp_path / "out"
    process = iqa.process("cull", tmp_path / "plan.json", "--apply", "copy", "--to", out)
    while not (out / "0.jpg").exists() and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"--resume" in err
    assert 1 <= len(names(out)) < 8
    assert not list(out.glob(".*"))
    assert iqa("cull", "--resume", journal_in(out)).code == 0
    assert len(names(out)) == 8
