"""docs/results.md is of the weights and the data that are here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
DATA = Path(os.environ.get("IQA_BIQ2021", ROOT.parent / "shared" / "data" / "biq2021"))
needs_data = pytest.mark.skipif(not (DATA / "labels.csv").is_file(), reason="no BIQ2021 here")


def recorded() -> dict[str, str]:
    """Name of a file -> its checksum, as the page has it."""
    return {name: found for found, name in re.findall(r"^([0-9a-f]{64})  (\S+)$", PAGE, re.MULTILINE)}


def test_the_page_is_of_the_shipped_weights() -> None:
    sums = (ROOT / "weights" / "SHA256SUMS").read_text().split()
    shipped = dict(zip(sums[1::2], sums[::2], strict=True))
    assert {name: value for name, value in recorded().items() if name != "labels.csv"} == shipped
    for name, value in shipped.items():
        assert sha256((ROOT / "weights" / name).read_bytes()).hexdigest() == value, name


@needs_data
def test_the_page_is_of_these_opinions() -> None:
    assert sha256((DATA / "labels.csv").read_bytes()).hexdigest() == recorded()["labels.csv"]


@pytest.mark.slow
@needs_data
def test_the_command_of_the_page_gives_its_table_again() -> None:
    (command,) = re.findall(r"```sh\niqa (eval .*?) -o results.md\n```", PAGE, re.DOTALL)
    words = command.replace("\\\n", " ").replace("../shared/data/biq2021", str(DATA)).split()
    made = subprocess.run(
        [sys.executable, "-m", "iqa_cli", *words], capture_output=True, text=True, check=True
    )
    rows = [line for line in made.stdout.splitlines() if line.startswith("|")]
    assert len(rows) > 10
    assert [line for line in PAGE.splitlines() if line.startswith("|")] == rows
