"""Completion in real shells: names of weights, databases, formats, files; nothing heavy is imported."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iqa_cli.cli.app import COMMANDS, LazyCommand
from iqa_cli.cli.completing import complete_weight
from tests.cli.conftest import Iqa
from tests.cli.test_app import HEAVY
from tests.conftest import ROOT

_BASH = """
offer() {
  COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=()
  _iqa_completion iqa "${COMP_WORDS[$COMP_CWORD]}" "${COMP_WORDS[$COMP_CWORD-1]}"
  echo "${COMPREPLY[@]}"
}
source completion
"""
# Long enough for a shell on a crowded machine.
_AT_MOST = 60.0


@pytest.fixture
def home(tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with `iqa` in its folder bin on the PATH and the tiny weight by name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "iqa").write_text(f"#!/bin/sh\nexec '{sys.executable}' -m iqa_cli \"$@\"\n")
    (folder / "iqa").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IQA_WEIGHTS", str(tiny_weights))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.safetensors").touch()
    (tmp_path / "mine.seen.safetensors").touch()
    (tmp_path / "$(touch hit).safetensors").touch()
    return tmp_path


def offered(shell: str, *lines: str) -> list[list[str]]:
    """What a shell offers for the last word of each line, by the script of `iqa --show-completion`."""
    write_script(shell)
    if shell == "bash":
        # Words of a line are parted by one space: the last one may be empty.
        calls = ["offer " + " ".join(f"'{word}'" for word in line.split(" ")) for line in lines]
        command = ["bash", "--norc", "-c", _BASH + "\n".join(calls)]
    else:
        calls = [f"echo (complete -C '{line}' | string replace -r '\\t.*' '')" for line in lines]
        command = ["fish", "--no-config", "-c", "source completion\n" + "\n".join(calls)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line.split() for line in done.stdout.splitlines()]


def write_script(shell: str) -> None:
    """The file completion in the working directory."""
    environ = {**os.environ, "_IQA_COMPLETE": f"source_{shell}"}
    Path("completion").write_bytes(
        subprocess.run(["iqa"], env=environ, capture_output=True, check=True).stdout
    )


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_names_and_leaves_files_to_the_shell(home: Path) -> None:
    command, weight, database, nothing, unknown = offered(
        "bash", "iqa sc", "iqa score --model m", "iqa eval --dataset k", "iqa score x", "iqa xyzzy --m"
    )
    assert command == ["score"]
    assert weight[0] == "mfenet"
    assert weight[-1] == "mine.safetensors"
    assert database == ["kadid10k", "koniq10k"]
    assert nothing == unknown == []
    assert "complete -o default" in Path("completion").read_text()  # files, where nothing is offered


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_options_formats_and_hostile_names(home: Path) -> None:
    options, formats, weights = offered("bash", "iqa score --m", "iqa score --format j", "iqa score --model ")
    assert "--model" in options
    assert formats == ["json", "jsonl"]
    assert "mine.safetensors" in weights
    assert not any("touch" in word or "seen" in word for word in weights)
    assert not (home / "hit").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes_names_and_files(home: Path) -> None:
    weight, database, file = offered("fish", "iqa score --model mf", "iqa data check k", "iqa score mi")
    assert weight == ["mfenet"]
    assert database == ["kadid10k", "koniq10k"]
    assert file == ["mine.safetensors", "mine.seen.safetensors"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("iqa score --model mfe", "iqa score --model mfenet"),
        ("iqa eval --dataset kon", "iqa eval --dataset koniq10k"),
        ("iqa score mine.saf", "iqa score mine.safetensors"),
    ],
)
def test_zsh_completes_on_a_terminal(home: Path, typed: str, shown: str) -> None:
    import pty

    write_script("zsh")
    keyboard, terminal = pty.openpty()
    environ = {**os.environ, "TERM": "dumb", "PS1": "ready> "}
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=terminal, stdout=terminal, stderr=terminal, env=environ, close_fds=True
    )
    os.close(terminal)
    screen = b""
    try:
        os.write(keyboard, b"autoload -Uz compinit; compinit -u -D; source ./completion; echo set up\n")
        for awaited, then in ((b"\nset up", f"{typed}\t".encode()), (shown.encode(), b"")):
            end = time.monotonic() + _AT_MOST
            while awaited not in screen.replace(b"\r", b""):
                assert time.monotonic() < end, screen
                if select.select([keyboard], [], [], 1)[0]:
                    screen += os.read(keyboard, 4096)
            os.write(keyboard, then)
    finally:
        shell.kill()
        shell.wait()
        os.close(keyboard)


def test_every_option_that_takes_a_weight_or_a_database_knows_their_names() -> None:
    names = {"--model", "--a", "--b", "--teacher", "--unseen-by", "--dataset", "--data"}
    found = 0
    for name, origin in COMMANDS.items():
        command = LazyCommand(name, *origin).load()
        for one in getattr(command, "commands", {name: command}).values():
            for parameter in one.params:
                if names & set(parameter.opts) or parameter.metavar == "WEIGHT":
                    found += 1
                    assert parameter._custom_shell_complete is not None, f"{one.name}: {parameter.opts}"
    assert found > 15


def test_a_home_of_nobody_offers_nothing(home: Path) -> None:
    assert complete_weight("~nosuchuser/x") == []
    assert complete_weight("mine") == ["mine.safetensors"]


@pytest.mark.parametrize("line", ["iqa score --model ", "iqa data check "])
def test_completion_imports_nothing_heavy_and_says_nothing(iqa: Iqa, line: str) -> None:
    code = (
        "import sys\n"
        "from iqa_cli.cli.app import run\n"
        "run([])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    words = str(len(line.split()))
    environ = {**os.environ, "_IQA_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": words}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"
    assert len(done.stdout.split()) >= 1
