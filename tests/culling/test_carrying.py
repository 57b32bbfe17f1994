"""What is done with files: nothing is lost, whatever happens in the middle."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from iqa_cli.culling import carrying, moving
from iqa_cli.culling.carrying import carry_out
from iqa_cli.culling.journal import JournalError, begin, reopen
from iqa_cli.culling.plan import Plan, Planned, load_plan, save_plan
from iqa_cli.culling.rating import Naming, rating_steps, stars
from iqa_cli.culling.steps import Action, Steps, chosen
from iqa_cli.culling.steps import carrying as steps_for
from iqa_cli.culling.undoing import take_back
from iqa_cli.culling.xmp import rating_of
from iqa_cli.errors import UsageError
from tests.culling.test_xmp import DARKTABLE

Tree = dict[str, bytes]


def tree(folder: Path) -> Tree:
    """All files below a folder and what is in them."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def plan_of(folder: Path, *names: str, score: float = 70) -> Plan:
    """A plan that keeps pictures of a folder."""
    return Plan(str(folder), "m", tuple(Planned(name, name, 1, True, score) for name in names))


@pytest.fixture
def shoot(tmp_path: Path) -> Path:
    """A folder of files that are called like pictures, with companions."""
    folder = tmp_path / "shoot"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.jpg", "a.xmp", "a.jpg.xmp", "a.cr2", "b.jpg", "sub/a.jpg", "c.jpg"):
        (folder / name).write_bytes(f"content of {name}".encode())
    return folder


def apply(shoot: Path, action: Action, *names: str) -> tuple[Steps, Path]:
    """Carry pictures into out/; gives the steps and the journal."""
    plan = plan_of(shoot, *(names or ("a.jpg", "b.jpg", "sub/a.jpg")))
    made = steps_for(plan, plan.pictures, action, shoot.parent / "out")
    place = shoot.parent / "journal"
    with begin(place, made.steps) as journal:
        outcome = carry_out(journal)
    assert not outcome.failed
    return made, place


@pytest.mark.parametrize("action", list(Action))
def test_pictures_arrive_with_their_companions_and_undo_brings_all_back(shoot: Path, action: Action) -> None:
    before, out = tree(shoot), shoot.parent / "out"
    _, place = apply(shoot, action)
    carried = {name: content for name, content in before.items() if name != "c.jpg"}
    assert tree(out) == carried
    left = {"c.jpg": before["c.jpg"]} if action is Action.move else before
    assert tree(shoot) == left
    if action is Action.link:
        assert (out / "a.jpg").samefile(shoot / "a.jpg")
        assert not (out / "a.xmp").samefile(shoot / "a.xmp")  # programs write into sidecars
    with reopen(place) as journal:
        outcome = take_back(journal)
    assert (outcome.pictures, outcome.companions) == (3, 3)
    assert tree(shoot) == before
    assert not out.exists()
    with reopen(place) as journal:
        assert take_back(journal).pictures == 0


@pytest.mark.parametrize("action", list(Action))
def test_names_that_are_taken_get_a_number_and_nothing_is_replaced(shoot: Path, action: Action) -> None:
    out = shoot.parent / "out"
    out.mkdir()
    (out / "a.cr2").write_bytes(b"of somebody else")
    plan = Plan(str(shoot), "m", tuple(Planned(n, "a.jpg", 1, True, 1) for n in ("a.jpg", "b.jpg")))
    before = tree(shoot)
    made = steps_for(plan, plan.pictures, action, out)
    with begin(shoot.parent / "journal", made.steps) as journal:
        assert not carry_out(journal).failed
    assert made.renamed == 1
    assert tree(out) == {
        "a.cr2": b"of somebody else",
        "a.jpg": before["b.jpg"],
        "a-2.jpg": before["a.jpg"],
        "a-2.xmp": before["a.xmp"],
        "a-2.jpg.xmp": before["a.jpg.xmp"],
        "a-2.cr2": before["a.cr2"],
    }


