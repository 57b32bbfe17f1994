"""The bar of a long run: drawn on a terminal alone, with lines above it."""

from __future__ import annotations

import io
from typing import Any

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
