"""`iqa eval --store`, `iqa gmad --store`: scores are kept as `iqa score --store` keeps them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa, MakeData

EVAL = ("eval", "--dataset", "csv")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the pictures that are decoded for the weights."""
    import iqa_cli.scoring.group as group

    names: list[str] = []
    real = group.open_photo

    def noting(source: Any, **options: Any) -> Any:
        names.append(Path(getattr(source, "name", "") or "of bytes").name)
        return real(source, **options)

    monkeypatch.setattr(group, "open_photo", noting)
    return names


def test_what_is_in_the_store_is_not_scored_again(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path, opened: list[str]
) -> None:
    root, store = make_eval_data(7), tmp_path / "scores.db"
    plain = iqa(*EVAL, "--root", root)
    del opened[:]
    first = iqa(*EVAL, "--root", root, "--store", store)
    assert (first.code, first.out) == (0, plain.out)
    assert len(opened) == 7
    again = iqa(*EVAL, "--root", root, "--store", store, "--by", "subset")
    assert (again.code, again.out) == (0, plain.out)
    scored = iqa("score", "--store", store, *sorted(root.glob("*.png")))
    assert scored.code == 0
    assert len(opened) == 7
    against = iqa(
        "gmad", "--a", "mfenet", "--b", "laplacian", "--pairs", 1, "--tolerance", 50, root, "--store", store
    )
    assert against.code == 0, against.err
    assert len(opened) == 7


def test_an_interrupted_run_goes_on_where_it_was(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, store = make_eval_data(9), tmp_path / "scores.db"
    shown = 0

    def interrupted(_: object) -> None:
        nonlocal shown
        shown += 1
        if shown == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("iqa_cli.cli.progress.Progress.show", interrupted)
        result = iqa(*EVAL, "--root", root, "--store", store)
    assert (result.code, result.out) == (ExitCode.INTERRUPTED, b"")
    assert "interrupted; 4 of 9 pictures scored, nothing is measured" in result.err
    with sqlite3.connect(store) as connection:
        (kept,) = connection.execute("SELECT count(*) FROM scores").fetchone()
    assert 4 <= kept <= 9
    del opened[:]
    whole = iqa(*EVAL, "--root", root, "--store", store)
    assert whole.code == 0, whole.err
    assert len(opened) == 9 - kept
    assert whole.out == iqa(*EVAL, "--root", root).out


def test_a_store_without_a_weight_is_refused(iqa: Iqa, make_eval_data: MakeData, tmp_path: Path) -> None:
    root, store = make_eval_data(5), tmp_path / "scores.db"
    result = iqa(*EVAL, "--root", root, "--baseline", "laplacian", "--store", store)
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert "--store keeps the scores of weights, and there is none" in result.err
    assert not store.exists()


@pytest.mark.parametrize("option", ["--output", "--report"])
def test_figures_do_not_replace_the_store(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path, option: str
) -> None:
    root, store = make_eval_data(5), tmp_path / "scores.db"
    assert iqa(*EVAL, "--root", root, "--store", store).code == 0
    before = store.read_bytes()
    result = iqa(*EVAL, "--root", root, "--store", store, option, store)
    assert result.code == ExitCode.USAGE
    assert store.read_bytes() == before