@pytest.mark.parametrize("action", [Action.copy, Action.link])
def test_a_second_time_nothing_is_doubled_that_got_another_name(shoot: Path, action: Action) -> None:
    out = shoot.parent / "out"
    plan = Plan(str(shoot), "m", tuple(Planned(n, "a.jpg", 1, True, 1) for n in ("a.jpg", "b.jpg", "c.jpg")))
    for number in (3, 0):
        made = steps_for(plan, plan.pictures, action, out)
        with begin(shoot.parent / f"journal-{number}", made.steps) as journal:
            assert carry_out(journal).pictures == number
        assert (made.renamed, made.present) == ((2, 0) if number else (0, 3))
    assert {name for name in tree(out) if name.endswith(".jpg")} == {"a.jpg", "a-2.jpg", "a-3.jpg"}


def test_what_is_there_already_is_passed_over(shoot: Path) -> None:
    apply(shoot, Action.copy)
    plan = plan_of(shoot, "a.jpg", "b.jpg", "sub/a.jpg", "c.jpg", "gone.jpg")
    (shoot.parent / "out" / "a.xmp").write_bytes(b"rated since")
    made = steps_for(plan, plan.pictures, Action.copy, shoot.parent / "out")
    assert [Path(step.source).name for step in made.steps] == ["c.jpg"]
    assert made.present == 3
    assert [Path(path).name for path, _ in made.left] == ["a.xmp", "gone.jpg"]
    # A move of what is there would leave one of two copies: both stay.
    moving_steps = steps_for(plan, plan.pictures[:2], Action.move, shoot.parent / "out")
    assert not moving_steps.steps


@pytest.mark.parametrize("again", ["b.jpg", "sub/../b.jpg", "linked/b.jpg"])
def test_a_plan_that_has_a_file_twice_is_refused(shoot: Path, again: str) -> None:
    """What is kept under one spelling would be moved away under the other."""
    (shoot / "linked").symlink_to(shoot)
    plan = Plan(
        str(shoot),
        "m",
        (Planned("b.jpg", "b.jpg", 1, True, 70), Planned(again, "again.jpg", 1, False, 70)),
    )
    with pytest.raises(UsageError, match="are one file"):
        steps_for(plan, chosen(plan, rest=True), Action.move, shoot.parent / "out")


