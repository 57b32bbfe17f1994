"""docs/training.md says what the code does: every setting with its presets, every key of a config file."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from iqa_cli.networks.mfenet_config import MFENetConfig
from iqa_cli.networks.qfm_config import QFMIQMConfig
from iqa_cli.networks.vcrnet import VCRNetConfig
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.options import RunOptions
from iqa_cli.training.presets import PRESETS
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def _rows(head: str) -> dict[str, list[str]]:
    """Cells behind the name of each row of the table with this head."""
    table = PAGE.split(f"\n| {head} |")[1].split("\n\n")[0]
    return {
        m[1]: [cell.strip() for cell in m[2].split("|")]
        for m in re.finditer(r"^\| `(\w+)` \|(.*)\|$", table, re.M)
    }


SETTINGS = [entry.name for entry in fields(TrainConfig) if not entry.name.startswith("network")]


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_table_has_every_setting_with_its_presets(name: str) -> None:
    expected = [getattr(TrainConfig(**PRESETS[p].settings), name) for p in ("default", "paper", "cpu")]
    assert _rows("setting")[name][:3] == [_shown(value) for value in expected]


def test_the_table_has_the_fields_of_the_network_with_their_presets() -> None:
    rows = _rows("field of mfenet")
    for name, cells in rows.items():
        expected = [getattr(MFENetConfig(**PRESETS[p].network), name) for p in ("default", "paper", "cpu")]
        assert cells[:3] == [_shown(value) for value in expected]
    # What `iqa refit` and `iqa ridge` fit is on their pages.
    fitted = {"distortions", "distortion_stages", "distortion_head", "ridge"}
    assert set(rows) == {entry.name for entry in fields(MFENetConfig)} - fitted


@pytest.mark.parametrize(("name", "config"), [("vcrnet", VCRNetConfig()), ("qfm-iqm", QFMIQMConfig())])
def test_the_other_networks_have_tables_of_their_fields(
    name: str, config: VCRNetConfig | QFMIQMConfig
) -> None:
    rows = _rows(f"field of {name}")
    expected = {entry.name: _shown(getattr(config, entry.name)) for entry in fields(config)}
    del expected["ridge"]
    assert {field: cells[0] for field, cells in rows.items()} == expected


def test_every_key_of_a_config_file_is_named() -> None:
    paragraph = PAGE.split("The keys of `[run]`")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", paragraph)) >= {entry.name for entry in fields(RunOptions)}
