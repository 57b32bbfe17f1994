"""Every test that SECURITY.md names is there, and every promise names one."""

from __future__ import annotations

import re

from tests.conftest import ROOT

SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def _promises() -> list[str]:
    """Rows of the tables of promises, without headers."""
    return [line for line in SECURITY.splitlines() if line.startswith("| ") and not line.startswith("| Prom")]


def test_the_tests_that_are_named_exist() -> None:
    named = NAMED.findall(SECURITY)
    assert len(named) > 30
    for file in sorted({file for file, _ in named}):
        assert (ROOT / file).is_file(), file
        functions = set(re.findall(r"^def (\w+)\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE))
        missing = {function for place, function in named if place == file and function} - functions
        assert not missing, f"{file}: {missing}"


def test_every_promise_names_a_test() -> None:
    promises = [row for row in _promises() if set(row) - set("|- :")]
    assert len(promises) > 15
    assert [row for row in promises if not NAMED.search(row)] == []
