"""The top level: help without heavy imports, suggestions, version, and what becomes of failures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from iqa_cli import __version__
from iqa_cli.cli import app as application
from iqa_cli.cli.app import COMMANDS, DEFECT
from iqa_cli.images.policy import SizePolicy
from tests.cli.conftest import Iqa

HEAVY = ("torch", "timm", "scipy", "cv2", "numpy", "PIL", "safetensors")


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"], ["models", "-h"], ["scor"]])
def test_help_and_misspellings_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from iqa_cli.cli.app import run\n"
        f"code = run({arguments!r})\n"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == ("2 []" if arguments == ["scor"] else "0 []")


def test_help_begins_with_examples_and_lists_every_command(iqa: Iqa) -> None:
    result = iqa("-h")
    text = result.out.decode()
    assert result.code == 0
    assert result.err == ""
    assert text.index("iqa score photo.jpg") < text.index("--version")
    for name, (_, _, summary) in COMMANDS.items():
        assert name in text
        assert summary[:30] in text


def test_no_arguments_is_the_help(iqa: Iqa) -> None:
    assert iqa().out == iqa("--help").out


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_loads_and_documents_each_of_its_options(iqa: Iqa, name: str) -> None:
    result = iqa(name, "--help")
    assert result.code == 0, result.err
    command = application.LazyCommand(name, *COMMANDS[name]).load()
    assert command.help
    for parameter in command.params:
        assert parameter.help, f"{name}: {parameter.name} has no help"


def test_help_of_score_states_direction_and_size_policy(iqa: Iqa) -> None:
    text = " ".join(iqa("score", "--help").out.decode().split())
    assert "0 to 100, higher is better" in text
    assert text.count("iqa score") >= 4  # the usage line and three examples
    for sentence in SizePolicy(crop=288).describe():  # of the shipped weights
        assert sentence[:40] in text


def test_help_into_a_closed_pipe_is_quiet() -> None:
    command = [sys.executable, "-m", "iqa_cli", "score", "--help"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 0


def test_version(iqa: Iqa) -> None:
    assert iqa("--version").lines == [f"iqa {__version__}"]


@pytest.mark.parametrize(
    ("arguments", "line", "hint"),
    [
        (["scroe", "a.jpg"], "there is no command 'scroe'", "'iqa score'"),
        (["xyzzy"], "there is no command 'xyzzy'", "commands: score"),
        (["score", "--formt", "csv", "a.jpg"], "no such option: --formt", "--format"),
        (["score", "--format", "jsn", "a.jpg"], "'jsn' is not one of", "did you mean 'json'?"),
        (["score", "--sort", "xyzzy", "a.jpg"], "'xyzzy' is not one of", "iqa score --help"),
        (["score", "--model", "mfnet", "a.jpg"], "did you mean 'mfenet'?", "mfenet"),
        (["score", "--top", "0", "a.jpg"], "--top", "iqa score --help"),
        (["score", "--batch-size", "many", "a.jpg"], "--batch-size", "iqa score --help"),
    ],
)
def test_misspelt_names_get_one_line_and_a_hint(iqa: Iqa, arguments: list[str], line: str, hint: str) -> None:
    result = iqa(*arguments)
    said = result.err.splitlines()
    assert result.code == (4 if "--model" in arguments else 2)
    assert result.out == b""
    assert len(said) == 2
    assert said[0].startswith("iqa: error: ")
    assert line in said[0]
    assert said[1].startswith("  hint: ")
    assert hint in said[1]


def test_a_name_that_begins_with_a_dash_is_told_how_to_be_given(
    iqa: Iqa, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(examples / "dog.jpg", "-dog\x1b[31m.jpg")
    result = iqa("score", "-dog\x1b[31m.jpg")
    assert result.code == 2
    assert "given as ./-dog\\x1b[31m.jpg" in result.err.splitlines()[1]
    assert "a dash" not in iqa("score", "-dig.jpg").err


def test_a_picture_in_place_of_a_command_is_told_how_to_be_scored(iqa: Iqa, examples: Path) -> None:
    result = iqa(examples / "dog.jpg")
    assert result.code == 2
    assert f"iqa score {examples / 'dog.jpg'}" in result.err


def test_control_characters_of_an_argument_do_not_reach_the_terminal(iqa: Iqa) -> None:
    result = iqa("sc\x1b[31more\n")
    assert "\x1b" not in result.err
    assert "sc\\x1b[31more\\n" in result.err


def test_a_defect_is_one_line_with_its_own_code_and_debug_shows_the_traceback(
    iqa: Iqa, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr("iqa_cli.cli.score.run_score", broken)
    result = iqa("score", "a.jpg")
    assert result.code == DEFECT
    assert result.err.splitlines()[0] == "iqa: error: unexpected ZeroDivisionError: one two"
    assert "Traceback" not in result.err
    assert "Traceback" in iqa("score", "--debug", "a.jpg").err
    assert "Traceback" in iqa("--debug", "score", "a.jpg").err


def test_what_the_system_says_of_a_file_is_no_defect(iqa: Iqa, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", "a\x1b[31m/b")

    monkeypatch.setattr("iqa_cli.cli.score.run_score", refused)
    result = iqa("score", "a.jpg")
    assert (result.code, result.err) == (2, "iqa: error: a\\x1b[31m/b: Permission denied\n")
    assert "Traceback" in iqa("--debug", "score", "a.jpg").err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is full")  # noqa: PTH110
@pytest.mark.parametrize("arguments", [["--help"], ["models"], ["models", "--format", "json"]])
def test_a_full_disk_behind_stdout_is_one_line(iqa: Iqa, arguments: list[str]) -> None:
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123
        result = iqa(*arguments, stdout=full)
    assert (result.code, result.err) == (2, "iqa: error: No space left on device\n")


@pytest.mark.skipif(os.name == "nt", reason="descriptors of POSIX")
def test_nothing_is_opened_in_place_of_a_standard_stream_that_was_closed() -> None:
    """A library in C that prints to stderr would write into a file of results that has its number."""
    code = (
        "import os, sys\n"
        "from iqa_cli.cli import app\n"
        "app.run = lambda: os.open(os.devnull, os.O_RDONLY)\n"
        "app.main()\n"
    )
    done = subprocess.run(["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, code], check=False)
    assert done.returncode > 2


def test_importing_the_package_is_light() -> None:
    code = f"import sys, iqa_cli; iqa_cli.Prediction; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
