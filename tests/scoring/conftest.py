"""A scorer with the tiny weight, loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from iqa_cli import load
from iqa_cli.scoring.scorer import Scorer
from tests.tinyweight import make_tiny_weight


@pytest.fixture(scope="session")
def tiny_weight(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """The file of a tiny weight with random values."""
    return make_tiny_weight(tmp_path_factory.mktemp("scorer"), examples, "tiny")


@pytest.fixture(scope="session")
def scorer(tiny_weight: Path) -> Scorer:
    """A scorer on the CPU as `load` makes it."""
    return load(tiny_weight, device="cpu")
