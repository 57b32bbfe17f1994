"""docs/commands.md is what the commands say of themselves; their pages for man are sound."""

from __future__ import annotations

import difflib
import re
import shutil
import subprocess
from operator import attrgetter
from pathlib import Path

import pytest
from rich.text import Text

from iqa_cli.cli import manual, score
from iqa_cli.cli.app import COMMANDS, LazyCommand
from iqa_cli.finding import list_weights, weight_name
from iqa_cli.weights import find_several
from tests.cli.conftest import Iqa


def test_the_page_of_commands_is_up_to_date() -> None:
    written, made = manual.PAGE.read_text().splitlines(), manual.markdown().splitlines()
    changes = list(difflib.unified_diff(written, made, "docs/commands.md", "the commands", lineterm="", n=0))
    assert not changes, f"run {manual.COMMAND}:\n" + "\n".join(changes[:20])


def test_the_help_tells_the_sizes_of_the_shipped_weights() -> None:
    # It told those of a new weight, crops of 224 pixels, which no shipped one has.
    cards = [card for _, card in find_several([weight_name(path) for path in list_weights()])]
    assert len(cards) >= 4
    sizes = attrgetter("crop", "near_side", "reduced_side", "min_side", "kernel", "backgrounds")
    assert {sizes(card.policy()) for card in cards} == {sizes(score._SHIPPED)}
    native = attrgetter("native_crops", "native_places", "native_best")
    now = native(score._SHIPPED)
    # mfenet-van looks as it did, which its card tells.
    expected = {card.name: (9, 0, 1 / 3) if card.name == "mfenet-van" else now for card in cards}
    assert {card.name: native(card.policy()) for card in cards} == expected


def test_nothing_of_a_help_text_is_taken_for_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    # "pip install 'iqa-cli[onnx]'" was shown without its brackets.
    seen = []

    def plain(text: str) -> str:
        seen.append(text)
        return Text.from_markup(text).plain

    monkeypatch.setattr(manual, "_plain_text", plain)
    manual.pages()
    assert len(seen) > 100
    for text in seen:
        assert not Text.from_markup(text).spans, text


@pytest.mark.parametrize("name", ["score", "models", "data"])
def test_the_manual_has_each_option_that_the_help_has(iqa: Iqa, name: str) -> None:
    page = next(page for page in manual.pages() if page.name == f"iqa {name}")
    shown = iqa(name, "--help").out.decode()
    written = {
        word for entries in page.panels.values() for entry in entries for word in entry.written.split()
    }
    flags = {word.rstrip(",") for word in written if word.startswith("--")}
    assert flags == set(re.findall(r"^│\s+\*?\s*(?:-\w,?\s+)?(--[\w-]+)", shown, re.MULTILINE)) - {"--help"}
    command = LazyCommand(name, *COMMANDS[name]).load()
    assert {part.name.split()[-1] for part in page.parts} == set(getattr(command, "commands", ()))


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_pages_for_man_are_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["manual", "--man", str(tmp_path / "man1")])
    manual.main()
    pages = sorted((tmp_path / "man1").iterdir())
    assert {f"iqa-{name}.1" for name in COMMANDS} < {page.name for page in pages}
    command = ["groff", "-k", "-man", "-ww", "-Tutf8", "-P-c", *map(str, pages)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    text = re.sub(".\x08", "", done.stdout)
    assert "find . -name '*.jpg' -print0 | iqa score -0 - --format jsonl" in text
