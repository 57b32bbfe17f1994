"""`iqa score --store` and `iqa store`: the same bytes as without a store; what is listed and exported."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.scoring.batches import Batches
from tests.cli.conftest import Iqa
from tests.tinyweight import make_tiny_weight

Photos = Callable[..., Path]
FORMATS = ("csv", "tsv", "json", "jsonl", "table")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, a network that is asked for anything ends the run."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the network was asked")

    return lambda: monkeypatch.setattr(Batches, "add", refuse)


def test_a_second_run_prints_the_same_bytes_in_every_format_without_the_network(
    iqa: Iqa, photos: Photos, no_network: Callable[[], None]
) -> None:
    folder = photos("b.jpg", "a.jpg", "sub/c.jpg")
    (folder / "broken.jpg").write_bytes(b"no photo at all")
    plain = {kind: iqa("score", "-r", ".", "--format", kind) for kind in FORMATS}
    first = iqa("score", "-r", ".", "--format", "csv", "--store", "s.db")
    assert (first.out, first.err, first.code) == (plain["csv"].out, plain["csv"].err, plain["csv"].code)
    no_network()
    for kind in FORMATS:
        again = iqa("score", "-r", ".", "--format", kind, "--store", "s.db")
        assert (again.out, again.err, again.code) == (plain[kind].out, plain[kind].err, plain[kind].code)
        assert iqa("score", "-r", ".", "--format", kind, "--store", "s.db", "--reread").out == plain[kind].out


def test_what_is_known_is_told_without_torch(iqa: Iqa, photos: Photos) -> None:
    """Nor is it loaded for a picture that is broken, or that nobody can look at."""
    folder = photos("b.jpg", "a.jpg")
    (folder / "broken.jpg").write_bytes(b"no photo at all")
    first = iqa("score", "-r", ".", "--format", "jsonl", "--store", "s.db")
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
        "from iqa_cli.cli.app import main\nmain()"
    )
    run = ["score", "-r", ".", "--format", "jsonl", "--store", "s.db", "--device", "cpu"]
    done = subprocess.run([sys.executable, "-c", code, *run], capture_output=True, cwd=folder, check=False)
    assert (done.stdout, done.returncode) == (first.out, first.code)
    assert done.stderr.decode().splitlines()[-1] == "False"


def test_a_weight_that_is_damaged_behind_its_card_is_told_when_it_is_needed(
    iqa: Iqa, photos: Photos, examples: Path
) -> None:
    folder = photos("a.jpg", "b.jpg")
    weight = make_tiny_weight(folder, examples, "second", seed=12)
    run = ["--model", "second.safetensors", "--store", "s.db", "--format", "jsonl", "--device", "cpu"]
    content = bytearray(weight.read_bytes())
    content[-1] ^= 1
    weight.write_bytes(content)
    refused = iqa("score", "a.jpg", *run)
    assert (refused.code, refused.out) == (4, b"")
    assert "second.safetensors" in refused.err


def test_several_models_share_a_store(
    iqa: Iqa, photos: Photos, examples: Path, no_network: Callable[[], None]
) -> None:
    folder = photos("a.jpg", "b.jpg")
    make_tiny_weight(folder, examples, "second", seed=12)
    both = ["--model", "mfenet", "--model", "second.safetensors", "--format", "jsonl"]
    plain = iqa("score", "a.jpg", "b.jpg", *both).out
    assert iqa("score", "a.jpg", "--model", "second.safetensors", "--store", "s.db").code == 0
    mixed = iqa("score", "a.jpg", "b.jpg", *both, "--store", "s.db").out
    scores = [[json.loads(line)["scores"] for line in out.splitlines()] for out in (plain, mixed)]
    for one, other in zip(*scores, strict=True):
        assert one == {name: pytest.approx(value, abs=0.005) for name, value in other.items()}
    no_network()
    assert iqa("score", "a.jpg", "b.jpg", *both, "--store", "s.db").out == mixed
    assert iqa("score", "b.jpg", "--model", "second.safetensors", "--store", "s.db").code == 0


@pytest.fixture
def stored(iqa: Iqa, photos: Photos) -> list[dict[str, Any]]:
    """s.db in the working directory, with three pictures and a broken one; the records of the run."""
    folder = photos("b.jpg", "a\x1b[31m.jpg", "sub/c.jpg")
    (folder / "broken.jpg").write_bytes(b"no photo at all")
    out = iqa("score", "-r", ".", "--format", "jsonl", "--store", "s.db").out
    return [json.loads(line) for line in out.splitlines()]


def test_what_is_listed_are_the_rows_of_the_run(
    iqa: Iqa, stored: list[dict[str, Any]], tiny_weights: Path
) -> None:
    from iqa_cli.scoring.hashing import sha256_of

    wanted = [{**record, "path": os.path.abspath(record["path"])} for record in stored]  # noqa: PTH100
    wanted.sort(key=lambda record: record["path"])
    weight = sha256_of(tiny_weights / "mfenet.safetensors")
    for record in wanted:
        record |= {"sha256": sha256_of(record["path"]), "weight": weight, "settings": "default"}
    lines = iqa("store", "s.db", "--format", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == wanted
    assert json.loads(iqa("store", "s.db", "--format", "json").out) == wanted
    rows = list(csv.DictReader(iqa("store", "s.db", "--format", "csv").out.decode().splitlines()))
    for row, record in zip(rows, wanted, strict=True):
        for name in ("path", "sha256", "weight", "settings"):
            assert row[name] == record[name]
        assert row["score"] == ("" if record["score"] is None else f"{record['score']:.4f}")
    table = iqa("store", "s.db", terminal="stdout", colour=False).out
    assert b"\x1b[31m" not in table
    assert b"a\\x1b[31m.jpg" in table
    assert b"\x1b[31m" not in iqa("store", "s.db").out


def test_parquet_has_the_columns_of_the_csv_with_types(iqa: Iqa, stored: list[dict[str, Any]]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert iqa("store", "s.db", "-o", "out.parquet").code == 0
    table = parquet.read_table("out.parquet")
    csv_names = iqa("store", "s.db", "--format", "csv").out.decode().splitlines()[0].split(",")
    assert table.column_names == csv_names
    listed = [json.loads(line) for line in iqa("store", "s.db", "--format", "jsonl").out.splitlines()]
    assert table.to_pylist() == [{name: record[name] for name in csv_names} for record in listed]
    assert iqa("score", "b.jpg", "--store", "s.db", "-o", "one.parquet").code == 0
    assert parquet.read_table("one.parquet").to_pylist()[0]["score"] == stored[1]["score"]
    refused = iqa("store", "s.db", "--format", "parquet", terminal="stdout")
    assert (refused.code, refused.out) == (2, b"")
    assert "not for a terminal" in refused.err


def test_filters_and_orders(iqa: Iqa, stored: list[dict[str, Any]]) -> None:
    scores = sorted(record["score"] for record in stored if record["score"] is not None)

    def listed(*options: object) -> list[str]:
        return [row[1] for row in iqa("store", "s.db", *options).rows]

    assert listed("--bottom", 2) == [f"{score:.4f}" for score in scores[:2]]
    assert listed("--top", 9) == [f"{score:.4f}" for score in reversed(scores)]
    assert listed("--by-score") == [*(f"{score:.4f}" for score in reversed(scores)), ""]
    assert listed("--failed") == [""]
    assert len(listed("--match", "*/sub/*")) == 1
    # Scores are kept in full, and printed to four decimals.
    assert listed("--below", scores[0] - 0.0001) == []
    assert iqa("store", "s.db", "--below", "0").err == "iqa: s.db holds no such row\n"
    assert iqa("store", "s.db", "--model", "mfe").err.splitlines()[1] == "  hint: it has those of: mfenet"
    (summary,) = json.loads(iqa("store", "s.db", "--summary", "--format", "json").out)
    assert (summary["model"], summary["scored"], summary["failed"]) == ("mfenet", 3, 1)
    assert summary["mean"] == pytest.approx(sum(scores) / 3, abs=0.001)
    assert b"3 scores, mean" in iqa("store", "s.db", "--summary", terminal="stdout").out


def test_ways_of_scoring_that_differ_in_the_size_policy_are_told_apart(
    iqa: Iqa, stored: list[dict[str, Any]]
) -> None:
    with sqlite3.connect("s.db") as connection:
        connection.execute(
            "INSERT INTO scorers (model, weight, policy, settings) "
            "SELECT model, weight, json_set(policy, '$.native_best', 0.5), settings FROM scorers"
        )
    lines = iqa("store", "s.db", "--summary", terminal="stdout").lines
    assert len(set(lines)) == len(lines) == 2
    assert "native_best 0.5" in lines[1]
    assert "scoring" not in lines[1]


def test_wrong_usage_is_one_line_and_leaves_files_as_they_are(iqa: Iqa, stored: list[dict[str, Any]]) -> None:
    for arguments, line in (
        (("score", "b.jpg", "--reread"), "--reread goes with --store"),
        (("score", "b.jpg", "--store", ""), "the name of the store is empty"),
        (("store", ""), "the name of the store is empty"),
        (("score", "b.jpg", "--store", "s.db", "-o", "s.db"), "s.db is the store, which the results would"),
        (("score", "b.jpg", "--store", "b.jpg"), "b.jpg is no store of scores"),
        (("score", "b.jpg", "--store", "no/s.db"), "no/s.db: cannot be opened"),
        (("score", "b.jpg", "--store", "."), ". is a folder, not a store"),
        (("store", "s.db", "-o", "./s.db"), "./s.db is the store, which the results would overwrite"),
        (("store", "s.db", "-o", "b.jpg"), "b.jpg is a picture, which the results would overwrite"),
        (("score", "b.jpg", "-o", "s.db"), "s.db is a database, which the results would overwrite"),
        (("store", "none.db"), "there is no store none.db"),
        (("store", "b.jpg"), "b.jpg is no store of scores"),
        (("store", "s.db", "--top", "1", "--bottom", "1"), "--top and --bottom exclude each other"),
        (("store", "s.db", "--failed", "--below", "5"), "--failed chooses pictures without a score"),
        (("store", "s.db", "--below", "nan"), "--below takes a number"),
    ):
        result = iqa(*arguments)
        assert (result.code, result.out) == (2, b""), arguments
        assert result.err.startswith(f"iqa: error: {line}"), result.err
    assert not Path("none.db").exists()
    assert iqa("score", "b.jpg").code == 0


def test_more_rows_than_a_number_of_sqlite_are_all(iqa: Iqa, stored: list[dict[str, Any]]) -> None:
    assert len(iqa("store", "s.db", "--top", "9" * 30).lines) == 3


@pytest.mark.parametrize("change", ["width = 'wide'", "error = x'ff'", "low = 'x'", "crops = 0.5"])
def test_a_store_from_elsewhere_with_values_of_other_kinds_is_one_line(
    iqa: Iqa, stored: list[dict[str, Any]], change: str
) -> None:
    with contextlib.closing(sqlite3.connect("s.db")) as base:
        base.execute(f"UPDATE scores SET {change}")
        base.commit()
    for form in FORMATS:
        result = iqa("store", "s.db", "--format", form)
        assert result.code == 2
        assert result.err.startswith("iqa: error: s.db: the store is damaged (a value of another kind")
        assert len(result.err.splitlines()) == 1
    # What makes no sense is not known, and is scored anew.
    again = iqa("score", "b.jpg", "--store", "s.db", "--format", "jsonl")
    assert json.loads(again.out)["score"] == next(row["score"] for row in stored if row["path"] == "./b.jpg")


def test_a_store_on_a_disk_that_may_not_be_written_is_listed(
    iqa: Iqa, stored: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = iqa("store", "s.db").out
    # Permissions do not stop root, hence a folder that only seems to be read-only; what would be written
    # there does show.
    monkeypatch.setattr("iqa_cli.scoring.storefile.os.access", lambda *_: False)
    monkeypatch.setattr("iqa_cli.scoring.storefile._prepare", None)
    assert iqa("store", "s.db").out == before
    assert not list(Path().glob("s.db-*"))


def test_a_device_is_no_store(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg")
    result = iqa("score", "a.jpg", "--store", os.devnull)
    assert (result.code, result.out) == (2, b"")
    assert "is no regular file" in result.err
