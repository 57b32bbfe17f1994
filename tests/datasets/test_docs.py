"""docs/databases.md says of each database what its reader knows."""

import re
from pathlib import Path

import pytest

from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.datasets.registry import DATABASES, FACTS
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "databases.md").read_text()
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def row(facts: DatabaseFacts) -> str:
    """The row of a database in the table."""
    better = "higher" if facts.higher_is_better else "lower"
    references = f"{facts.references:,}" if facts.references else "-"
    scale = f"{facts.low:g} to {facts.high:g}"
    cells = (f"`{facts.name}`", facts.title, f"{facts.images:,}", references, scale, better, facts.split)
    return f"| {' | '.join(cells)} |"


def test_the_table_has_a_row_for_each_database_and_no_other() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert rows[: len(FACTS)] == [row(facts) for facts in FACTS.values()]
    assert [re.match(r"\| `(\w+)`", line)[1] for line in rows] == list(DATABASES)  # type: ignore[index]


@pytest.mark.parametrize("name", FACTS)
def test_each_database_has_a_section_with_its_facts(name: str) -> None:
    facts, section = FACTS[name], " ".join(SECTIONS[name].split())
    for text in (facts.citation, facts.licence, facts.score, facts.page):
        assert text in section
    layout = re.search(r"```text\n(.*?)```", SECTIONS[name], re.DOTALL)
    assert layout is not None
    assert layout[1].splitlines() == list(facts.layout)


def test_the_sections_are_in_the_order_of_the_table() -> None:
    assert list(SECTIONS) == list(DATABASES)


def test_what_the_page_says_of_the_config_file_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from iqa_cli.datasets.roots import read_config

    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    (tmp_path / "config.toml").write_text(example[1])
    monkeypatch.setenv("IQA_CONFIG", str(tmp_path / "config.toml"))
    assert set(read_config()) <= set(DATABASES)
    assert len(read_config()) == 3
