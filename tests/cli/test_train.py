"""`iqa train` from labels to a weight that scores: resumed, interrupted, refused."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from iqa_cli.cli.app import run
from iqa_cli.cli.context import Environment
from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa, Train
from tests.training.tinydata import TINY

#: 6 steps an epoch, 12 in all: beyond the first line of the log, see `_logs_often`.
STEPS = ["--set", "batch=2", "--set", "distorted=1", "--set", "epochs=2", "--set", "warmup=5"]


@pytest.fixture(scope="module", autouse=True)
def _logs_often() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("iqa_cli.training.loop.LOG_EVERY", 10)
        yield


@pytest.fixture(scope="module")
def finished(train_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole run."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    err = io.StringIO()
    arguments = ["train", "--dataset", "csv", "--root", str(train_data), "-o", str(folder), *TINY, *STEPS]
    assert run(arguments, Environment(io.BytesIO(), io.BytesIO(), err)) == 0, err.getvalue()
    return folder


class InterruptedAt(io.StringIO):
    """A stderr that presses Ctrl-C when it reads a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def write(self, said: str) -> int:
        if self.text in said:
            os.kill(os.getpid(), signal.SIGINT)
        return super().write(said)


def test_the_trained_weight_scores(iqa: Iqa, finished: Path, examples: Path) -> None:
    scored = iqa("score", examples / "dog.jpg", "--weights", finished / "mfenet.safetensors")
    assert scored.code == 0, scored.err
    assert 0 <= float(scored.rows[0][1]) <= 100


def test_the_card_tells_the_command_and_what_was_used(iqa: Iqa, finished: Path, train_data: Path) -> None:
    card = json.loads(iqa("models", "show", finished / "mfenet.safetensors", "--format", "json").out)["card"]
    command = next(entry["command"] for entry in card["training"] if "command" in entry)
    assert shlex.split(command)[:6] == ["iqa", "train", "--data", "csv", "--root", str(train_data)]
    assert "--set epochs=2" in command
    assert card["starting_points"] == []
    assert card["licence"]["weights"] == "Apache-2.0"
    assert "BIQ2021" not in json.dumps(card["licence"])


def test_ctrl_c_saves_at_once_and_the_same_command_ends_as_if_nothing_had_been(
    train_data: Path, train: Train, finished: Path, tmp_path: Path
) -> None:
    err = InterruptedAt("step 10/12")
    arguments = [
        "train",
        "--dataset",
        "csv",
        "--root",
        str(train_data),
        "-o",
        str(tmp_path / "run"),
        *TINY,
        *STEPS,
    ]
    code = run(arguments, Environment(io.BytesIO(), io.BytesIO(), err))
    assert code == ExitCode.INTERRUPTED
    assert err.getvalue().endswith("iqa: interrupted at step 10; the same command resumes\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = train(*STEPS)
    assert resumed.code == 0
    assert "resumed at step 10 of 12" in resumed.err
    for name in ("last.pt", "best.pt"):
        ours, theirs = (torch.load(f / name, weights_only=True) for f in (tmp_path / "run", finished))
        ours, theirs = (state.get("network", state) for state in (ours, theirs))
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs), name


