"""What is asked of `iqa train`: preset, config file and flags laid over each other, and told when wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iqa_cli.cli.long_run import pairs
from iqa_cli.errors import UsageError
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.configfile import config_text, read_config_file
from iqa_cli.training.job import configs_of
from iqa_cli.training.options import RunOptions
from iqa_cli.training.request import resolve

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
    config = TrainConfig(network_config={"van": "b0"}, rate_backbone=2e-5, freeze=1, sizes=[96, 64])
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
        ('[run]\nrange = ["a", "b"]', "[run]: range must be the lowest and the highest score", ""),
        ("[run]\nrange = [nan, 5.0]", "[run]: range must be the lowest and the highest score", ""),
        ("[run]\nrange = [1, inf]", "[run]: range must be the lowest and the highest score", ""),
        ("[run]\nrange = [false, true]", "[run]: range must be the lowest and the highest score", ""),
        ("[run]\nroot = " + "[" * 20000, "nested too deeply", ""),
        ("[train]\ndistorted = 20", "[train]: distorted must be at most batch (16), not 20", ""),
        ("[run]\norder = ['live']", "[run]: --order names a database that --data does not", ""),
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


def test_a_file_of_the_time_of_one_teacher_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[run]\nteacher = "mfenet"\nunlabelled = "photos"\n')
    assert resolve(path, {}, "mfenet", {}, {}).run.teacher == ["mfenet"]


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read '.*none\.toml': No such file"):
        read_config_file(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="cannot read"):
        read_config_file(tmp_path)


def test_values_of_settings_are_read_as_what_they_look_like() -> None:
    given = ["a=2", "b=2e-3", "c=true", "d=64,96", "e=64,", "f=,", "g=bf16", "h=a,b", "i="]
    assert list(pairs(given, "--set").values()) == [2, 2e-3, True, [64, 96], [64], [], "bf16", "a,b", ""]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"splits": -1}, "--splits must be at least 0, not -1"),
        ({"test_share": 1.0}, "--test-share must be below 1"),
        ({"splits": 3, "choose": "val"}, "leave --choose out"),
        ({"splits": 3, "split_file": ["a.json"]}, "leave --split-file out"),
        ({"start": ["mfenet"], "qen": "q"}, "--start holds a QEN already"),
        ({"range": [float("nan"), 5.0]}, "--range must be the lowest and the highest score"),
        ({"test_share": 0.3}, "--test-share is the share that --splits N measures on"),
        ({"dan": "d", "resnet50": "r"}, "--dan and --resnet50 exclude each other"),
    ],
)
def test_flags_that_contradict_each_other_are_one_line(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(None, flags, None, {}, {})
    assert message in caught.value.message


def _resolved(tmp_path: Path, text: str, flags: dict[str, Any], **settings: Any) -> Any:
    path = tmp_path / "a.toml"
    path.write_text(text)
    return resolve(path, flags, None, settings, {"dan": "none"})


def test_what_a_flag_completes_is_not_refused_for_the_file_alone(tmp_path: Path) -> None:
    assert _resolved(tmp_path, "[run]\ndan_pristine = 'p'", {"dan": "d"}).run.dan_pristine == "p"
    both = {"data": ["csv", "live"]}
    assert _resolved(tmp_path, "[run]\norder = ['live']", both).run.order == ["live"]
    assert _resolved(tmp_path, "[run]\nchoose = 'val'\nsplits = 3", {"splits": 0}).run.choose == "val"
    for request in (
        _resolved(tmp_path, "[train]\ndistorted = 20", {}, batch=32),
        _resolved(tmp_path, "[train]\ndistorted = 20", {"preset": "paper"}),
        _resolved(tmp_path, "[run]\npreset = 'paper'\n[train]\ndistorted = 20", {}),
    ):
        config, _ = configs_of(request)
        assert (config.distorted, config.batch) == (20, 32)
    with pytest.raises(UsageError, match="distorted must be at most batch"):
        configs_of(_resolved(tmp_path, "[train]\ndistorted = 10", {}, batch=8))
    # What the file says is its own fault also beside flags that have nothing to do with it.
    with pytest.raises(UsageError, match=r"a\.toml \[run\]: --order names a database"):
        _resolved(tmp_path, "[run]\norder = ['live']", {"choose_share": 0.2})


def test_a_preset_that_a_complete_file_hides_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    net = {
        "van": "b0",
        "dan": "none",
        "fusion": "aff",
        "ffm": True,
        "hfen": "octave",
        "auxiliary_weight": 0.1,
    }
    path.write_text(config_text(RunOptions(preset="cpu"), TrainConfig(epochs=4), net))
    assert resolve(path, {}, None, {}, {}).run.preset == "cpu"
    assert resolve(path, {"preset": "cpu"}, None, {}, {}).run.preset == "cpu"
    for name in ("paper", "default"):
        with pytest.raises(UsageError, match=f"--preset {name} would change nothing: --config .* gives all"):
            resolve(path, {"preset": name}, None, {}, {})
    # Where one of its settings gets through, it is what it is called.
    path.write_text(path.read_text().replace("crops_per_image = 1\n", ""))
    assert resolve(path, {"preset": "paper"}, None, {}, {}).settings["crops_per_image"] == 50


def test_a_text_that_is_no_unicode_is_left_out_of_the_file_with_a_comment(tmp_path: Path) -> None:
    run = RunOptions(data=["csv"], root=["csv=photos\udcff"], qen="q\udce9", name="mine")
    path = tmp_path / "config.toml"
    path.write_bytes(config_text(run, TrainConfig(), {}).encode())
    assert "# Left out, since it is no Unicode: --root csv=photos\\xff\n" in path.read_text()
    assert "# Left out, since it is no Unicode: --qen q\\xe9\n" in path.read_text()
    again = resolve(path, {"root": run.root, "qen": run.qen}, None, {}, {})
    assert again.run == run


def test_seeds_of_all_splits_are_seeds() -> None:
    last = 2**63 - 1
    configs_of(resolve(None, {"splits": 2}, None, {"seed": last - 1}, {"dan": "none"}))
    configs_of(resolve(None, {}, None, {"seed": last}, {"dan": "none"}))
    with pytest.raises(UsageError, match=f"--set seed={last}: split i of --splits 2 has this seed"):
        configs_of(resolve(None, {"splits": 2}, None, {"seed": last}, {"dan": "none"}))
