"""`iqa data synth`: what it makes, that it goes on after a break, and what it refuses."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.cli.app import run
from iqa_cli.cli.context import Environment
from iqa_cli.datasets.registry import read_database
from iqa_cli.errors import ExitCode
from iqa_cli.evaluation.full_reference import METRICS
from iqa_cli.replacing import Replacement
from iqa_cli.training.parts import choose_parts
from tests.cli.conftest import Iqa, Result

FEW = ["--types", "white_noise,jpeg", "--size", "64", "--levels", "2,4", "--workers", "1"]
# All types, so that there is time to interrupt; small pictures, so that there is not much of it.
MANY = ["--size", "64", "--levels", "3", "--limit", "2"]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    folder = tmp_path_factory.mktemp("synth") / "pristine"
    (folder / "images").mkdir(parents=True)
    for name in ("dog.jpg", "cliffs.jpg", "palace.jpg"):
        shutil.copy(examples / name, folder / "images")
    (folder / "sources.csv").write_text("image,split\ndog.jpg,train\ncliffs.jpg,train\npalace.jpg,val\n")
    return folder


@pytest.fixture(scope="module")
def whole(pristine: Path) -> dict[str, bytes]:
    """The files of an unbroken run with one process."""
    out = pristine.parent / "whole"
    err = io.StringIO()
    command = ["data", "synth", "--from", str(pristine), "--out", str(out), *MANY, "--workers", "1"]
    assert run(command, Environment(io.BytesIO(), io.BytesIO(), err)) == 0, err.getvalue()
    return files(out)


@pytest.fixture
def synth(iqa: Iqa, pristine: Path, tmp_path: Path) -> Callable[..., Result]:
    def call(*options: object, origin: Path = pristine, **world: Any) -> Result:
        return iqa("data", "synth", "--from", origin, "--out", tmp_path / "out", *options, **world)

    return call


def files(out: Path) -> dict[str, bytes]:
    """The pictures and the table, by name."""
    found = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert not [name for name in found if name.endswith(".part")]
    return {name: data for name, data in found.items() if name == "labels.csv" or name.startswith("images")}


def test_the_database_is_read_by_train_and_eval(
    iqa: Iqa, synth: Callable[..., Result], tmp_path: Path
) -> None:
    made = synth(*FEW)
    assert made.code == 0, made.err
    assert made.lines[0].endswith("out: 15 pictures of 3 photographs")
    assert made.lines[1] == "split: train 10, val 5"
    order = next(line.split() for line in made.lines if line.startswith("mos "))
    assert order == ["mos", "1.000", "6", "6"]
    database = read_database("csv", tmp_path / "out", (0.0, 1.0))
    assert len(database.records) == 15
    database.check_pictures(database.records)
    references = [r for r in database.records if r.distortion is None]
    assert [r.name for r in references] == [f"{key}/reference.png" for key in ("cliffs", "dog", "palace")]
    assert all(r.mos == 1 and r.level is None and r.ref == r.group == r.name for r in references)
    worse = next(r for r in database.records if r.name == "dog/jpeg_4.png")
    assert (worse.distortion, worse.level, worse.split) == ("jpeg", 4, "train")
    assert worse.ref == "dog/reference.png"
    assert 0 < worse.mos < next(r for r in database.records if r.name == "dog/jpeg_2.png").mos < 1
    # No picture of val is fitted, and no photograph is on both sides.
    fitted, chosen = choose_parts(database, None, None, 0.5, 0)
    assert {r.group for r in (*fitted, *chosen)} == {"dog/reference.png", "cliffs/reference.png"}
    assert not {r.group for r in fitted} & {r.group for r in chosen}
    measured = iqa("eval", "--dataset", "csv", "--root", tmp_path / "out", "--split", "all", "--range", 0, 1)
    assert measured.code == 0, measured.err


def test_the_record_says_how_it_was_made_and_what_the_label_is_not(
    synth: Callable[..., Result], tmp_path: Path
) -> None:
    assert synth(*FEW, "--part", "val", "--seed", "5").code == 0
    record = json.loads((tmp_path / "out" / "synth.json").read_text())
    assert "no person has rated" in record["what"]
    assert record["complete"] is True
    assert record["settings"] == {
        "seed": 5,
        "size": 64,
        "image_format": "png",
        "types": ["jpeg", "white_noise"],
        "levels": [2, 4],
    }
    assert list(record["photographs"]) == ["palace"]
    assert record["photographs"]["palace"]["name"] == "palace.jpg"
    assert record["made_with"]["piq"].startswith("0.8")
    assert set(record["scale_map"]["metrics"]) == set(METRICS)
    assert record["level_order"]["mos"]["all"] == {"ladders": 2, "kendall": 1.0, "perfect": 2}
    assert "--part val" in record["command"]
    with (tmp_path / "out" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(0 <= float(row[name]) <= 1 for row in rows for name in METRICS)


def test_pictures_only_are_the_same_pictures_and_need_no_metrics(
    iqa: Iqa, synth: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [*FEW, "--part", "val"]
    assert synth(*few).code == 0
    labelled = files(tmp_path / "out")
    refused = synth(*few, "--pictures-only")
    assert refused.code == 2
    assert "measured" in refused.err
    shutil.rmtree(tmp_path / "out")

    def none() -> str:
        raise AssertionError("asked for the library of metrics")

    monkeypatch.setattr("iqa_cli.evaluation.full_reference._functions", none)
    monkeypatch.setattr("iqa_cli.datasets.synth.library_version", none)
    made = synth(*few, "--pictures-only")
    assert made.code == 0, made.err
    assert "MOS" not in made.out.decode()
    bare = files(tmp_path / "out")
    table = bare.pop("labels.csv").decode().splitlines()
    assert bare == {name: data for name, data in labelled.items() if name != "labels.csv"}
    assert table[:2] == [
        "image,ref,group,distortion,level,split",
        "palace/reference.png,palace/reference.png,palace/reference.png,,,val",
    ]
    assert "rated" in json.loads((tmp_path / "out" / "synth.json").read_text())["what"]
    measured = iqa("eval", "--dataset", "csv", "--root", tmp_path / "out", "--baseline", "laplacian")
    assert measured.code == 4
    assert "needs the columns image and mos" in measured.err


def test_ctrl_c_with_two_processes_is_one_line_and_the_same_command_goes_on(
    iqa: Iqa, synth: Callable[..., Result], pristine: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ["--out", out, *MANY, "--workers", "2"]
    process = iqa.process("data", "synth", "--from", pristine, *options, start_new_session=True)
    _wait_for_lines(out / "progress.jsonl", 2)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=200)
    assert (process.returncode, stdout) == (ExitCode.INTERRUPTED, b"")
    *_, last = stderr.decode().splitlines()
    assert last.endswith("of 56 pictures; the same command goes on")
    assert len(stderr.splitlines()) == 2  # what it makes, and that it was interrupted
    assert not (out / "labels.csv").exists()
    resumed = synth(*MANY, "--workers", "1")
    assert resumed.code == 0, resumed.err
    assert "of 56 pictures are there already" in resumed.err
    assert files(out) == whole


@pytest.mark.slow
def test_a_killed_run_leaves_no_processes_and_no_half_files(
    iqa: Iqa, synth: Callable[..., Result], pristine: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = iqa.process("data", "synth", "--from", pristine, "--out", out, *MANY, "--workers", "2")
    _wait_for_lines(out / "progress.jsonl", 2)
    children = [
        int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ]
    assert len(children) >= 2
    process.kill()
    process.communicate(timeout=200)
    deadline = time.monotonic() + 30
    while any(_is_running(pid) for pid in children):
        assert time.monotonic() < deadline, "processes outlived their parent"
        time.sleep(0.05)
    # What a kill in the middle of a write, or a failing disk, would leave.
    journal = out / "progress.jsonl"
    lines = journal.read_bytes().splitlines()
    damaged = json.loads(lines[0])["rows"][0]["image"]
    (out / "images" / damaged).write_bytes(b"short")
    journal.write_bytes(journal.read_bytes() + b'{"key": "dog", "ty')
    (out / "images" / Path(damaged).parent / ".x.png.0000.part").write_bytes(b"half")
    resumed = synth(*MANY, "--workers", "1")
    assert resumed.code == 0, resumed.err
    assert files(out) == whole


def test_an_unreadable_photograph_is_named_and_left_out_until_it_is_mended(
    synth: Callable[..., Result], examples: Path, tmp_path: Path
) -> None:
    origin = tmp_path / "photos"
    origin.mkdir()
    shutil.copy(examples / "dog.jpg", origin)
    (origin / "broken\n.jpg").write_text("no picture")
    result = synth(*FEW, origin=origin)
    assert result.code == ExitCode.SOME_FAILED
    assert result.err.count(r"broken\n.jpg: not an image") == 1
    assert "1 photograph left out" in result.err
    assert result.lines[0].endswith("5 pictures of 1 photograph")
    assert json.loads((tmp_path / "out" / "synth.json").read_text())["complete"] is False
    shutil.copy(examples / "cliffs.jpg", origin / "broken\n.jpg")
    mended = synth(*FEW, origin=origin)
    assert mended.code == 0, mended.err
    assert "5 of 10 pictures are there already" in mended.err
    assert len(read_database("csv", tmp_path / "out").records) == 10
    # A photograph that is replaced later is another one.
    (tmp_path / "out" / "images" / "dog" / "jpeg_2.png").unlink()
    shutil.copy(examples / "palace.jpg", origin / "dog.jpg")
    changed = synth(*FEW, origin=origin)
    assert changed.code == ExitCode.NOT_AVAILABLE
    assert "dog.jpg is not the photograph any more" in changed.err


def test_ctrl_c_in_one_process(synth: Callable[..., Result], examples: Path, tmp_path: Path) -> None:
    class PressesCtrlC(io.StringIO):
        def write(self, said: str) -> int:
            if "a-broken.jpg" in said:
                os.kill(os.getpid(), signal.SIGINT)
            return super().write(said)

    origin = tmp_path / "photos"
    origin.mkdir()
    shutil.copy(examples / "dog.jpg", origin / "b.jpg")
    (origin / "a-broken.jpg").write_text("no picture")
    err = PressesCtrlC()
    command = ["data", "synth", "--from", str(origin), "--out", str(tmp_path / "out"), *FEW]
    assert run(command, Environment(io.BytesIO(), io.BytesIO(), err)) == ExitCode.INTERRUPTED
    assert err.getvalue().endswith("iqa: interrupted after 0 of 10 pictures; the same command goes on\n")


def test_a_full_disk_is_one_line_and_the_run_goes_on_later(
    synth: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, written = Replacement.complete, []

    def full(made: Replacement) -> None:
        written.append(made)
        if len(written) == 5:  # the record, three pictures
            made.file.truncate(100)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(made)

    monkeypatch.setattr(Replacement, "complete", full)
    result = synth(*FEW)
    assert result.code == ExitCode.NOT_AVAILABLE
    error = next(line for line in result.err.splitlines() if "error" in line)
    assert error == f"iqa: error: cannot write to '{tmp_path / 'out'}': no space left on device"
    assert "the same command goes on" in result.err
    assert len(files(tmp_path / "out")) == 3
    again = synth(*FEW)
    assert again.code == 0, again.err
    assert len(read_database("csv", tmp_path / "out").records) == 15


def test_another_run_or_anything_else_in_the_folder_is_refused(
    iqa: Iqa, synth: Callable[..., Result], pristine: Path, examples: Path, tmp_path: Path
) -> None:
    one = ["--types", "jpeg", "--levels", "3", "--size", "64", "--workers", "1", "--limit", "1"]
    assert synth(*one).code == 0
    before = files(tmp_path / "out")
    for options, difference in (
        ([*one, "--seed", "1"], "settings seed (0 there, 1 now)"),
        ([*one[:2], "--levels", "3,4", *one[4:]], "settings levels (3 there, 3,4 now)"),
        (one[:-2], "sources photographs (1 there, 3 now)"),
    ):
        refused = synth(*options)
        assert refused.code == ExitCode.USAGE
        assert "holds another run: " in refused.err
        assert difference in refused.err
        assert "hint: give --out a new or empty folder" in refused.err
    assert files(tmp_path / "out") == before
    # The same command again finds everything there.
    again = synth(*one)
    assert again.code == 0
    assert "2 of 2 pictures are there already" in again.err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    result = iqa("data", "synth", "--from", pristine, "--out", tmp_path / "other", *one)
    assert (result.code, (tmp_path / "other" / "notes.txt").read_text()) == (ExitCode.USAGE, "mine")
    assert "is not empty and no synthetic database" in result.err
    inside = iqa("data", "synth", "--from", pristine, "--out", pristine / "images" / "out", *one)
    assert inside.code == ExitCode.USAGE
    assert "lie in one another" in inside.err
    assert not (pristine / "images" / "out").exists()


def test_two_runs_do_not_write_to_one_folder(synth: Callable[..., Result], tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    one = ["--types", "jpeg", "--levels", "3", "--size", "64", "--workers", "1", "--limit", "1"]
    assert synth(*one).code == 0
    with (tmp_path / "out" / "progress.jsonl").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = synth(*one)
    assert refused.code == ExitCode.USAGE
    assert "another run is writing" in refused.err


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (["--types", "jpg"], "no distortion 'jpg'", "did you mean jpeg?"),
        (["--types", ","], "names no distortion", "gaussian_blur"),
        (["--levels", "0,2"], "levels are 1 to 5", ""),
        (["--levels", "a"], "'a' is no level", "2-4"),
        (["--size", "40"], "40 is too small", "from 64, or 0"),
        (["--part", "test"], "has no part 'test'", "parts: train, val"),
    ],
)
def test_wrong_options(synth: Callable[..., Result], options: list[str], message: str, hint: str) -> None:
    result = synth(*options)
    assert result.code in (ExitCode.USAGE, ExitCode.NOT_AVAILABLE)
    assert message in result.err
    assert hint in result.err


def test_progress_is_drawn_on_a_terminal_alone(synth: Callable[..., Result]) -> None:
    one = ["--types", "jpeg", "--levels", "2-3", "--size", "64", "--workers", "1", "--limit", "1"]
    drawn = synth(*one, terminal="stderr")
    assert drawn.code == 0
    assert "3/3" in drawn.err
    assert "\x1b[" in drawn.err
    plain = synth(*one)
    assert "\x1b" not in plain.err
    assert synth(*one, "-q").err == ""


def _wait_for_lines(journal: Path, number: int) -> None:
    deadline = time.monotonic() + 120
    while not journal.exists() or journal.read_bytes().count(b"\n") < number:
        assert time.monotonic() < deadline, "nothing was made"
        time.sleep(0.005)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
