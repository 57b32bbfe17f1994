"""Another card for a weight: the tensors as they were, and what is not written to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from iqa_cli.errors import WeightsError
from iqa_cli.recard import with_card, writable_weight
from iqa_cli.tensorfile import read_file
from iqa_cli.weights import CARD_KEY, load_network, read_card
from tests.tinyweight import make_tiny_weight


def _tensors(path: Path) -> dict[str, tuple[str, bytes]]:
    header, content = read_file(path, verify=False)
    return {
        name: (info.dtype, bytes(content[info.start : info.end])) for name, info in header.tensors.items()
    }


def test_the_card_is_another_and_every_tensor_the_same(tmp_path: Path, examples: Path) -> None:
    path = make_tiny_weight(tmp_path, examples)
    before, card = _tensors(path), read_card(path)
    other = tmp_path / "other.safetensors"
    # Notes of different lengths: the tensors begin elsewhere each time.
    for note in ("", "a", "\u00e9\u4e2d" * 50):
        other.write_bytes(with_card(path, replace(card, notes=[note])))
        assert read_card(other).notes == [note]
        assert _tensors(other) == before
    load_network(other)


def test_a_file_of_another_program_keeps_types_and_metadata(tmp_path: Path, examples: Path) -> None:
    card = read_card(make_tiny_weight(tmp_path, examples))
    path = tmp_path / "foreign.safetensors"
    tensors: dict[str, np.ndarray] = {
        "b": np.arange(6, dtype=np.float64).reshape(2, 3),
        "a": np.zeros(0, dtype=np.int8),
    }
    save_file(tensors, path, {"format": "np", CARD_KEY: card.to_json()})
    path.write_bytes(with_card(path, replace(card, name="renamed")))
    found = load_file(path)
    assert all(np.array_equal(found[name], tensors[name]) for name in tensors)
    assert found["b"].dtype == np.float64
    assert read_file(path)[0].metadata["format"] == "np"
    assert read_card(path).name == "renamed"


def test_what_would_be_no_weight_is_refused(tmp_path: Path, examples: Path) -> None:
    path = make_tiny_weight(tmp_path, examples)
    card = read_card(path)
    card.notes.append(json.loads('"\\ud800"'))
    with pytest.raises(ValueError, match="valid text"):
        with_card(path, card)
    with pytest.raises(WeightsError, match="too long"):
        with_card(path, replace(read_card(path), notes=["x" * 5_000_000]))
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(WeightsError, match="SHA-256"):
        with_card(path, read_card(path))


def test_a_weight_that_changes_is_noticed(tmp_path: Path, examples: Path) -> None:
    path = make_tiny_weight(tmp_path, examples)
    place = writable_weight(path)
    assert place.unchanged()
    path.write_bytes(path.read_bytes() + b" ")
    assert not place.unchanged()
