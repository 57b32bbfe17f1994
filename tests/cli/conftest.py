"""`iqa` run in this process, in a world made for the test; and a folder with a tiny weight."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from iqa_cli.cli.app import run
from iqa_cli.cli.context import Environment
from tests.cli import evaldata
from tests.conftest import ROOT
from tests.tinyweight import make_tiny_weight
from tests.training import tinydata


@dataclass
class Result:
    """What a run has left."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        """Lines of stdout."""
        return self.out.decode("utf-8", "surrogateescape").splitlines()

    @property
    def rows(self) -> list[list[str]]:
        """Cells of tab-separated rows."""
        return [line.split("\t") for line in self.lines]

    @property
    def paths(self) -> list[str]:
        """First cells of tab-separated rows."""
        return [row[0] for row in self.rows]


#: The fixtures `train` and `make_eval_data`.
Train = Callable[..., Result]
MakeData = Callable[..., Path]


@dataclass
class Iqa:
    """Runs command lines; torch is imported once for all of them."""

    weights: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(
        self,
        *args: object,
        stdin: bytes | BinaryIO = b"",
        stdout: Any = None,
        terminal: str = "",
        **world: Any,
    ) -> Result:
        """Run `iqa ARGS`; `terminal` names the streams that are one, as in "stdin stdout"."""
        out = io.BytesIO() if stdout is None else stdout
        err = io.StringIO()
        env = Environment(
            stdin=io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin,
            stdout=out,
            stderr=err,
            stdin_is_terminal="stdin" in terminal,
            stdout_is_terminal="stdout" in terminal,
            stderr_is_terminal="stderr" in terminal,
            environ=self.environ,
            **world,
        )
        code = run([str(argument) for argument in args], env)
        return Result(code, out.getvalue() if isinstance(out, io.BytesIO) else b"", err.getvalue())

    def process(self, *args: object, **options: Any) -> subprocess.Popen[bytes]:
        """Start a process of its own, where the signals and descriptors of a process are what is tested."""
        environ = {**os.environ, "IQA_WEIGHTS": str(self.weights), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "iqa_cli", *map(str, args)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=ROOT, env=environ, **{**pipes, **options})


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """A folder with one tiny weight, called mfenet."""
    folder = tmp_path_factory.mktemp("weights")
    make_tiny_weight(folder, examples)
    return folder


@pytest.fixture
def iqa(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iqa:
    """The program, with the tiny weight as the only one named by IQA_WEIGHTS."""
    monkeypatch.setenv("IQA_WEIGHTS", str(tiny_weights))
    return Iqa(tiny_weights)


@pytest.fixture
def photos(tmp_path: Path, examples: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A function that copies examples under given names into a new folder, which becomes the working
    directory.

    photos("b.jpg", "sub/a.jpg") gives the folder; each name gets another photograph.
    """
    folder = tmp_path / "photos"
    folder.mkdir()
    monkeypatch.chdir(folder)
    originals = [examples / name for name in ("dog.jpg", "cliffs.jpg", "alpaca-dark.jpg", "palace.jpg")]

    def copy(*names: str) -> Path:
        for number, name in enumerate(names):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(originals[number % len(originals)], target)
        return folder

    return copy


@pytest.fixture
def weight(tmp_path: Path, tiny_weights: Path) -> Path:
    """A copy of the tiny weight that may be written, in a folder of its own."""
    folder = tmp_path / "copy"
    folder.mkdir()
    return Path(shutil.copy(tiny_weights / "mfenet.safetensors", folder))


@pytest.fixture
def make_eval_data(tmp_path: Path) -> MakeData:
    """`evaldata.make_data` with a folder of this test."""
    return partial(evaldata.make_data, tmp_path / "data")


@pytest.fixture
def opinions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """In the working directory: my/ with opinions of 60 pictures in 30 groups, and files good.csv, close.csv
    (as good, and better by chance only) and poor.csv."""
    monkeypatch.chdir(tmp_path)
    found = evaldata.make_opinions(
        tmp_path / "my",
        60,
        group=lambda i: i % 30,
        distortion=lambda i: ["jpeg", "blur|x", "noise\x1b[31m"][i % 3],
        level=lambda i: 1 + i % 12,
    )
    for name, noise, seed in (("good", 0.10, 1), ("close", 0.10, 2), ("poor", 1.0, 3)):
        evaldata.write_scores(Path(f"{name}.csv"), evaldata.noisy(found, noise, seed))
    return found


@pytest.fixture(scope="session")
def train_data(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """The tiny labelled data set to train on; a test that changes it takes a copy."""
    return tinydata.make_data(tmp_path_factory.mktemp("labels") / "data", examples)


@pytest.fixture
def train(iqa: Iqa, train_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """`iqa train` on the tiny data, in an empty folder, with further options."""
    monkeypatch.chdir(tmp_path)

    def call(*options: object, root: Path = train_data) -> Result:
        return iqa("train", "--dataset", "csv", "--root", root, "-o", "run", *tinydata.TINY, *options)

    return call
