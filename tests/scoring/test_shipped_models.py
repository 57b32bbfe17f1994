"""All shipped weights on real photographs: what their cards and the README promise of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from iqa_cli.images.decode import open_photo
from iqa_cli.seen import hash_photo, read_seen, seen_path
from iqa_cli.weights import find_weights, read_card
from tests.scoring.conftest import SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_distorted_examples_score_below_their_originals(
    name: str, shipped_scores: dict[str, dict[str, float]]
) -> None:
    of = shipped_scores[name]
    distorted = [picture for picture in of if "-" in picture]
    assert len(distorted) >= 6
    assert all(0 <= score <= 100 for score in of.values())
    for picture in distorted:
        assert of[picture] < of[picture.split("-")[0]], picture


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_says_what_a_user_asks(name: str) -> None:
    path = find_weights(name)
    card = read_card(path)
    assert (card.name, card.network) == (name, name.removesuffix("-van"))
    assert card.headline_srcc is not None
    assert all({"command", "part", "srcc_ci", "n_used"} <= set(result) for result in card.results)
    assert all(result["seen"] == 0 for result in card.results)
    # Synthetic pictures have parts of these names, too.
    parts = {entry["part"]: entry["images"] for entry in card.training if entry.get("dataset") == "biq2021"}
    assert parts["fit"] >= 6956
    assert parts["choose"] == 656
    assert card.starting_points
    assert all(point["licence"] for point in card.starting_points)
    assert card.date
    assert path.stat().st_size <= SHIPPED[name] * 2**20


@pytest.mark.parametrize("name", SHIPPED)
def test_no_example_was_met_in_training(name: str, examples: Path) -> None:
    seen = read_seen(seen_path(find_weights(name)))
    assert len(seen) >= 7000
    for picture in examples.glob("*.jpg"):
        with open_photo(picture) as photo:
            assert not seen.met(hash_photo(photo.region(0, 0, photo.width, photo.height))), picture.name
