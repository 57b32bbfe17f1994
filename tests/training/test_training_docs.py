"""docs/training.md says what the code does: every setting with its presets, every key of a config file."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from iqa_cli.networks.mfenet import MFENetConfig
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.options import RunOptions
from iqa_cli.training.presets import PRESETS
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
ROWS = {
    m[1]: [cell.strip() for cell in m[2].split("|")]
    for m in re.finditer(r"^\| `(\w+)` \|(.*)\|$", PAGE, re.M)
}
SETTINGS = [entry.name for entry in fields(TrainConfig) if not entry.name.startswith("network")]


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_table_has_every_setting_with_its_presets(name: str) -> None:
    expected = [getattr(TrainConfig(**PRESETS[p].settings), name) for p in ("default", "paper", "cpu")]
    assert ROWS[name][:3] == [_shown(value) for value in expected]


def test_the_table_has_the_fields_of_the_network() -> None:
    shown = [entry.name for entry in fields(MFENetConfig) if entry.name in ROWS]
    assert {
        "van",
        "dan",
        "fusion",
        "ffm",
        "hfen",
        "auxiliary_weight",
        "head_width",
        "dropout",
        "pooling",
    } == set(shown)
    for name in shown:
        expected = [getattr(MFENetConfig(**PRESETS[p].network), name) for p in ("default", "paper", "cpu")]
        assert ROWS[name][:3] == [_shown(value) for value in expected]


def test_every_key_of_a_config_file_is_named() -> None:
    paragraph = PAGE.split("The keys of `[run]`")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", paragraph)) >= {entry.name for entry in fields(RunOptions)}
