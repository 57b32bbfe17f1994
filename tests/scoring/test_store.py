"""The store: what is known is not looked at again and comes back as it was; other weights, settings and
contents are told apart; files that change."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iqa_cli.images.policy import SizePolicy
from iqa_cli.scoring import hashing
from iqa_cli.scoring.group import ScorerGroup
from iqa_cli.scoring.store import Store, StoreError
from iqa_cli.scoring.storefile import told
from iqa_cli.scoring.storelist import StoreReader, Wanted
from tests.scoring.fakescorers import FakeScorer, group_of, keys_for
from tests.scoring.storing import plain_score, scored


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own time of change cannot be set: a file counts as settled at once."""
    monkeypatch.setattr("iqa_cli.scoring.store._BY_STAMP", _without_waiting())


def _without_waiting() -> str:
    from iqa_cli.scoring import store

    return store._BY_STAMP.replace(f"+ {store._STEP}", "- 1")


def test_a_second_run_gives_the_same_records_and_looks_at_nothing(
    tmp_path: Path, pictures: list[str]
) -> None:
    first, second = FakeScorer(), FakeScorer()
    plain = list(group_of(FakeScorer()).score_many(pictures))
    assert scored(tmp_path, pictures, first) == plain
    assert scored(tmp_path, pictures, second) == plain
    assert (first.looked, second.looked) == (12, 0)


def test_only_what_is_new_is_looked_at_and_the_order_stays(tmp_path: Path, pictures: list[str]) -> None:
    scored(tmp_path, pictures[::2], FakeScorer())
    scorer = FakeScorer()
    assert scored(tmp_path, pictures, scorer) == list(group_of(FakeScorer()).score_many(pictures))
    assert scorer.looked == 6


def test_a_content_is_known_under_any_name_and_gets_the_name_given_now(
    tmp_path: Path, pictures: list[str]
) -> None:
    scored(tmp_path, pictures, FakeScorer())
    scorer = FakeScorer()
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "pictures", moved)
    paths = sorted(map(str, moved.iterdir()))
    assert [record.path for record in scored(tmp_path, paths, scorer)] == paths
    assert scorer.looked == 0
    content = Path(pictures[3]).read_bytes()
    (record,) = scored(tmp_path, [("a name", content)], scorer)
    assert record.path == "a name"
    assert scorer.looked == 0


