"""A scorer with the tiny weight, loaded once; and what the shipped weights say of the examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from iqa_cli import load
from iqa_cli.scoring.scorer import Scorer, load_many
from tests.tinyweight import make_tiny_weight

#: Shipped weights: name -> largest file, MiB.
SHIPPED = {"mfenet": 64, "mfenet-van": 64, "vcrnet": 48, "qfm-iqm": 48}


@pytest.fixture(scope="session")
def tiny_weight(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """The file of a tiny weight with random values."""
    return make_tiny_weight(tmp_path_factory.mktemp("scorer"), examples, "tiny")


@pytest.fixture(scope="session")
def scorer(tiny_weight: Path) -> Scorer:
    """A scorer on the CPU as `load` makes it."""
    return load(tiny_weight, device="cpu")


@pytest.fixture(scope="session")
def shipped_scores(examples: Path) -> dict[str, dict[str, float]]:
    """Name of a shipped weight -> example without its ending -> score, of all weights in one run."""
    found: dict[str, dict[str, float]] = {name: {} for name in SHIPPED}
    for prediction in load_many(SHIPPED).score_many(sorted(examples.glob("*.jpg"))):
        for name, score in prediction.scores.items():
            assert score is not None
            found[name][Path(prediction.path).stem] = score
    return found
