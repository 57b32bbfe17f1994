"""`iqa models` and `iqa models show`: what is printed, where, and with which exit code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from iqa_cli.card import LADDER, Card
from iqa_cli.cli.app import run as run_iqa
from iqa_cli.cli.context import Environment
from iqa_cli.cli.models import app
from iqa_cli.errors import ExitCode, WeightsError
from iqa_cli.finding import search_folders
from iqa_cli.images.policy import SizePolicy
from iqa_cli.weights import save_weights


def make_card(**changes: Any) -> Card:
    output = {
        "range": [0, 100],
        "direction": "higher is better",
        "scale": "100 x MOS of BIQ2021",
        "calibration": {"kind": "isotonic", "x": [0.1, 0.5, 0.9], "y": [5.0, 45.0, 95.0]},
        "percentiles": {"1": 12.25, "50": 55.0, "99": 91.0},
        "ladder": LADDER,
    }
    values: dict[str, Any] = {
        "name": "tiny",
        "network": "mfenet",
        "config": {"van": "tiny", "dan": "none"},
        "input": SizePolicy().to_dict(),
        "output": output,
        "training": [{"dataset": "BIQ2021", "n": 9600, "split_sha256": "ab" * 32}],
        "starting_points": [{"part": "dan", "licence": "origin not documented"}],
        "results": [{"srcc": 0.84213, "interval": [0.83, 0.85], "command": "iqa eval biq2021 --part val"}],
        "licence": {"weights": "Apache-2.0"},
        "date": "2026-11-21",
        "code_version": "0.1.0",
        "notes": ["A weight of a test."],
    }
    return Card(**{**values, **changes})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mine"
    save_weights(path / "tiny.safetensors", {"a": torch.zeros(600, 600)}, make_card())
    monkeypatch.setenv("IQA_WEIGHTS", str(path))
    monkeypatch.setenv("COLUMNS", "100")
    return path


def run(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result


def mine(folder: Path, output: str) -> list[list[str]]:
    """The tab-separated rows of this test's weights: others may be shipped with the checkout."""
    rows = [line.split("\t") for line in output.splitlines()]
    return [row for row in rows if row[5].startswith(str(folder))]


def test_piped_list_is_tab_separated(folder: Path) -> None:
    result = run()
    path = str(folder / "tiny.safetensors")
    assert mine(folder, result.stdout) == [["tiny", "mfenet", "0.7", "0-100", "0.842", path, ""]]
    assert result.stderr == ""


def test_list_as_json(folder: Path) -> None:
    rows = [row for row in json.loads(run("--format", "json").stdout) if row["file"].startswith(str(folder))]
    assert rows == [
        {
            "name": "tiny",
            "network": "mfenet",
            "mib": 0.7,
            "range": [0, 100],
            "srcc": 0.84213,
            "file": str(folder / "tiny.safetensors"),
            "error": None,
        }
    ]


def test_list_as_table(folder: Path) -> None:
    lines = run("--format", "table").stdout.splitlines()
    assert lines[0].split() == ["name", "network", "MiB", "range", "SRCC", "file"]
    assert any(line.split()[:5] == ["tiny", "mfenet", "0.7", "0-100", "0.842"] for line in lines)


def test_a_damaged_weight_is_a_row_and_the_others_are_listed(folder: Path) -> None:
    (folder / "broken.safetensors").write_bytes((folder / "tiny.safetensors").read_bytes()[:500])
    (folder / "[red].safetensors").write_bytes(b"\x80\x02nothing")
    for arguments in ((), ("--format", "json"), ("--format", "table")):
        result = run(*arguments, code=ExitCode.NOT_AVAILABLE)
        for text in ("broken", "cut short", "[red]", "pickle", "tiny"):
            assert text in result.stdout
    names = [row[0] for row in mine(folder, run(code=4).stdout)]
    assert names == ["[red]", "broken", "tiny"]


def test_no_weights_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iqa_cli.finding.search_folders", lambda: [tmp_path])
    result = run(code=ExitCode.NOT_AVAILABLE)
    assert result.stdout == ""
    assert "IQA_WEIGHTS" in result.stderr
    assert json.loads(run("--format", "json", code=4).stdout) == []


def test_a_home_that_nobody_has_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IQA_WEIGHTS", "~nobody-of-this-name/weights")
    with pytest.raises(WeightsError, match="names ~nobody-of-this-name/weights, which is not a folder"):
        search_folders()


def test_show_for_a_reader(folder: Path) -> None:
    text = " ".join(run("show", "tiny").stdout.split())
    for part in (
        "network mfenet van tiny, dan none",
        "0.7 MiB; checksum verified",
        "0 to 100, higher is better: 100 x MOS of BIQ2021",
        "excellent from 80, good from 60, fair from 40, poor from 20, bad from 0",
        "isotonic through 3 points, from 0.1 -> 5 to 0.9 -> 95",
        "1: 12.2, 50: 55.0, 99: 91.0",
        "crops of 224x224",
        "dataset BIQ2021, n 9600, split_sha256 abab",
        "licence origin not documented",
        "srcc 0.84213, interval [0.83, 0.85], command iqa eval biq2021 --part val",
        "weights: Apache-2.0",
        "made 2026-11-21 with version 0.1.0",
        "A weight of a test.",
    ):
        assert part in text
    assert max(len(line) for line in run("show", "tiny").stdout.splitlines() if "sha256" not in line) <= 140


