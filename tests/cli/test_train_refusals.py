"""What `iqa train` refuses before anything takes long: settings, parts and places that cannot be meant."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa, Result, Train


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (["--set", "epoch=3"], "no field 'epoch'", "did you mean epochs?"),
        (["--set", "epochs=2.5"], "epochs must be a whole number, not 2.5", ""),
        (["--set", "epochs=true"], "epochs must be a whole number, not true", ""),
        (["--set", "epochs=-1"], "epochs must be at least 0, not -1", ""),
        (["--set", "epochs=0"], "--set epochs=0 trains nothing", "give --start WEIGHT"),
        (["--set", "rate_new=nan"], "rate_new must be a finite number", ""),
        (["--set", "rate_new=0"], "rate_new must be above 0", ""),
        (["--set", "average=1"], "average must be below 1", ""),
        (["--set", "seed=-1"], "seed must be at least 0", ""),
        (["--set", "precision=fp64"], "precision must be one of bf16, fp16, fp32", ""),
        (["--set", "distorted=17"], "distorted must be at most batch (16)", ""),
        (["--set", "sizes=224,32"], "an entry of sizes must be at least 64, not 32", ""),
        (["--set", "sizes=96.5,128"], "an entry of sizes must be a whole number, not 96.5", ""),
        (["--set", "sizes=96"], "sizes must be a list, not 96", ""),
        (["--set", "top_average=1"], "top_average must be 0 or at least 2", ""),
        (["--set", "correlation_weight=-1"], "correlation_weight must be at least 0", ""),
        (["--set", "rank_weight=much"], "rank_weight must be a finite number, not 'much'", ""),
        (["--set", "network=mfenet"], "--set network=... is not a setting", "the network's name as argument"),
        (["--set", "network_config=1"], "not a setting", "--net KEY=VALUE"),
        (["--set", "epochs"], "not of the form KEY=VALUE", ""),
        (["mfent"], "no network 'mfent'", "did you mean mfenet?"),
        (["--net", "fussion=add"], "no field 'fussion'", "did you mean fusion?"),
        (["--net", "fusion=sum"], "fusion must be one of aff, add, concat, not 'sum'", ""),
        (["--net", "dropout=1.5"], "dropout must lie in [0, 1)", ""),
        (["--net", "auxiliary_weight=inf"], "auxiliary_weight must be a finite number", ""),
        (["--name", "a/b"], "'a/b' cannot name a weight", ""),
        (["--name", "x.safetensors"], "cannot name a weight", ""),
        (["--resnet50", "r.npz"], "--resnet50 starts a branch", ""),
        (["--qen-pristine", "p"], "--qen has seen, which is not given", ""),
        (["--fit", "all"], "--fit all", "--choose-share"),
        (["--choose", "all"], "--choose all", ""),
        (["--choose", "calib", "--choose-share", "0.2"], "exclude each other", ""),
        (["--choose-share", "1.5"], "above 0 and below 1", ""),
    ],
)
def test_2_for_what_cannot_be_meant(
    train: Train, tmp_path: Path, options: list[str], message: str, hint: str
) -> None:
    result = train(*options)
    assert result.code == ExitCode.USAGE, result.err
    assert message in result.err
    assert hint in result.err
    assert not (tmp_path / "run" / "config.json").exists()


def test_the_distortion_branch_needs_a_start_that_fits(iqa: Iqa, train_data: Path, tmp_path: Path) -> None:
    def call(*options: str) -> Result:
        return iqa("train", "--dataset", "csv", "--root", train_data, "-o", tmp_path / "r", *options)

    alone = call("--net", "van=tiny")
    assert alone.code == ExitCode.USAGE
    assert "dan=contrastive" in alone.err
    assert "--net dan=none" in alone.err
    contrastive = call("--resnet50", "r.npz")
    assert contrastive.code == ExitCode.USAGE
    assert "hint: add --net dan=imagenet" in contrastive.err
    strides = call("--resnet50", "r.npz", "--net", "dan=imagenet", "--net", "dan_strides=torch")
    assert strides.code == ExitCode.USAGE
    assert "dan_strides=torch contradicts --resnet50" in strides.err
    missing = call("--resnet50", "none.npz", "--net", "dan=imagenet", "--net", "van=tiny")
    assert missing.code == ExitCode.NOT_AVAILABLE
    assert "none.npz" in missing.err


def test_the_strides_follow_the_archive() -> None:
    from iqa_cli.training.job import typed_configs
    from iqa_cli.training.options import RunOptions

    config, _ = typed_configs("mfenet", {}, {"dan": "imagenet"}, RunOptions(resnet50="r.npz"))
    assert config.network_config["dan_strides"] == "caffe"


def test_parts_that_share_a_group_or_a_file_are_refused(
    train: Train, train_data: Path, tmp_path: Path
) -> None:
    def changed(old: str, new: str) -> Result:
        root = tmp_path / f"data{len(list(tmp_path.iterdir()))}"
        shutil.copytree(train_data, root)
        path = root / "labels.csv"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        return train(root=root)

    group = changed(",calib2,", ",train7,")
    assert group.code == ExitCode.NOT_AVAILABLE
    assert "1 of 6 pictures to choose on" in group.err
    assert "'calib02.png' (group 'train7')" in group.err
    same = changed("calib02.png", "../images/train07.png")
    assert same.code == ExitCode.NOT_AVAILABLE
    assert "train07.png" in same.err


def test_every_picture_is_looked_for_before_anything_takes_long(
    train: Train, train_data: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    shutil.copytree(train_data, root)
    (root / "images" / "calib03.png").unlink()
    result = train(root=root)
    assert result.code == ExitCode.NOT_AVAILABLE
    assert "1 of 6 pictures are missing" in result.err
    assert "calib03.png" in result.err
    assert "decoding" not in result.err
    (root / "images" / "calib03.png").write_bytes(b"no picture")
    (root / "images" / "train05.png").write_bytes(b"no picture")
    damaged = train("--set", "batch=2", "--set", "distorted=1", root=root)
    assert damaged.code == ExitCode.SOME_FAILED
    assert "train05.png: " in damaged.err


def test_the_output_must_be_a_folder_that_can_be_written(train: Train, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    result = train()
    assert result.code == ExitCode.USAGE
    assert "-o: run is a file" in result.err


def test_what_is_refused_leaves_the_folder_to_the_next_try(train: Train, tmp_path: Path) -> None:
    refused = train("--set", "batch=99")
    assert refused.code == ExitCode.USAGE
    assert "12 pictures to fit and 6 to choose on are too few" in refused.err
    assert not (tmp_path / "run" / "config.json").exists()