def test_a_name_taken_meanwhile_is_a_failure_and_the_companions_stay(shoot: Path) -> None:
    plan = plan_of(shoot, "a.jpg", "b.jpg")
    out = shoot.parent / "out"
    made = steps_for(plan, plan.pictures, Action.move, out)
    with begin(shoot.parent / "journal", made.steps) as journal:
        out.mkdir()
        (out / "a.jpg").write_bytes(b"came meanwhile")
        outcome = carry_out(journal)
    assert (outcome.pictures, outcome.companions, len(outcome.failed)) == (1, 0, 4)
    assert "is there already" in outcome.failed[0][1]
    assert tree(out) == {"a.jpg": b"came meanwhile", "b.jpg": b"content of b.jpg"}
    with reopen(shoot.parent / "journal") as journal:
        take_back(journal)
    assert tree(out) == {"a.jpg": b"came meanwhile"}
    assert len(tree(shoot)) == 7


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it is done."""


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("after", [False, True])
def test_a_run_killed_between_any_two_steps_can_be_gone_on_with_or_taken_back(
    shoot: Path, action: Action, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(shoot)
    plan = plan_of(shoot, "a.jpg", "b.jpg", "sub/a.jpg")
    out = shoot.parent / "out"
    number = len(steps_for(plan, plan.pictures, action, out).steps)
    assert number == 6
    perform = carrying._perform
    for at in range(number):
        left = [at]

        def kill(*arguments: object, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0 and not after:
                raise Killed
            perform(*arguments)  # type: ignore[arg-type]
            if left[0] < 0:
                raise Killed

        for goes_on in (True, False):
            left[0] = at
            place = shoot.parent / f"journal-{at}-{goes_on}"
            monkeypatch.setattr(carrying, "_perform", kill)
            with (
                pytest.raises(Killed),
                begin(place, steps_for(plan, plan.pictures, action, out).steps) as journal,
            ):
                carry_out(journal)
            monkeypatch.setattr(carrying, "_perform", perform)
            if goes_on:
                with reopen(place) as journal:
                    outcome = carry_out(journal, again=True)
                assert not outcome.failed
                assert tree(out) == {name: text for name, text in before.items() if name != "c.jpg"}
            with reopen(place) as journal:
                take_back(journal)
            assert tree(shoot) == before
            assert not out.exists()


def test_a_move_killed_between_its_two_names_is_finished_or_taken_back(shoot: Path) -> None:
    before = tree(shoot)
    for goes_on in (True, False):
        plan = plan_of(shoot, "b.jpg")
        place = shoot.parent / f"journal-{goes_on}"
        with begin(place, steps_for(plan, plan.pictures, Action.move, shoot.parent / "out").steps):
            (shoot.parent / "out").mkdir(exist_ok=True)
            os.link(shoot / "b.jpg", shoot.parent / "out" / "b.jpg")
        with reopen(place) as journal:
            if goes_on:
                assert carry_out(journal, again=True).pictures == 1
                assert "b.jpg" not in tree(shoot)
            take_back(journal)
        assert tree(shoot) == before
        assert not tree(shoot.parent / "out")


def link_folder(shoot: Path, name: str) -> None:
    """The folder becomes a link to that of the pictures that were carried."""
    shoot.rename(shoot.parent / "old")
    shoot.symlink_to(shoot.parent / "out")


def link_file(shoot: Path, name: str) -> None:
    """Only the old name becomes a link to the new one."""
    (shoot / name).unlink(missing_ok=True)
    (shoot / name).symlink_to(shoot.parent / "out" / name)


@pytest.mark.parametrize("make_link", [link_folder, link_file])
@pytest.mark.parametrize("action", list(Action))
def test_the_only_copy_stays_when_its_old_name_has_become_a_link_to_it(
    shoot: Path, action: Action, make_link: Callable[[Path, str], None]
) -> None:
    made, place = apply(shoot, action, "b.jpg")
    out = tree(shoot.parent / "out")
    make_link(shoot, "b.jpg")
    with reopen(place) as journal:
        outcome = take_back(journal)
    assert [Path(path).name for path, _ in outcome.left] == ["b.jpg"]
    assert "one leads to the other" in outcome.left[0][1]
    assert tree(shoot.parent / "out") == out
    # Nor does a run that goes on after a kill take it for a move half done.
    with begin(shoot.parent / "second", made.steps):
        pass
    with reopen(shoot.parent / "second") as journal:
        outcome = carry_out(journal, again=True)
    assert len(outcome.failed) == (action is Action.move)
    assert tree(shoot.parent / "out") == out


def test_links_of_a_picture_that_is_a_symbolic_link_are_taken_back(shoot: Path) -> None:
    (shoot / "d.jpg").symlink_to("b.jpg")
    before = tree(shoot)
    for action in (Action.link, Action.copy):
        _, place = apply(shoot, action, "d.jpg")
        with reopen(place) as journal:
            assert not take_back(journal).left
        place.unlink()
        assert tree(shoot) == before
        assert not tree(shoot.parent / "out")


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


def another_disk(*_: object, **__: object) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


@pytest.mark.parametrize("link", [no_links, another_disk])
def test_moving_without_hard_links_and_to_another_file_system(
    shoot: Path, link: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = tree(shoot), os.link
    # To another file system goes what leaves the folder; within the new one there are links.
    monkeypatch.setattr(
        moving.os,
        "link",
        lambda source, target, **options: (
            real(source, target, **options)
            if link is another_disk and Path(source).suffix == ".part"
            else link()
        ),
    )
    times = (shoot / "a.jpg").stat().st_mtime_ns
    _, place = apply(shoot, Action.move)
    assert tree(shoot.parent / "out") == {n: c for n, c in before.items() if n != "c.jpg"}
    assert (shoot.parent / "out" / "a.jpg").stat().st_mtime_ns == times
    with reopen(place) as journal:
        take_back(journal)
    assert tree(shoot) == before


@pytest.mark.parametrize("across", [False, True])
def test_a_move_whose_old_name_cannot_go_leaves_no_new_one(
    shoot: Path, across: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a folder that must not be written to."""
    before, unlink, link = tree(shoot), Path.unlink, os.link

    def refused(path: Path, **options: bool) -> None:
        if path.is_relative_to(shoot):
            raise PermissionError(errno.EACCES, "Permission denied")
        unlink(path, **options)

    def linked(source: Path, target: Path, **options: bool) -> None:
        if across and Path(source).is_relative_to(shoot):
            another_disk()
        link(source, target, **options)

    monkeypatch.setattr(Path, "unlink", refused)
    monkeypatch.setattr(moving.os, "link", linked)
    plan, out = plan_of(shoot, "b.jpg"), shoot.parent / "out"
    made = steps_for(plan, plan.pictures, Action.move, out)
    with begin(shoot.parent / "journal", made.steps) as journal:
        outcome = carry_out(journal)
    assert outcome.failed == [(str(shoot / "b.jpg"), "permission denied")]
    assert not tree(out)
    assert tree(shoot) == before


