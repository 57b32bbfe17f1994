"""LIVE-FB: pictures in folders by collection, an official split that is spread over files."""

from pathlib import Path

import pytest

from iqa_cli.datasets.flive import read_flive
from iqa_cli.datasets.record import ImageRecord
from tests.datasets import trees

NAMES = [name for name, _ in trees.FLIVE_ROWS]


@pytest.mark.parametrize(
    ("test", "valid", "parts"),
    [
        (True, True, ("val", "train", "test", "train")),
        (False, True, ("val", "train", "test", "train")),
        (True, False, ("train", "train", "test", "train")),
        (False, False, (None, None, None, None)),
    ],
)
def test_every_field_of_every_record(
    tmp_path: Path, test: bool, valid: bool, parts: tuple[str | None, ...]
) -> None:
    database = read_flive(trees.flive(tmp_path, test, valid))
    assert (database.name, database.low, database.high, database.higher_is_better) == ("flive", 0, 100, True)
    expected = [
        ImageRecord(
            path=tmp_path / "database" / name,
            name=name,
            mos=pytest.approx(mos / 100),
            raw=mos,
            group=name,
            split=part,
            subset=name.split("/")[0],
        )
        for (name, mos), part in zip(trees.FLIVE_ROWS, parts, strict=True)
    ]
    assert list(database.records) == sorted(expected, key=lambda record: record.name)
    database.check_pictures(database.records)


def test_the_layout_of_the_repository_has_its_labels_inside_the_folder(tmp_path: Path) -> None:
    trees.flive(tmp_path)
    for file in tmp_path.glob("*.csv"):
        file.rename(tmp_path / "database" / file.name)
    database = read_flive(tmp_path)
    database.check_pictures(database.records)
    assert [r.name for r in database.part("test")] == [NAMES[2]]
    # The folder of pictures itself may be named as the root, too.
    database = read_flive(tmp_path / "database")
    database.check_pictures(database.records)


@pytest.mark.parametrize(
    ("column", "values", "parts"),
    [
        ("is_test", "False True False False", ("train", "test", "train", "train")),
        ("is_valid", "0 1 0 0", ("train", "val", "train", "train")),
    ],
)
def test_a_split_in_the_label_file_itself(
    tmp_path: Path, column: str, values: str, parts: tuple[str, ...]
) -> None:
    trees.flive(tmp_path, test=False, valid=False)
    rows = [(name, mos, value) for (name, mos), value in zip(trees.FLIVE_ROWS, values.split(), strict=True)]
    trees.write_csv(tmp_path / "labels_image.csv", ("name", "mos", column), rows)
    records = {r.name: r.split for r in read_flive(tmp_path).records}
    assert tuple(records[name] for name in NAMES) == parts


@pytest.mark.parametrize(
    ("file", "row", "message"),
    [
        ("labels_image.csv", f"{NAMES[0]},50", f"'{NAMES[0]}' is listed twice"),
        ("labels_image.csv", "a/b.jpg,101", "line 6: the score 101 lies outside of 0 to 100"),
        ("labels_image.csv", "a/b.jpg,", "line 6: '' is no number"),
        ("labels_image.csv", "a/b.jpg", "line 6: has 1 cells for 2 columns"),
        ("labels=640_padded.csv", f"{NAMES[1]},True", f"'{NAMES[1]}' is listed twice"),
        ("labels=640_padded.csv", f"{NAMES[2]},perhaps", "line 5: 'perhaps' in is_valid is neither True nor"),
    ],
)
def test_a_broken_row_is_one_clear_line(tmp_path: Path, file: str, row: str, message: str) -> None:
    with (trees.flive(tmp_path) / file).open("a") as stream:
        stream.write(f"{row}\r\n")
    assert message in trees.refusal(read_flive, tmp_path).message