def test_a_finished_run_is_only_finished_again_and_quiet_says_nothing(
    train: Train, finished: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    before = (tmp_path / "run" / "log.jsonl").read_bytes()
    (tmp_path / "run" / "mfenet.safetensors").unlink()
    again = train(*STEPS, "--quiet")
    assert (again.code, again.err, again.out) == (0, "", b"")
    assert (tmp_path / "run" / "mfenet.safetensors").is_file()
    assert (tmp_path / "run" / "log.jsonl").read_bytes() == before


def test_another_run_is_not_resumed(train: Train, finished: Path, train_data: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    kept = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    other = tmp_path / "other"
    shutil.copytree(train_data, other)
    text = (other / "labels.csv").read_text()
    (other / "labels.csv").write_text("\n".join([*text.splitlines()[:-1], "val03.png,2.5,val3,train"]) + "\n")
    opinions = tmp_path / "opinions"
    shutil.copytree(train_data, opinions)
    (opinions / "labels.csv").write_text(text.replace("calib01.png,4", "calib01.png,3"))
    assert text != (opinions / "labels.csv").read_text()
    qen = tmp_path / "qen.safetensors"
    _van_weights(qen)
    for result, difference in (
        (train(*STEPS, "--set", "seed=4"), "settings seed (0 there, 4 now)"),
        (train(*STEPS, "--net", "dropout=0.1"), "network dropout (0.5 there, 0.1 now)"),
        (train(*STEPS, root=other), "data fit ("),
        (train(*STEPS, root=opinions), "data opinions ("),
        (train(*STEPS, "--qen", qen), "starts --qen (none there, "),
    ):
        assert result.code == ExitCode.USAGE
        assert f"run holds another run: {difference}" in result.err
        assert "-o/--output" in result.err
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == kept


def test_a_folder_of_the_first_version_is_resumed_when_its_settings_agree(
    train: Train, finished: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    written = json.loads(path.read_text())
    flat = {**written["settings"], "network_config": {"van": "tiny", "dan": "none", "head_width": 8}}
    path.write_text(json.dumps(flat))
    for options, difference in (
        (["--set", "weight_decay=0.5"], "settings weight_decay (0.02 there, 0.5 now)"),
        (["--net", "hfen=none"], "network hfen (octave there, none now)"),
    ):
        refused = train(*STEPS, *options)
        assert refused.code == ExitCode.USAGE
        assert difference in refused.err
    resumed = train(*STEPS)
    assert resumed.code == 0
    assert "is of an earlier version" in resumed.err
    assert json.loads(path.read_text()) == written


def test_a_damaged_checkpoint_is_one_line(train: Train, finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    last = tmp_path / "run" / "last.pt"
    last.write_bytes(last.read_bytes()[:3000])
    result = train(*STEPS)
    assert result.code == ExitCode.NOT_AVAILABLE
    errors = [line for line in result.err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert "last.pt: is damaged" in errors[0]


def test_a_share_is_held_out_where_there_is_no_part_to_choose_on(
    iqa: Iqa, train: Train, train_data: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    shutil.copytree(train_data, root)
    with (root / "labels.csv").open(newline="") as file:
        rows = [row[:3] for row in csv.reader(file)]
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert "has no part 'train'" in train(root=root).err
    result = train("--choose-share", "0.25", "--set", "batch=4", "--max-steps", "2", root=root)
    assert result.code == 0, result.err
    card = json.loads(iqa("models", "show", tmp_path / "run/mfenet.safetensors", "--format", "json").out)[
        "card"
    ]
    counts = [entry["images"] for entry in card["training"] if "images" in entry]
    assert sum(counts) == 22
    assert counts[1] in (5, 6)
    assert "stopped early, after 2 steps" in card["notes"][0]
    # The dry run did not choose an epoch, and the same command goes on from where it ended.
    assert not (tmp_path / "run" / "best.pt").exists()
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["step"] == 2


def test_a_loss_that_is_not_finite_ends_the_run_before_it_is_saved(train: Train, tmp_path: Path) -> None:
    result = train("--set", "rate_new=1e30", "--set", "warmup=0", "--set", "batch=2", "--set", "distorted=1")
    assert result.code == ExitCode.USAGE
    error = next(line for line in result.err.splitlines() if "error" in line)
    assert re.search(
        r"step \d+: the loss is not finite any more \(learning rates 0.00\d+ and 9.\d+e\+29\)", error
    )
    assert not (tmp_path / "run" / "last.pt").exists()


def _van_weights(path: Path) -> None:
    from safetensors.torch import save_file

    from iqa_cli.networks.van import VAN

    save_file({k: v.contiguous() for k, v in VAN("tiny").state_dict().items()}, path)
