"""A weight whose file is replaced between the start of a run with a store and its first unknown picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from iqa_cli.errors import WeightsError
from iqa_cli.scoring.hashing import sha256_of
from iqa_cli.scoring.scorer import load_many
from iqa_cli.scoring.store import Store
from iqa_cli.scoring.storekey import keys_of
from iqa_cli.scoring.storelist import StoreReader, Wanted
from tests.scoring.fakescorers import write_pictures
from tests.tinyweight import make_tiny_weight


@pytest.fixture
def weight(tmp_path: Path, examples: Path) -> Path:
    return make_tiny_weight(tmp_path, examples)


@pytest.fixture
def other(tmp_path: Path, examples: Path) -> Path:
    """Another one of the same name, sound by itself."""
    folder = tmp_path / "other"
    folder.mkdir()
    return make_tiny_weight(folder, examples, seed=12)


def _replace(weight: Path, by: Path) -> None:
    """As whoever trains it anew would: the new checksum stands beside it."""
    by.replace(weight)
    (by.parent / "SHA256SUMS").replace(weight.parent / "SHA256SUMS")


@pytest.mark.parametrize("early", [False, True])
def test_nothing_is_scored_under_the_key_of_a_weight_that_is_gone(
    tmp_path: Path, weight: Path, other: Path, early: bool
) -> None:
    first = sha256_of(weight)
    pictures = write_pictures(tmp_path / "pictures", range(3))
    group = load_many([weight], lazy=True, device="cpu")
    if early:
        _replace(weight, other)
    keys = keys_of(group, [weight])
    assert [key.weight for key in keys] == [first]
    if not early:
        _replace(weight, other)
    with Store(tmp_path / "s.db") as store:
        records = group.score_many(pictures, memory=store.memory(keys))
        with pytest.raises(WeightsError, match="has been replaced since the start") as caught:
            list(records)
        assert str(weight) in caught.value.message
    with StoreReader(tmp_path / "s.db") as reader:
        assert not list(reader.rows(Wanted()))


def test_the_same_weight_put_there_again_is_the_same(tmp_path: Path, weight: Path) -> None:
    (picture,) = write_pictures(tmp_path / "pictures", [100])
    group = load_many([weight], lazy=True, device="cpu")
    content = weight.read_bytes()
    weight.unlink()
    weight.write_bytes(content)
    with Store(tmp_path / "s.db") as store:
        (record,) = group.score_many([picture], memory=store.memory(keys_of(group, [weight])))
    assert record.score is not None