def test_show_as_json_has_the_whole_card(folder: Path) -> None:
    shown = json.loads(run("show", str(folder / "tiny.safetensors"), "--format", "json").stdout)
    assert Card.from_dict(shown["card"]) == make_card()
    assert shown["checksum"] == "verified"
    assert shown["bytes"] == (folder / "tiny.safetensors").stat().st_size


def test_show_tells_of_a_hidden_weight_of_the_same_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other" / "tiny.safetensors"
    save_weights(other, {"a": torch.zeros(2)}, make_card(notes=["the hidden one"]))
    monkeypatch.setenv("IQA_WEIGHTS", f"{folder}:{other.parent}")
    text = run("show", "tiny").stdout
    assert f"another file of that name: {other}" in " ".join(text.split())
    assert "the hidden one" not in text
    assert len(mine(tmp_path, run().stdout)) == 1


def test_show_says_when_nothing_is_known(folder: Path) -> None:
    bare = make_card(
        training=[], starting_points=[], results=[], licence={}, date="", code_version="", notes=[]
    )
    save_weights(folder / "bare.safetensors", {"a": torch.zeros(2)}, bare)
    (folder / "SHA256SUMS").unlink()
    text = run("show", "bare").stdout
    assert "not listed in a SHA256SUMS" in " ".join(text.split())
    assert "seen          not recorded" in text
    assert [row[4] for row in mine(folder, run().stdout)] == ["", "0.842"]


def test_a_card_cannot_drive_the_terminal(folder: Path) -> None:
    card = make_card(
        notes=["\x1b[2Jgone \x1b]0;title\x07 \u202eesrever\nsecond"], licence={"\x1b[31m": "\x9b31m"}
    )
    save_weights(folder / "evil.safetensors", {"a": torch.zeros(2)}, card)
    (folder / "\x1b[31m.safetensors").write_bytes(b"")
    for arguments in (("show", "evil"), ("show", "evil", "--format", "json")):
        assert all(line.isprintable() for line in run(*arguments).stdout.splitlines())
    for form in ("tsv", "json", "table"):
        lines = run("--format", form, code=4).stdout.splitlines()
        assert all(line.replace("\t", "").isprintable() for line in lines)


def test_an_ascii_terminal_shows_any_card(folder: Path) -> None:
    card = make_card(network="网络", notes=["质量"])
    save_weights(folder / "名.safetensors", {"a": torch.zeros(2)}, card)
    for arguments in ([], ["--format", "table"], ["show", "名"], ["show", "名", "--format", "json"]):
        code = f"from iqa_cli.cli.models import app; app({arguments!r})"
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=environment
        )
        assert done.returncode == 0, done.stderr
        # Click writes UTF-8 to a stream that claims ASCII, Rich and JSON escape.
        assert "网络" in done.stdout or "\\u7f51\\u7edc" in done.stdout


def test_failures_are_one_line_with_the_exit_code_of_weights(folder: Path) -> None:
    def failure(name: str) -> WeightsError:
        error = CliRunner().invoke(app, ["show", name]).exception
        assert isinstance(error, WeightsError)
        assert error.exit_code == ExitCode.NOT_AVAILABLE
        return error

    assert "did you mean 'tiny'?" in failure("tinny").message
    content = bytearray((folder / "tiny.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "tiny.safetensors").write_bytes(content)
    assert "SHA-256" in failure("tiny").message


def test_as_a_part_of_iqa(folder: Path) -> None:
    def iqa(*arguments: str, terminal: bool = False) -> tuple[int, str, str]:
        out, err = io.BytesIO(), io.StringIO()
        env = Environment(io.BytesIO(), out, err, stdout_is_terminal=terminal)
        return run_iqa(["models", *arguments], env), out.getvalue().decode(), err.getvalue()

    code, out, err = iqa()
    assert (code, err) == (0, "")
    assert [row[0] for row in mine(folder, out)] == ["tiny"]
    assert iqa(terminal=True)[1].startswith("name ")
    assert iqa("show", "tiny")[1].startswith("name          tiny\n")
    code, out, err = iqa("show", "tinny")
    assert (code, out) == (ExitCode.NOT_AVAILABLE, "")
    assert err.startswith("iqa: error: there is no weight 'tinny'; did you mean 'tiny'?\n")
    (folder / "tiny.safetensors").write_bytes(b"")
    assert iqa()[0] == ExitCode.NOT_AVAILABLE


def test_wrong_usage(folder: Path) -> None:
    for arguments in (("show",), ("--format", "xml"), ("sho", "tiny"), ("show", "tiny", "--formt", "json")):
        run(*arguments, code=ExitCode.USAGE)


def test_help_of_both(folder: Path) -> None:
    assert "iqa models show mfenet" in run("-h").stdout
    assert "--format" in run("show", "--help").stdout


def test_listing_and_showing_import_no_torch(folder: Path) -> None:
    code = (
        "import sys; from iqa_cli.cli.models import app\n"
        "for arguments in ([], ['show', 'tiny'], ['--format', 'json']):\n"
        "    app(arguments, standalone_mode=False)\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
