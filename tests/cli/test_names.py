"""Very many names: the same sets, orders and lists as in memory, without the memory."""

from __future__ import annotations

import io
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.cli import names
from iqa_cli.cli.context import Environment
from iqa_cli.cli.inputs import Inputs, gather
from iqa_cli.cli.names import NameSet, counted, in_order
from iqa_cli.errors import UsageError

# Characters that order differently as bytes, in UTF-16 or by a locale; the third is a byte that is no UTF-8.
LETTERS = ["a", "Z", "\udcff", "é", "z", "\uffee", "\U0001f600", "\n", "1", "0", "\x7f"]


def some_names(number: int, seed: int = 5) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(LETTERS, k=chance.randint(1, 3))) for _ in range(number)]


@pytest.mark.parametrize("number", [0, 1, 9, 10, 11, 500])
def test_they_are_as_in_memory(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_IN_MEMORY", 10)
    given = some_names(number)
    assert list(in_order(iter(given))) == sorted(given)
    total, again = counted(iter(given))
    assert (total, list(again)) == (number, given)
    seen = NameSet()
    assert [name for name in given if seen.add(name)] == list(dict.fromkeys(given))


def test_what_goes_wrong_while_names_come_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_IN_MEMORY", 2)

    def broken() -> Iterator[str]:
        yield from "abcd"
        raise UsageError("the list cannot be read")

    with pytest.raises(UsageError, match="cannot be read"):
        in_order(broken())
    with pytest.raises(UsageError, match="cannot be read"):
        counted(broken())


def test_no_room_for_temporary_files_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_IN_MEMORY", 2)
    made = names._temporary

    def full(table: str) -> Any:
        connection = made(table)
        connection.execute("PRAGMA max_page_count = 3")
        return connection

    monkeypatch.setattr(names, "_temporary", full)
    seen = NameSet()
    with pytest.raises(UsageError, match="do not fit into the folder for temporary files"):
        all(map(seen.add, map(str, range(10_000))))


def peak(arguments: list[str], stdin: Any = None, **options: Any) -> tuple[int, int]:
    """How many inputs there are, and the most bytes of Python's memory while they are read."""
    env = Environment(stdin=stdin or io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO())
    tracemalloc.start()
    try:
        inputs: Inputs = gather(arguments, env, **options)
        number = sum(1 for _ in inputs.paths)
        return number, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path kept costs 100 bytes and more; here is less than 10 for each."""
    monkeypatch.setattr(names, "_IN_MEMORY", 200)

    def from_stdin(number: int) -> int:
        (tmp_path / "list").write_text("".join(f"folder/of/pictures/{i:08}.jpg\n" for i in range(number)))
        with (tmp_path / "list").open("rb") as stdin:
            found, most = peak(["-"], stdin)
        assert found == number
        found, again = peak([], files_from=str(tmp_path / "list"))
        assert found == number
        return max(most, again)

    from_stdin(300)
    assert from_stdin(3000) - from_stdin(1000) < 20_000


def test_memory_does_not_grow_with_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_IN_MEMORY", 200)
    monkeypatch.chdir(tmp_path)

    def from_folder(number: int) -> int:
        folder = Path(f"pictures-{number}")
        folder.mkdir()
        for i in range(number):
            (folder / f"{i:05}.jpg").touch()
        found = [peak([str(folder)], recursive=True), peak([f"{folder}/*.jpg"])]
        assert [one for one, _ in found] == [number, number]
        return found[0][1]

    from_folder(300)
    assert from_folder(1500) - from_folder(500) < 20_000
