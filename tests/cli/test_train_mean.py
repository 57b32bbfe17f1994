"""`iqa train --start A --start B`: the mean of finished weights, as a start and as a weight of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from iqa_cli.training.options import RunOptions
from iqa_cli.training.request import resolve
from iqa_cli.weights import load_state, read_card
from tests.cli.conftest import Train

SHORT = ["--set", "batch=4", "--set", "distorted=1", "--set", "epochs=1", "--max-steps", "2"]


def _weight(train: Train, folder: Path, name: str, *options: str) -> Path:
    result = train(*SHORT, *options)
    assert result.code == 0, result.err
    return Path(shutil.move(folder / "run", folder / name)) / "mfenet.safetensors"


def test_without_an_epoch_the_mean_of_the_starts_is_the_weight(train: Train, tmp_path: Path) -> None:
    one = _weight(train, tmp_path, "one")
    two = _weight(train, tmp_path, "two", "--set", "seed=1")
    result = train("--set", "batch=4", "--set", "epochs=0", "--start", str(one), "--start", str(two))
    assert result.code == 0, result.err
    mean = tmp_path / "run" / "mfenet.safetensors"
    (_, first), (_, second), (_, found) = map(load_state, (one, two, mean))
    apart = 0
    for name, value in found.items():
        if value.is_floating_point():
            wanted = (first[name] + second[name]) / 2
            torch.testing.assert_close(value, wanted, rtol=1e-3, atol=1e-4)
            apart += not torch.equal(first[name], second[name])
    assert apart > 10
    points = read_card(mean).starting_points
    assert [point["branch"] for point in points] == ["whole network, 1 of 2 in the mean"] * 2
    assert len({point["sha256"] for point in points}) == 2
    # The same command has nothing left to do; the starts in another order are the same run.
    again = train("--set", "batch=4", "--set", "epochs=0", "--start", str(two), "--start", str(one))
    assert again.code == 0, again.err


def test_a_start_that_is_named_twice_counts_twice(train: Train, tmp_path: Path) -> None:
    one = _weight(train, tmp_path, "one")
    two = _weight(train, tmp_path, "two", "--set", "seed=1")
    starts = [word for path in (one, two, two) for word in ("--start", str(path))]
    result = train("--set", "batch=4", "--set", "epochs=0", *starts)
    assert result.code == 0, result.err
    mean = tmp_path / "run" / "mfenet.safetensors"
    (_, first), (_, second), (_, found) = map(load_state, (one, two, mean))
    for name, value in found.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (first[name] + 2 * second[name]) / 3, rtol=1e-3, atol=1e-4)
    branches = [point["branch"] for point in read_card(mean).starting_points]
    assert branches == ["whole network, 1 of 3 in the mean", "whole network, 2 of 3 in the mean"]


def test_a_history_that_starts_share_is_told_once(train: Train, tmp_path: Path) -> None:
    one = _weight(train, tmp_path, "one")
    two = _weight(train, tmp_path, "two", "--start", str(one))
    result = train("--set", "batch=4", "--set", "epochs=0", "--start", str(one), "--start", str(two))
    assert result.code == 0, result.err
    first, second = read_card(tmp_path / "run" / "mfenet.safetensors").starting_points
    assert first["origin"]["training"][0]["dataset"]
    (again,) = second["origin"]["starting_points"]
    assert again["sha256"] == first["sha256"]
    assert again["origin"] == {"told": f"above, of the file with SHA-256 {first['sha256'][:16]}"}
    # The card of the start itself still has all.
    assert read_card(two).starting_points[0]["origin"]["training"]


def test_a_database_that_no_person_rated_is_named_on_the_card_and_on_those_made_from_it(
    train: Train, train_data: Path, tmp_path: Path
) -> None:
    command = "iqa data synth --from photos --out here"
    record = train_data / "synth.json"
    try:
        record.write_text(json.dumps({"command": command}))
        one = _weight(train, tmp_path, "one")
    finally:  # other tests train on this folder
        record.unlink()
    note = f"csv: no person has rated these pictures; they and their opinions were made by {command}"
    assert note in read_card(one).notes
    two = _weight(train, tmp_path, "two", "--start", str(one))
    card = read_card(two)
    assert note not in card.notes
    assert note in card.starting_points[0]["origin"]["notes"]


def test_without_an_epoch_and_a_start_there_is_nothing_to_write(train: Train, tmp_path: Path) -> None:
    for options in ([], ["--start", "mfenet", "--splits", "2"]):
        result = train("--set", "epochs=0", *options)
        assert result.code == 2
        assert "--set epochs=0 trains nothing" in result.err
    assert not (tmp_path / "run" / "config.json").exists()


def test_starts_of_different_shapes_have_no_mean(train: Train, tmp_path: Path) -> None:
    one = _weight(train, tmp_path, "one")
    two = _weight(train, tmp_path, "two", "--net", "ffm=false")
    result = train("--set", "epochs=0", "--start", str(one), "--start", str(two))
    assert result.code == 2
    assert "of another shape" in result.err
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_start_of_a_config_file_may_be_one_or_several(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    for text, starts in (('start = "mfenet"', ["mfenet"]), ('start = ["a", "b"]', ["a", "b"]), ("", [])):
        file.write_text(f"[run]\n{text}\n")
        run = resolve(file, {}, "mfenet", {}, {}).run
        assert run == RunOptions(start=starts)
