"""Where the rows of `iqa score` go, and what is left of a run that is cut short."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.cli import run as running
from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa

Photos = Callable[..., Path]
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("o.csv", b"path,score"),
        ("o.tsv", b"a.jpg\t"),
        ("o.json", b"[\n"),
        ("o.jsonl", b"{"),
        ("o.out", b"a.jpg\t"),
    ],
)
def test_the_name_of_the_file_tells_the_format(iqa: Iqa, photos: Photos, name: str, start: bytes) -> None:
    folder = photos("a.jpg")
    result = iqa("score", "a.jpg", "-o", name, terminal="stdout")
    assert (result.code, result.out, result.err) == (0, b"", "")
    assert (folder / name).read_bytes().startswith(start)
    assert sorted(path.name for path in folder.iterdir()) == ["a.jpg", name]
    assert iqa("score", "a.jpg", "--format", "csv", "-o", "-").out.startswith(b"path,score")


@pytest.mark.parametrize(
    ("name", "hint"), [("a.xlsx", ".csv"), ("a.html", "iqa report"), ("a.DB", "--store")]
)
def test_a_name_of_another_kind_of_file_is_refused_unless_a_format_is_asked_for(
    iqa: Iqa, photos: Photos, name: str, hint: str
) -> None:
    photos("a.jpg")
    for command in ("score", "rank"):
        result = iqa(command, "a.jpg", "-o", name)
        assert result.code == 2
        assert f"-o {name}: rows are not written as" in result.err
        assert hint in result.err
        assert not Path(name).exists()
    assert iqa("score", "a.jpg", "-o", name, "--format", "csv").code == 0
    assert Path(name).read_bytes().startswith(b"path,score")


def test_an_earlier_result_is_replaced_only_by_a_complete_one(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    target = folder / "o.csv"
    target.write_text("earlier")
    target.chmod(0o640)
    assert iqa("score", "a.jpg", "-o", "o.csv", "--model", "none").code == 4
    assert target.read_text() == "earlier"
    assert iqa("score", "a.jpg", "-o", "o.csv").code == 0
    assert target.read_text().startswith("path,")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("place", "reason"),
    [("none/o.csv", "there is no such folder"), (".", "it is a folder"), ("a.jpg", "is a picture")],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_is_scored(
    iqa: Iqa, photos: Photos, place: str, reason: str
) -> None:
    folder = photos("a.jpg", "b.jpg")
    before = (folder / "a.jpg").read_bytes()
    result = iqa("score", "b.jpg", "-o", place)
    assert result.code == ExitCode.USAGE
    assert reason in result.err
    assert (folder / "a.jpg").read_bytes() == before


@needs_full
def test_a_full_disk_is_one_line(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg", "b.jpg")
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        result = iqa("score", "a.jpg", "b.jpg", stdout=full)
        assert result.code == ExitCode.USAGE
        assert result.err == "iqa: error: cannot write to stdout: no space left on device\n"
    for name in ("csv", "json", "jsonl", "table"):
        result = iqa("score", "a.jpg", "-o", "/dev/full", "--format", name)
        assert result.code == ExitCode.USAGE
        assert result.err == "iqa: error: cannot write to /dev/full: no space left on device\n"


@needs_full
def test_a_full_disk_is_not_told_again_when_the_process_ends(iqa: Iqa, examples: Path) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        process = iqa.process("score", examples / "dog.jpg", stdout=full)
        _, said = process.communicate(timeout=60)
    assert process.returncode == ExitCode.USAGE
    assert said == b"iqa: error: cannot write to stdout: no space left on device\n"


class _ClosedPipe(io.BytesIO):
    """A reader that goes after the first row."""

    def write(self, data: Any) -> int:
        if self.tell():
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(data)


@pytest.mark.parametrize("form", ["tsv", "jsonl", "json", "csv", "table"])
def test_a_closed_pipe_ends_quietly(iqa: Iqa, photos: Photos, form: str) -> None:
    photos("a.jpg", "b.jpg", "c.jpg")
    result = iqa("score", "a.jpg", "b.jpg", "c.jpg", "--format", form, stdout=_ClosedPipe())
    assert (result.code, result.err) == (0, "")
    assert result.out


def test_a_closed_pipe_of_a_real_process(iqa: Iqa, examples: Path) -> None:
    process = iqa.process("score", "-r", examples, "--format", "jsonl")
    assert process.stdout is not None
    assert process.stderr is not None
    json.loads(process.stdout.readline())
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 0


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the second row."""
    real = running._predictions

    def stop_after_two(*args: Any) -> Any:
        card, predictions = real(*args)

        def some() -> Any:
            yield next(predictions)
            yield next(predictions)
            raise KeyboardInterrupt

        return card, some()

    monkeypatch.setattr(running, "_predictions", stop_after_two)


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("order", [[], ["--sort", "score"]])
@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "tsv"])
def test_after_ctrl_c_the_rows_so_far_are_there_and_well_formed(
    iqa: Iqa, photos: Photos, form: str, order: list[str]
) -> None:
    folder = photos("a.jpg", "b.jpg", "c.jpg")
    result = iqa("score", "-r", ".", "--format", form, *order)
    assert result.code == ExitCode.INTERRUPTED
    assert result.err == "iqa: interrupted; 2 pictures done\n"
    to_file = iqa("score", "-r", ".", "-o", "o.txt", "--format", form, *order)
    assert to_file.code == ExitCode.INTERRUPTED
    assert (folder / "o.txt").read_bytes() == result.out
    assert sorted(path.name for path in folder.iterdir()) == ["a.jpg", "b.jpg", "c.jpg", "o.txt"]
    text = result.out.decode()
    if form == "json":
        paths = [row["path"] for row in json.loads(text)]
    elif form == "jsonl":
        paths = [json.loads(line)["path"] for line in text.splitlines()]
    elif form == "csv":
        paths = [row["path"] for row in csv.DictReader(io.StringIO(text))]
    else:
        paths = result.paths
    assert sorted(paths) == ["./a.jpg", "./b.jpg"]


