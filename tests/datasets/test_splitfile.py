"""Split files: written the same everywhere, read back as parts, refused when they do not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from iqa_cli.datasets.grouping import agreement, connected, joined_groups
from iqa_cli.datasets.record import Database, ImageRecord, split_hash
from iqa_cli.datasets.splitfile import SplitFile, load_split, read_split, write_split
from iqa_cli.datasets.splits import split
from iqa_cli.errors import DatasetError

SHARES = {"train": 0.7, "calib": 0.1, "test": 0.2}


def database(count: int = 30, name: str = "csv", folder: str = "/here") -> Database:
    """Pictures in groups of two, one of them with a name that is no UTF-8."""
    names = [f"p{number:02}.jpg" for number in range(count - 1)] + ["odd\udcff\n.jpg"]
    records = (
        ImageRecord(Path(folder) / name, name, 0.5, 3, group=f"g{number // 2}")
        for number, name in enumerate(names)
    )
    return Database(name, tuple(sorted(records, key=lambda record: record.name)), 1, 5)


def written(path: Path, **changes: object) -> Path:
    """A split file, with entries changed by hand."""
    data = database()
    write_split(path, data, split(data.records, SHARES, 3), 3, fractions=SHARES)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


def refused(path: Path, data: Database | None = None) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        read_split(path, data or database())
    assert caught.value.message.isprintable()
    return caught.value


def test_a_split_comes_back_from_its_file_wherever_the_database_lies(tmp_path: Path) -> None:
    data = database()
    parts = split(data.records, SHARES, 3)
    said = write_split(tmp_path / "new/split.json", data, parts, 3, fractions=SHARES)
    back = read_split(tmp_path / "new/split.json", database(folder="/elsewhere"))
    for part, records in parts.items():
        assert [r.name for r in back.part(part)] == [r.name for r in records]
    assert {r.group for r in back.part("train")}.isdisjoint(r.group for r in back.part("test"))
    assert said.split_hash == split_hash(back.records)
    assert load_split(tmp_path / "new/split.json") == said
    assert isinstance(said, SplitFile)
    assert (said.seed, said.origin, said.fractions) == (3, "drawn", SHARES)


def test_the_file_does_not_depend_on_the_order_of_records_and_says_nothing_of_the_machine(
    tmp_path: Path,
) -> None:
    one, other = database(), database(folder="/elsewhere")
    other = replace(other, records=other.records[::-1])
    for path, data in ((tmp_path / "a.json", one), (tmp_path / "b.json", other)):
        write_split(path, data, split(data.records, SHARES, 0), 0, fractions=SHARES)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert b"here" not in (tmp_path / "a.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_near_duplicates_of_the_file_join_the_groups_of_the_database(tmp_path: Path) -> None:
    data = database()
    write_split(
        tmp_path / "s.json", data, {"all": data.records}, 0, joined=[["p02.jpg", "p05.jpg"], ["p07.jpg"]]
    )
    group = {record.name: record.group for record in read_split(tmp_path / "s.json", data).records}
    assert group["p02.jpg"] == group["p03.jpg"] == group["p04.jpg"] == group["p05.jpg"] == "g1"
    assert group["p06.jpg"] == group["p07.jpg"] == "g3"


def test_a_split_of_other_pictures_or_of_another_database_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "s.json")
    fewer = replace(database(), records=database().records[1:])
    assert "30 against 29" in refused(path, fewer).message
    assert "odd\\xff\\n.jpg" in refused(path, fewer).message
    assert "of csv, not of spaq" in refused(path, database(name="spaq")).message


def test_a_file_changed_by_hand_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "s.json")
    content = json.loads(path.read_text())
    content["parts"]["train"].append(content["parts"]["test"].pop())
    path.write_text(json.dumps(content))
    assert "hash" in refused(path).message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        ("{", "no JSON"),
        ("[]", "no split file"),
        ('{"model": "mfenet"}', "no split file"),
        ('{"iqa_split": 1, "parts": 5}', "damaged"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_split_file_is_told_in_one_line(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "s.json"
    if content is not None:
        path.write_text(content)
    assert said in refused(path).message.lower().replace("json", "JSON")


def test_a_damaged_list_and_a_newer_format_are_told(tmp_path: Path) -> None:
    assert "damaged" in refused(written(tmp_path / "a.json", parts={"train": [1, 2]})).message
    assert "newer" in refused(written(tmp_path / "b.json", iqa_split=2)).message


def test_a_split_that_leaves_a_picture_out_or_takes_it_twice_is_not_written(tmp_path: Path) -> None:
    data = database()
    for parts in ({"a": data.records[1:]}, {"a": data.records, "b": data.records[:1]}):
        with pytest.raises(DatasetError):
            write_split(tmp_path / "s.json", data, parts, 0)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    data = database()
    with pytest.raises(DatasetError, match="cannot write"):
        write_split(tmp_path / "taken", data, {"all": data.records}, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_pairs_join_to_groups_numbered_by_their_first_members() -> None:
    assert connected(6, [(4, 1), (2, 5), (5, 4)]) == [0, 1, 1, 2, 1, 1]
    assert joined_groups(database(4).records, []) == [record.group for record in database(4).records]


def test_agreement_of_groupings_counted_by_hand() -> None:
    # Found {0 1 2} {3 4}; given {0 1} {2 3 4}: pairs found 4, given 4, common {0 1} and {3 4}.
    result = agreement([0, 0, 0, 1, 1, 2], ["a", "a", "b", "b", "b", "c"])
    assert (result.pairs_found, result.pairs_given, result.pairs_common) == (4, 4, 2)
    assert (result.pictures_found, result.pictures_given, result.pictures_common) == (5, 5, 4)
    assert (result.pair_precision, result.picture_recall) == (0.5, 0.8)
