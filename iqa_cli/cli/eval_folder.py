"""What `iqa eval --exploration` and `--stability` have in common: a folder of pictures in place of a
database, and no opinions."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_lineup import DEFAULT_MODEL
from iqa_cli.cli.output import write
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.card import Card
    from iqa_cli.cli.eval_run import EvalOptions
    from iqa_cli.datasets.synth_sources import Source
    from iqa_cli.exploring import Other


@dataclass(frozen=True)
class Scored:
    """What is scored, and by what.

    Attributes:
        folder: Where they are.
        part: That of its `sources.csv` which is taken; None for all.
        sources: The pictures.
        weights: Files and cards of the weights.
        others: Further scorers by name; see `iqa_cli.exploring.Other`.
    """

    folder: Path
    part: str | None
    sources: Sequence[Source]
    weights: Sequence[tuple[Path, Card]]
    others: Mapping[str, Other]

    @property
    def title(self) -> str:
        """Folder and part, for a line."""
        return one_line(self.folder) + ("" if self.part is None else f", part {one_line(self.part)}")

    @property
    def paths(self) -> list[Path]:
        """Files of the weights."""
        return [path for path, _ in self.weights]


def find(
    folder: Path,
    models: Sequence[str],
    others: Mapping[str, Other] | None,
    *,
    part: str | None = None,
    limit: int | None = None,
) -> Scored:
    """Whatever can be wrong, before torch is imported.

    Args:
        folder: Pictures, as `iqa data synth --from` takes them.
        models: Weights; may be empty where there are `others`.
        others: Further scorers.
        part: Only these pictures of `sources.csv`.
        limit: At most so many pictures, spread evenly over the folder.

    Raises:
        IqaError: No pictures, a weight that cannot be used; one line.
    """
    from iqa_cli.datasets.synth_sources import find_sources
    from iqa_cli.weights import find_several

    sources = find_sources(folder, part, limit)
    return Scored(folder, part, sources, find_several(models) if models or not others else [], others or {})


def tell_left_out(failures: Mapping[str, str], env: Environment) -> None:
    """Which pictures are in no figure."""
    for name, reason in failures.items():
        env.note(f"{one_line(name)}: left out: {reason}")


def without_opinions(
    measure: Callable[..., None], folder: Path, options: EvalOptions, env: Environment, **further: Any
) -> None:
    """Run what prints to stdout itself, for a file through a buffer.

    Args:
        measure: `eval_exploration.explore` or `eval_stability.stability`.
        folder: The pictures.
        options: Those of `iqa eval`.
        env: The world.
        further: Arguments that only this `measure` has.

    Raises:
        UsageError: A baseline is given twice, or more than one part.
        IqaError: As of `measure`.
    """
    from iqa_cli.baselines import baseline

    found = {name: baseline(name) for name in options.baselines}
    others = {
        name: lambda rgb, known=known: known.oriented(known.score(rgb)) for name, known in found.items()
    }
    if len(others) < len(options.baselines):
        raise UsageError("a --baseline is given twice")
    if len(options.splits) > 1:
        raise UsageError("--split: a folder is measured on one part of its sources.csv")
    models = options.models if options.models or others else (DEFAULT_MODEL,)
    pages = io.BytesIO()
    measure(
        replace(env, stdout=pages),
        folder,
        models=models,
        others=others,
        part=next(iter(options.splits), None),
        allow_missing=options.allow_missing,
        form=options.format,
        device=options.device,
        threads=options.threads,
        **further,
    )
    write(env, options.output, pages.getvalue())