class _PressesCtrlC(io.BytesIO):
    """A stdout during whose second row Ctrl-C is pressed, half of it being written."""

    def write(self, data: Any) -> int:
        if self.getvalue().count(b"\n") == 1:
            super().write(data[:9])
            os.kill(os.getpid(), signal.SIGINT)
            return 9 + super().write(data[9:])
        return super().write(data)


@pytest.mark.parametrize("form", ["tsv", "jsonl"])
def test_ctrl_c_while_a_row_is_written_neither_loses_nor_cuts_it(iqa: Iqa, photos: Photos, form: str) -> None:
    photos("a.jpg", "b.jpg", "c.jpg")
    stdout = _PressesCtrlC()
    result = iqa("score", "-r", ".", "--format", form, stdout=stdout)
    assert result.code == ExitCode.INTERRUPTED
    assert result.err == "iqa: interrupted; 2 pictures done\n"
    assert stdout.getvalue() == b"".join(
        iqa("score", name, "--format", form).out for name in ("./a.jpg", "./b.jpg")
    )
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_of_a_real_process(iqa: Iqa, examples: Path, tmp_path: Path) -> None:
    for number in range(2000):
        os.link(_copy(examples / "palace.jpg", tmp_path), tmp_path / f"{number:04}.jpg")
    # Unbuffered: what readline has read ahead would be lost on communicate, which reads the descriptor.
    process = iqa.process("score", "-r", tmp_path, "--format", "jsonl", bufsize=0)
    assert process.stdout is not None
    first = process.stdout.readline()
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)
    assert time.monotonic() - started < 10
    assert process.returncode == 130
    rows = [json.loads(line) for line in (first + rest).splitlines()]
    assert 0 < len(rows) < 2000
    assert all(row["error"] is None for row in rows)
    told = re.fullmatch(r"iqa: interrupted; (\d+) pictures? done\n", said.decode())
    assert told is not None
    assert int(told[1]) == len(rows)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP"])
def test_a_process_that_is_asked_to_end_keeps_its_rows(
    iqa: Iqa, examples: Path, tmp_path: Path, how: str
) -> None:
    """By `kill`, `timeout`, a batch system or a terminal that is closed: as by Ctrl-C."""
    pictures, place = tmp_path / "pictures", tmp_path / "rows.csv"
    pictures.mkdir()
    for number in range(2000):
        os.link(_copy(examples / "palace.jpg", tmp_path), pictures / f"{number:04}.jpg")
    # Below `nohup` a closed terminal would be ignored, as it should be.
    asked = getattr(signal, how)
    process = iqa.process(
        "score", "-r", pictures, "-o", place, preexec_fn=lambda: signal.signal(asked, signal.SIG_DFL)
    )
    end = time.monotonic() + 120
    # The rows wait in a file beside it, which grows.
    while not any(path.stat().st_size > 1000 for path in tmp_path.glob(".rows.csv.*.part")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(asked)
    _, said = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    rows = list(csv.DictReader(place.read_text().splitlines()))
    assert said.decode() == f"iqa: interrupted; {len(rows):,} pictures done\n"
    assert all(float(row["score"]) > 0 for row in rows)
    assert not list(tmp_path.glob("*.part"))


def _copy(source: Path, folder: Path) -> Path:
    target = folder / ".original"
    if not target.exists():
        target.write_bytes(source.read_bytes())
    return target


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_second_ctrl_c_does_not_wait_for_long_work() -> None:
    code = (
        "import hashlib, signal\n"
        "from iqa_cli.cli.interrupt import second_interrupt_exits\n"
        # However early the first one comes, it is not what ends the process.
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "with second_interrupt_exits():\n"
        "    print('ready', flush=True)\n"
        "    hashlib.pbkdf2_hmac('sha256', b'a', b'b', 10**9)\n"  # minutes, without a step of Python
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    process.stdout.close()
