"""Names of files and what stands in files, as they may reach a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_cli.text import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\tc.jpg", r"a\nb\r\tc.jpg"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("photo\u202egpj.exe", r"photo\u202egpj.exe"),
        ("two\u2028lines", r"two\u2028lines"),
        (os.fsdecode(b"caf\xe9.jpg"), r"caf\xe9.jpg" if os.name != "nt" else "café.jpg"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("C:\\photos\\a.jpg", "C:\\photos\\a.jpg"),
        ("写真\u3000ä🦙.jpg", "写真\u3000ä🦙.jpg"),
    ],
)
def test_what_could_drive_a_terminal_is_escaped_and_the_rest_stays(text: str, shown: str) -> None:
    assert printable(text) == one_line(text) == shown


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters()))
def test_any_text_is_one_harmless_line_and_escaping_it_again_changes_nothing(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert printable(shown) == shown


def test_a_message_is_not_all_name_but_a_row_has_it_whole() -> None:
    name = "d/" * 500 + "photo.jpg"
    assert printable(name) == name
    assert len(one_line(name)) < 300
    assert one_line(name).endswith("d/d/photo.jpg")


def test_it_costs_no_imports() -> None:
    heavy = {"torch", "numpy", "PIL", "typer", "rich"}
    code = f"import sys, iqa_cli.text; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
