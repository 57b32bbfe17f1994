"""The bar of a long run: drawn on a terminal alone, with lines above it."""

from __future__ import annotations

import io
from typing import Any

import pytest

from iqa_cli.cli import progress as pictures
from iqa_cli.cli.context import Environment
from iqa_cli.cli.run_progress import run_progress


def _world(**values: Any) -> tuple[Environment, io.StringIO]:
    err = io.StringIO()
    return Environment(io.BytesIO(), io.BytesIO(), err, columns=100, **values), err


def _run(env: Environment) -> None:
    with run_progress(env) as progress:
        for done in range(4):
            progress.update("training", done, 4, "12.5 images/s [bold]")
        progress.note("epoch 1: SRCC 0.5 [red]")


def test_a_terminal_sees_the_bar_and_the_line() -> None:
    env, err = _world(stderr_is_terminal=True)
    _run(env)
    said = err.getvalue()
    assert "training" in said
    assert "3/4" in said
    assert "steps" in said
    assert "12.5 images/s [bold]" in said
    assert "iqa: epoch 1: SRCC 0.5 [red]\n" in said.replace("\r", "")


def test_elsewhere_there_is_only_the_line() -> None:
    for values, expected in (
        ({}, "iqa: epoch 1: SRCC 0.5 [red]\n"),
        ({"stderr_is_terminal": True, "environ": {"TERM": "dumb"}}, "iqa: epoch 1: SRCC 0.5 [red]\n"),
        ({"stderr_is_terminal": True, "quiet": True}, ""),
    ):
        env, err = _world(**values)
        _run(env)
        assert err.getvalue() == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.25, "2 of 5 pictures, 8.0 a second, 0:00 left"), (50, "2 of 5 pictures, 25.0 s each, 1:15 left")],
)
def test_pictures_that_take_seconds_are_not_0_a_second(
    monkeypatch: pytest.MonkeyPatch, seconds: float, expected: str
) -> None:
    env, err = _world(stderr_is_terminal=True)
    now = [0.0]
    monkeypatch.setattr(pictures.time, "monotonic", lambda: now[0])
    progress = pictures.Progress(env, 5)
    progress.begin()
    progress.advance()
    progress.advance()
    now[0] = seconds
    progress.show()
    assert err.getvalue().endswith(expected)