def test_a_full_disk_ends_the_run_and_nothing_half_written_is_left(
    shoot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, copy, done = tree(shoot), moving.shutil.copyfileobj, [0]

    def full(source: object, target: object, size: int) -> None:
        done[0] += 1
        if done[0] > 2:
            target.write(b"half")  # type: ignore[attr-defined]
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(source, target, size)  # type: ignore[arg-type]

    monkeypatch.setattr(moving.shutil, "copyfileobj", full)
    plan = plan_of(shoot, "a.jpg", "b.jpg")
    place = shoot.parent / "journal"
    with begin(place, steps_for(plan, plan.pictures, Action.copy, shoot.parent / "out").steps) as journal:
        outcome = carry_out(journal)
    assert outcome.stopped == "no space left on device"
    assert (outcome.pictures, outcome.companions, outcome.waiting) == (1, 1, 3)
    assert len(tree(shoot.parent / "out")) == 2
    monkeypatch.setattr(moving.shutil, "copyfileobj", copy)
    with reopen(place) as journal:
        assert not carry_out(journal, again=True).failed
    assert len(tree(shoot.parent / "out")) == 5
    assert tree(shoot) == before


def test_what_was_changed_since_is_not_taken_back(shoot: Path) -> None:
    out = shoot.parent / "out"
    _, copied = apply(shoot, Action.copy)
    (out / "b.jpg").write_bytes(b"edited")
    (shoot / "sub" / "a.jpg").unlink()  # now the copy is the only one
    with reopen(copied) as journal:
        outcome = take_back(journal)
    assert sorted(Path(path).relative_to(out).as_posix() for path, _ in outcome.left) == [
        "b.jpg",
        "sub/a.jpg",
    ]
    assert tree(out) == {"b.jpg": b"edited", "sub/a.jpg": b"content of sub/a.jpg"}


def test_a_moved_file_does_not_go_back_over_another_one(shoot: Path) -> None:
    _, moved = apply(shoot, Action.move)
    (shoot / "b.jpg").write_bytes(b"a new one")
    with reopen(moved) as journal:
        outcome = take_back(journal)
    assert [Path(path).name for path, _ in outcome.left] == ["b.jpg"]
    assert tree(shoot)["b.jpg"] == b"a new one"
    assert tree(shoot.parent / "out") == {"b.jpg": b"content of b.jpg"}


def test_ratings_are_written_changed_only_on_request_and_taken_back(shoot: Path) -> None:
    (shoot / "b.jpg.xmp").write_bytes(DARKTABLE)
    (shoot / "a.jpg.xmp").unlink()
    before = tree(shoot)
    plan = plan_of(shoot, "b.jpg", "c.jpg", "a.jpg", score=59.999)
    for rerate, changed in ((False, {"c.jpg.xmp", "c.xmp", "b.xmp"}), (True, {"b.jpg.xmp"})):
        made, coming = rating_steps(plan, Naming.both, rerate=rerate)
        place = shoot.parent / f"journal-{rerate}"
        with begin(place, made.steps) as journal:
            assert not carry_out(journal).failed
        after = tree(shoot)
        assert {rating_of(after[name]) for name in changed} == {"4"}  # 60.00 as it is shown
        assert coming[str(shoot / "c.jpg")] == ["c.jpg.xmp", "c.xmp"] if not rerate else True
        assert after["a.xmp"] == before["a.xmp"]  # no XMP at all: left, and told
        assert str(shoot / "a.xmp") in [path for path, _ in made.left]
        if not rerate:
            assert after["b.jpg.xmp"] == DARKTABLE
        with reopen(place) as journal:
            take_back(journal)
        assert tree(shoot) == before


def test_a_sidecar_changed_between_plan_and_deed_stays(shoot: Path) -> None:
    sidecar = shoot / "b.jpg.xmp"
    sidecar.write_bytes(DARKTABLE)
    made, _ = rating_steps(plan_of(shoot, "b.jpg"), Naming.full, rerate=True)
    with begin(shoot.parent / "journal", made.steps) as journal:
        sidecar.write_bytes(DARKTABLE + b"<!-- edited -->")
        outcome = carry_out(journal)
    assert [why for _, why in outcome.failed] == ["has been changed since"]
    assert sidecar.read_bytes().endswith(b"<!-- edited -->")


def test_stars() -> None:
    assert [stars(score) for score in (0, 19.99, 19.996, 39, 40, 60, 79.9, 80, 100)] == [
        1, 1, 2, 2, 3, 4, 4, 5, 5
    ]  # fmt: skip


def test_a_plan_comes_back_as_it_was_also_with_odd_names(tmp_path: Path) -> None:
    names = ("a\n\x1b[31m.jpg", "b\udcff.jpg", "ü/<b>.jpg")
    plan = Plan(
        str(tmp_path),
        "m",
        tuple(Planned(name, name, None, False, 12.5, -1.0, 2.0, True) for name in names),
    )
    save_plan(plan, tmp_path / "plan.json")
    assert b"\x1b" not in (tmp_path / "plan.json").read_bytes()
    read = load_plan(tmp_path / "plan.json")
    assert [picture.path for picture in read.pictures] == list(names)
    assert chosen(read) == []
    assert len(chosen(read, rest=True)) == 3
    assert chosen(read, rest=True, groups_only=True) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target", "../outside.jpg"),
        ("target", "/etc/passwd"),
        ("target", ""),
        ("keep", "yes"),
        ("path", ""),
        ("path", None),
        ("score", "12"),
        ("group", 1.5),
    ],
)
def test_a_plan_that_says_something_impossible_is_refused(tmp_path: Path, key: str, value: object) -> None:
    save_plan(plan_of(tmp_path, "a.jpg"), tmp_path / "plan.json")
    values = json.loads((tmp_path / "plan.json").read_text())
    values["pictures"][0][key] = value
    (tmp_path / "plan.json").write_text(json.dumps(values))
    with pytest.raises(UsageError, match="picture 1: "):
        load_plan(tmp_path / "plan.json")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: "{}",
        lambda text: "no journal",
        lambda text: text.splitlines()[0] + "\n",
        lambda text: text.replace('"move"', '"delete"'),
        lambda text: text.replace('"source": "/', '"source": "'),
        lambda text: text + '{"done": 7}\n',
    ],
)
def test_a_damaged_journal_is_refused_before_a_file_is_touched(
    shoot: Path, damage: Callable[[str], str]
) -> None:
    _, place = apply(shoot, Action.move)
    place.write_text(damage(place.read_text()))
    with pytest.raises(JournalError):
        reopen(place)


def test_a_mark_that_was_cut_off_does_not_matter(shoot: Path) -> None:
    before = tree(shoot)
    _, place = apply(shoot, Action.move)
    place.write_text(place.read_text()[:-5])
    with reopen(place) as journal:
        take_back(journal)
    with reopen(place) as journal:  # the torn line is inside of the file now
        assert take_back(journal).pictures == 0
    assert tree(shoot) == before


def test_a_journal_replaces_no_file(shoot: Path) -> None:
    with pytest.raises(JournalError):
        begin(shoot / "a.jpg", [])
    assert (shoot / "a.jpg").read_bytes() == b"content of a.jpg"
