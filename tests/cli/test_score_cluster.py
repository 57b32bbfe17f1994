"""`iqa score --engine ray` before a cluster is asked: what goes together, lists in Parquet, URLs as inputs.
What a cluster does is in tests/scoring/test_engines_ray.py."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from iqa_cli.cli.context import Environment
from iqa_cli.cli.inputs import gather
from iqa_cli.errors import UsageError
from tests.cli.conftest import Iqa


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--address", "auto"), "go with --engine ray"),
        (("--workers", 2), "go with --engine ray"),
        (("--engine", "ray", "--store", "s.db"), "exclude each other"),
    ],
)
def test_what_does_not_go_together_is_refused(iqa: Iqa, examples: Path, options: tuple, said: str) -> None:
    result = iqa("score", examples / "dog.jpg", *options)
    assert (result.code, result.out) == (2, b"")
    assert said in result.err


def test_without_ray_it_says_what_to_install(
    iqa: Iqa, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = iqa("score", examples / "dog.jpg", "--engine", "ray", "-o", tmp_path / "x.csv")
    assert result.code == 2
    assert "iqa-cli[ray]" in result.err
    assert not (tmp_path / "x.csv").exists()


def test_a_list_may_be_parquet(iqa: Iqa, examples: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = [str(examples / "dog.jpg"), None, "", str(examples / "no\nsuch.jpg")]
    parquet.write_table(pyarrow.table({"path": names, "group": [1, 2, 3, 4]}), tmp_path / "list.parquet")
    result = iqa("score", "--files-from", tmp_path / "list.parquet", "--format", "tsv")
    assert result.code == 3
    assert [bool(row[1]) for row in result.rows] == [True, False]


def test_a_list_that_is_no_such_parquet_is_one_line(iqa: Iqa, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"name": ["a.jpg"]}), tmp_path / "other.parquet")
    parquet.write_table(pyarrow.table({"path": [1]}), tmp_path / "numbers.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing else")
    for name, said in (
        ("other", "no column 'path'"),
        ("numbers", "cannot be read"),
        ("broken", "cannot be read"),
        ("missing", "cannot be read"),
    ):
        result = iqa("score", "--files-from", tmp_path / f"{name}.parquet")
        assert (result.code, result.out) == (2, b"")
        assert said in result.err
        assert result.err.count("\n") <= 2


def test_urls_are_walked_and_matched() -> None:
    fsspec = pytest.importorskip("fsspec")
    for name in ("b.jpg", "a.png", "notes.txt", "sub/c.jpg"):
        fsspec.filesystem("memory").pipe(f"/walked/{name}", b"content")

    def paths(*arguments: str, recursive: bool = False, urls: bool = True) -> list[str]:
        env = Environment(stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO())
        return list(gather(list(arguments), env, recursive=recursive, urls=urls).paths)

    below = [f"memory:///walked/{name}" for name in ("a.png", "b.jpg", "sub/c.jpg")]
    assert paths("memory://walked", recursive=True) == below
    assert paths("memory://walked/*.jpg") == ["memory:///walked/b.jpg"]
    assert paths("memory://walked/b.jpg", "memory://walked/b.jpg", recursive=True) == [
        "memory://walked/b.jpg"
    ]
    with pytest.raises(UsageError, match="no pictures in memory://empty"):
        paths("memory://empty", recursive=True)
    # Without a cluster they are names of files, which there are none of.
    assert paths("memory://walked", recursive=True, urls=False) == ["memory://walked"]
