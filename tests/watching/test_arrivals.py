"""When a file counts as whole, on a clock that the test sets."""

from __future__ import annotations

import os

import pytest

from iqa_cli.scoring.hashing import Stamp
from iqa_cli.watching.arrivals import Arrivals, unfinished, version

FIRST = Stamp(size=100, modified=1_000, changed=1_000, inode=1)
GROWN = Stamp(size=200, modified=2_000, changed=2_000, inode=1)
CHMOD = Stamp(size=100, modified=1_000, changed=3_000, inode=1)


def test_a_file_is_whole_when_it_has_not_changed_for_long_enough() -> None:
    arrivals = Arrivals(settle=2)
    arrivals.see("a.jpg", FIRST, 0)
    assert arrivals.due(1.9) == []
    arrivals.see("a.jpg", GROWN, 1.9)
    assert arrivals.due(3.8) == []
    assert arrivals.due(3.9) == ["a.jpg"]
    assert arrivals.take("a.jpg", GROWN, 3.9)
    assert arrivals.waiting() == []


def test_a_file_that_grew_since_it_was_due_waits_again() -> None:
    arrivals = Arrivals(settle=2)
    arrivals.see("a.jpg", FIRST, 0)
    assert not arrivals.take("a.jpg", GROWN, 2)
    assert not arrivals.take("a.jpg", GROWN, 3)
    assert arrivals.take("a.jpg", GROWN, 4)


def test_a_writer_that_pauses_without_closing_is_waited_for_and_a_closed_file_comes_soon() -> None:
    arrivals = Arrivals(settle=2)
    for path in ("open.jpg", "closed.jpg"):
        arrivals.see(path, FIRST, 0)
        arrivals.opened(path)
    arrivals.closed("closed.jpg")
    assert arrivals.due(0.6) == ["closed.jpg"]
    assert arrivals.due(19) == ["closed.jpg"]
    # Something may have changed it without opening it: not for ever.
    assert arrivals.due(20) == ["open.jpg", "closed.jpg"]


def test_an_empty_file_is_waited_for_unless_it_was_closed() -> None:
    arrivals = Arrivals(settle=2)
    empty = FIRST._replace(size=0)
    arrivals.see("a.jpg", empty, 0)
    arrivals.see("b.jpg", empty, 0)
    arrivals.closed("b.jpg")
    assert arrivals.due(3) == ["b.jpg"]
    assert arrivals.due(20) == ["a.jpg", "b.jpg"]


def test_a_version_comes_once_and_a_changed_one_again() -> None:
    arrivals = Arrivals(settle=0, known={os.path.abspath("old.jpg"): version(FIRST)})  # noqa: PTH100
    arrivals.see("a.jpg", FIRST, 0)
    arrivals.see("old.jpg", FIRST, 0)
    assert arrivals.waiting() == ["a.jpg"]
    assert arrivals.take("a.jpg", FIRST, 0)
    arrivals.see("./a.jpg", FIRST, 1)
    arrivals.see("a.jpg", CHMOD, 1)
    assert arrivals.waiting() == []
    arrivals.see("a.jpg", GROWN, 2)
    arrivals.see("old.jpg", GROWN, 2)
    assert arrivals.waiting() == ["a.jpg", "old.jpg"]


def test_a_failed_one_comes_again_when_anything_of_it_changes() -> None:
    arrivals = Arrivals(settle=0)
    arrivals.see("a.jpg", FIRST, 0)
    assert arrivals.take("a.jpg", FIRST, 0)
    arrivals.failed("a.jpg", FIRST)
    arrivals.see("a.jpg", FIRST, 1)
    assert arrivals.waiting() == []
    arrivals.see("a.jpg", CHMOD, 2)  # it may be readable now
    assert arrivals.take("a.jpg", CHMOD, 2)


def test_what_became_of_an_old_version_says_nothing_of_the_new_one() -> None:
    arrivals = Arrivals(settle=0)
    for stamp in (FIRST, GROWN):
        arrivals.see("a.jpg", stamp, 0)
        assert arrivals.take("a.jpg", stamp, 0)
    arrivals.again("a.jpg", FIRST)
    arrivals.failed("a.jpg", FIRST)
    arrivals.see("a.jpg", GROWN, 1)
    assert arrivals.waiting() == []
    arrivals.again("a.jpg", GROWN)
    arrivals.see("a.jpg", GROWN, 1)
    assert arrivals.waiting() == ["a.jpg"]


@pytest.mark.parametrize(
    "name", [".a.jpg.Xy12Zw", "a.jpg.part", "a.jpg.CRDOWNLOAD", "a.jpg~", "a.tmp", "a.jpg.filepart", ".a.jpg"]
)
def test_names_of_unfinished_files(name: str) -> None:
    assert unfinished(name)


@pytest.mark.parametrize("name", ["a.jpg", "a.part.jpg", "party", "temp.png", "a"])
def test_names_of_finished_files(name: str) -> None:
    assert not unfinished(name)
