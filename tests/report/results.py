"""Results as `iqa eval` makes them, of scores made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from iqa_cli.evaluation.logistic import Floats
from iqa_cli.evaluation.measure import measure
from iqa_cli.evaluation.part import Column, Part, Result

HOSTILE = "</script><img src=x onerror=alert(1)> \"q\" 'a' \x1b[31m \u202e \udcff & {x}"


def made_part(n: int = 120, **changes: Any) -> Part:
    """A part with three distortions at five levels, in groups of four."""
    rng = np.random.default_rng(n)
    part = Part(
        "made",
        "val",
        "0123456789abcdef",
        tuple(f"picture {i}.png" for i in range(n)),
        rng.uniform(0, 100, n),
        np.arange(n) // 4,
        {
            "distortion": [("blur", "jpeg", "noise")[i % 3] for i in range(n)],
            "level": [str(i % 5 + 1) for i in range(n)],
        },
    )
    return replace(part, **changes)


def made_result(
    part: Part,
    scores: Floats | Callable[[Floats], Floats] = lambda y: y,
    *,
    scorer: str = "scorer",
    paths: Sequence[Path] | None = None,
    noise: float = 12.0,
    **flags: Any,
) -> Result:
    """A scorer whose scores are given, or a function of the opinions with noise on them."""
    if callable(scores):
        rng = np.random.default_rng(len(part) + 1)
        scores = scores(part.opinions + rng.normal(0, noise, len(part)))
    column = Column(scorer, scores, **flags)
    return Result(part, column, measure(part, column, resamples=100), paths)