def test_an_unchanged_file_is_not_even_opened(
    tmp_path: Path, pictures: list[str], settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = scored(tmp_path, pictures, FakeScorer())

    def refuse(path: object) -> Any:
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr(hashing, "open_file", refuse)
    assert scored(tmp_path, pictures, FakeScorer()) == wanted
    failed = scored(tmp_path, pictures[:1], FakeScorer(), trust_stamps=False)
    assert "was opened" in str(failed[0].error)


def test_a_file_that_changed_is_scored_anew_even_with_the_size_and_time_of_before(
    tmp_path: Path, pictures: list[str], settled: None
) -> None:
    one, other = Path(pictures[0]), Path(pictures[1])
    assert one.stat().st_size == other.stat().st_size
    (before,) = scored(tmp_path, [str(one)], FakeScorer())
    before_that = one.stat()
    one.write_bytes(other.read_bytes())
    os.utime(one, (before_that.st_atime, before_that.st_mtime))
    (after,) = scored(tmp_path, [str(one)], FakeScorer())
    assert after.score == plain_score(other) != before.score


def test_a_file_that_was_just_written_is_not_trusted_by_its_time(
    tmp_path: Path, pictures: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be written again within the same step of the clock of its file system."""
    scored(tmp_path, pictures[:1], FakeScorer())
    opened = []
    real = hashing.open_file
    monkeypatch.setattr(hashing, "open_file", lambda path: (opened.append(path), real(path))[1])
    scored(tmp_path, pictures[:1], FakeScorer())
    assert opened == pictures[:1]


def test_a_file_that_changes_while_it_is_read_is_not_remembered_under_its_name(
    tmp_path: Path, pictures: list[str], settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "MOST_HELD", 0)  # as if it were large: hashed first, then decoded
    one, other = Path(pictures[0]), Path(pictures[1]).read_bytes()
    real = hashing.read_hashed

    def changed_after_hashing(path: Any) -> hashing.Hashed:
        found = real(path)
        one.write_bytes(other)
        return found

    monkeypatch.setattr("iqa_cli.scoring.store.read_hashed", changed_after_hashing)
    (seen,) = scored(tmp_path, [str(one)], FakeScorer())
    assert seen.score == plain_score(pictures[1])
    with StoreReader(tmp_path / "s.db") as store:
        assert list(store.rows(Wanted())) == []


def test_large_files_are_not_held_and_score_the_same(
    tmp_path: Path, pictures: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = scored(tmp_path, pictures, FakeScorer())
    (tmp_path / "s.db").unlink()
    monkeypatch.setattr(hashing, "MOST_HELD", 0)
    assert scored(tmp_path, pictures, FakeScorer()) == wanted
    assert scored(tmp_path, pictures, again := FakeScorer()) == wanted
    assert again.looked == 0


@pytest.mark.parametrize(
    "other",
    [
        {"scorer": FakeScorer("other")},
        {"scorer": FakeScorer(policy=SizePolicy(crop=192))},
        {"mode": "native"},
        {"mode": "fast"},
    ],
)
def test_another_weight_policy_or_mode_is_scored_by_itself(
    tmp_path: Path, pictures: list[str], other: dict[str, Any]
) -> None:
    scored(tmp_path, pictures, FakeScorer())
    scorer = other.pop("scorer", FakeScorer())
    scorer.looked = 0
    scored(tmp_path, pictures, scorer, **other)
    assert scorer.looked == 12
    scorer.looked = 0
    scored(tmp_path, pictures, scorer, **other)
    assert scorer.looked == 0


@pytest.mark.parametrize(
    ("what", "mode", "others"),
    [
        ("SCORING", "default", [True, True]),
        ("NAMING", "default", [False, True]),
        ("FAST", "fast", [True, True]),
        ("FAST", "default", [False, False]),
        ("FAST", "native", [False, False]),
    ],
)
def test_a_release_that_says_otherwise_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, mode: str, others: list[bool]
) -> None:
    plain, naming = FakeScorer("plain"), FakeScorer("naming")
    naming.distortions = ("blur",)
    before = keys_for(group_of(plain, naming), tmp_path, mode=mode)
    monkeypatch.setattr(f"iqa_cli.scoring.storekey.{what}", 99)
    after = keys_for(group_of(plain, naming), tmp_path, mode=mode)
    assert [old != new for old, new in zip(before, after, strict=True)] == others


def test_what_moves_scores_is_in_the_key(tmp_path: Path) -> None:
    def settings(exif: bool = True, **facts: str) -> str:
        scorer = FakeScorer()
        for name, value in facts.items():
            setattr(scorer, name, value)
        return keys_for(group_of(scorer), tmp_path, exif=exif)[0].settings

    assert settings() == settings(device="cuda:0") == "default"
    assert settings(exif=False) == "default no-exif"
    assert settings(precision="bf16") == "default bf16 cpu"
    assert settings(precision="bf16", device="cuda:1") == "default bf16 cuda"
    assert settings(engine="onnxruntime") == "default onnxruntime"


def test_a_second_model_looks_alone_at_what_the_first_has_seen(tmp_path: Path, pictures: list[str]) -> None:
    scored(tmp_path, pictures[:5], FakeScorer("one"))
    scored(tmp_path, pictures[5:8], FakeScorer("two", 0.5))
    one, two = FakeScorer("one"), FakeScorer("two", 0.5)
    together = scored(tmp_path, pictures, one, two)
    assert together == list(group_of(FakeScorer("one"), FakeScorer("two", 0.5)).score_many(pictures))
    assert (one.looked, two.looked) == (7, 9)
    turned = scored(tmp_path, pictures, two, one)
    assert turned == list(group_of(FakeScorer("two", 0.5), FakeScorer("one")).score_many(pictures))
    assert (one.looked, two.looked) == (7, 9)


def test_failures_are_told_each_time_and_give_way_to_a_score(tmp_path: Path, pictures: list[str]) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(pictures[0]).read_bytes()[:-10])
    paths = [str(broken), str(tmp_path / "missing.png"), pictures[0]]
    first, second = scored(tmp_path, paths, FakeScorer()), scored(tmp_path, paths, FakeScorer())
    assert first == second == list(group_of(FakeScorer()).score_many(paths))
    with StoreReader(tmp_path / "s.db") as store:
        rows = {Path(row.prediction.path).name: row.prediction.error for row in store.rows(Wanted())}
    assert rows["00000.bmp"] is None
    assert "truncated" in str(rows["broken.png"])
    assert "missing.png" not in rows  # nothing was read of it


def test_pictures_over_max_pixels_are_refused_though_known(tmp_path: Path, pictures: list[str]) -> None:
    scored(tmp_path, pictures, FakeScorer())
    group = group_of(FakeScorer())
    with Store(tmp_path / "s.db") as store:
        memory = store.memory(keys_for(group, tmp_path), max_pixels=100)
        found = list(group.score_many(pictures, max_pixels=100, memory=memory))
    assert found == list(group.score_many(pictures, max_pixels=100))
    assert all(record.score is None for record in found)


def test_an_interrupted_run_goes_on(tmp_path: Path, pictures: list[str]) -> None:
    group = group_of(FakeScorer())
    with Store(tmp_path / "s.db") as store:
        records = group.score_many(pictures, memory=store.memory(keys_for(group, tmp_path)))
        given = [next(records) for _ in range(4)]
        records.close()  # type: ignore[attr-defined]
    with StoreReader(tmp_path / "s.db") as store:
        assert {row.prediction.path for row in store.rows(Wanted())} >= {record.path for record in given}
    scorer = FakeScorer()
    assert scored(tmp_path, pictures, scorer) == list(group_of(FakeScorer()).score_many(pictures))
    assert scorer.looked <= 8


def test_names_that_are_no_text_come_back(tmp_path: Path, pictures: list[str]) -> None:
    name = os.fsencode(tmp_path) + b"/x\xff'\n;--.png"
    shutil.copy(pictures[0], name)
    path = os.fsdecode(name)
    assert [record.path for record in scored(tmp_path, [path], FakeScorer())] == [path]
    with StoreReader(tmp_path / "s.db") as store:
        assert [row.prediction.path for row in store.rows(Wanted())] == [path]
        assert [row.prediction.path for row in store.rows(Wanted(pattern="*.png"))] == [path]


def test_other_files_are_refused_and_left_as_they_are(tmp_path: Path, pictures: list[str]) -> None:
    picture = Path(pictures[0])
    before = picture.read_bytes()
    with pytest.raises(StoreError, match="no store of scores"):
        Store(picture)
    assert picture.read_bytes() == before
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    before = foreign.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store(foreign)
    assert foreign.read_bytes() == before
    newer = tmp_path / "newer.db"
    Store(newer).close()
    connection = sqlite3.connect(newer)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer version"):
        Store(newer)
    for place, line in ((tmp_path, "is a folder"), (tmp_path / "no" / "s.db", "cannot be opened")):
        with pytest.raises(StoreError, match=line):
            Store(place)
    with pytest.raises(StoreError, match="there is no store"):
        StoreReader(tmp_path / "none.db")


def test_a_store_that_breaks_in_the_middle_ends_the_run_with_one_line(
    tmp_path: Path, pictures: list[str]
) -> None:
    """It must not look like pictures that are broken."""
    group = group_of(FakeScorer())
    with Store(tmp_path / "s.db") as store:
        memory = store.memory(keys_for(group, tmp_path))
        connection = sqlite3.connect(tmp_path / "s.db")
        connection.execute("DROP TABLE files")
        connection.close()
        with pytest.raises(StoreError, match="no such table"):
            list(group.score_many(pictures, memory=memory))


def test_a_full_disk_ends_the_run_with_one_line_and_leaves_a_whole_store(
    tmp_path: Path, pictures: list[str]
) -> None:
    group = group_of(FakeScorer())
    many = [(f"{number}", Path(pictures[0]).read_bytes() + bytes([number])) for number in range(200)]
    with Store(tmp_path / "s.db") as store:
        memory = store.memory(keys_for(group, tmp_path))
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreError, match="no space left on device"):
            list(group.score_many(many, memory=memory))
    (again,) = scored(tmp_path, many[:1], scorer := FakeScorer())
    assert again.score == plain_score(pictures[0])
    assert scorer.looked == 0


def test_an_error_of_the_disk_is_told_from_a_full_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite calls it an I/O error where the file beside a store cannot grow."""
    error = sqlite3.OperationalError("disk I/O error")
    assert "disk I/O error" in told(tmp_path / "s.db", error).message
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=20_000))
    assert "no space left on device" in told(tmp_path / "s.db", error).message


def test_groups_without_a_store_are_as_before(pictures: list[str]) -> None:
    group: ScorerGroup = group_of(FakeScorer())
    assert [record.error for record in group.score_many(pictures)] == [None] * 12
