"""What is asked of `iqa train`: preset, config file and flags laid over each other, and told when wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iqa_cli.errors import UsageError
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.options import RunOptions, config_text, read_config_file, resolve

FILE = """
[run]
preset = "paper"
data = ["csv"]
range = [1, 5]
choose_share = 0.25

[network]
name = "mfenet"
van = "b1"
dan = "none"

[train]
epochs = 3
rate_new = 1e-3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "wanted.toml"
    path.write_text(FILE)
    return path


def test_flags_go_before_the_file_and_the_file_before_the_preset(file: Path) -> None:
    asked = resolve(file, {"choose_share": 0.5}, None, {"epochs": 9}, {"dan": "imagenet"})
    assert asked.network == "mfenet"
    assert (asked.run.choose_share, asked.run.range, asked.run.preset) == (0.5, [1, 5], "paper")
    assert (asked.settings["epochs"], asked.settings["rate_new"]) == (9, 1e-3)
    assert (asked.settings["crops_per_image"], asked.settings["optimiser"]) == (50, "adam")
    assert asked.preset_fields["van"] == "b2"
    assert asked.fields == {"van": "b1", "dan": "imagenet"}
    assert resolve(file, {"preset": "cpu"}, None, {}, {}).settings["distorted"] == 4


def test_without_anything_the_defaults_are_those_of_the_configs() -> None:
    asked = resolve(None, {}, None, {}, {})
    assert TrainConfig(**asked.settings) == TrainConfig()
    assert (asked.network, asked.run, asked.fields) == ("mfenet", RunOptions(), {})


def test_the_resolved_file_says_the_same_again(tmp_path: Path) -> None:
    run = RunOptions(
        data=["csv"], root=['odd "name"\\ \x7f é \U0001f600'], range=[1.0, 5.0], qen="q.safetensors"
    )
    config = TrainConfig(network_config={"van": "b0"}, rate_backbone=2e-5, freeze=1, optimiser="adam")
    net = {"van": "b0", "ffm": True, "dropout": 0.5, "distortions": ["jpeg", "white_noise"]}
    path = tmp_path / "config.toml"
    path.write_text(config_text(run, config, net), encoding="utf-8")
    again = resolve(path, {}, None, {}, {})
    assert again.run == run
    assert again.network == "mfenet"
    assert again.fields == {**net, "distortions": ("jpeg", "white_noise")}
    assert TrainConfig(**again.settings, network_config={"van": "b0"}) == config
    assert config_text(again.run, TrainConfig(**again.settings), net) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[trian]\nepochs = 1", "there is no table [trian]", "did you mean train?"),
        ("epochs = 1", "there is no table [epochs]", "there are: network, run, train"),
        ("train = 1", "train is no table", "[train]"),
        ("[train]\nepoch = 1", "[train]: there is no field 'epoch'", "did you mean epochs?"),
        ("[train]\nepochs = 1.5", "[train]: epochs must be a whole number, not 1.5", ""),
        ("[train]\nnetwork = 'x'", "[train]: network is not a setting", "[network]"),
        ("[run]\nchoose_shar = 1", "[run]: there is no field 'choose_shar'", "did you mean choose_share?"),
        ("[run]\ndata = 'csv'", "[run]: data must be a list", ""),
        ("[run]\ndata = [1]", "[run]: data must be a list of texts", ""),
        ("[run]\nrange = [1]", "[run]: range must be the lowest and the highest score", ""),
        ("[run]\nqen_pristine = 'p'", "--qen has seen, which is not given", ""),
        ("[run]\npreset = 'papre'", "no preset 'papre'", "did you mean paper?"),
        ("[network]\nname = 3", "[network]: name must be a text", ""),
        ("[train]\nepochs = ", "cannot read", ""),
        ("[train]\nepochs = 1\nepochs = 2", "cannot read", ""),
    ],
)
def test_a_file_that_cannot_be_meant_is_one_line(tmp_path: Path, text: str, message: str, hint: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        resolve(path, {}, None, {}, {})
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert "\n" not in caught.value.message


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read '.*none\.toml': No such file"):
        read_config_file(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="cannot read"):
        read_config_file(tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"splits": -1}, "--splits must be at least 0, not -1"),
        ({"test_share": 1.0}, "--test-share must be below 1"),
        ({"splits": 3, "choose": "val"}, "leave --choose out"),
        ({"splits": 3, "split_file": ["a.json"]}, "leave --split-file out"),
        ({"start": "mfenet", "qen": "q"}, "--start holds a QEN already"),
        ({"dan": "d", "resnet50": "r"}, "--dan and --resnet50 exclude each other"),
    ],
)
def test_flags_that_contradict_each_other_are_one_line(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(None, flags, None, {}, {})
    assert message in caught.value.message
