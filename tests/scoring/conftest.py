"""Pictures for a store; a scorer with the tiny weight, loaded once; what the shipped weights say of the
examples."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iqa_cli import load
from iqa_cli.scoring.scorer import Scorer, load_many
from tests.scoring.fakescorers import write_pictures
from tests.tinyweight import make_tiny_weight

#: Shipped weights: name -> largest file, MiB.
SHIPPED = {"mfenet": 64, "mfenet-van": 64, "vcrnet": 48, "qfm-iqm": 48}
LONG_AGO = 1_600_000_000


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    """Twelve pictures that nobody has touched for long."""
    paths = write_pictures(tmp_path / "pictures", range(12))
    for path in paths:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return paths


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
