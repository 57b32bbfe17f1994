"""Where a changed weight goes: a new file, the place of the old one, or nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import check_name
from iqa_cli.errors import UsageError, WeightsError
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.card import Card
    from iqa_cli.recard import Place

WeightOutput = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="A new .safetensors file, called as it is."),
]
InPlace = Annotated[bool, typer.Option("--in-place", help="Replace the weight's own file.")]


class WeightTarget:
    """What `-o` and `--in-place` say, checked before hours go into what is to be written.

    Args:
        path: The weight's file.
        output: Of `-o`.
        in_place: Whether the old file is replaced.

    Attributes:
        path: Where the changed weight goes; None for nowhere.

    Raises:
        UsageError, WeightsError: It cannot be written there.
    """

    def __init__(self, path: Path, output: Path | None, in_place: bool) -> None:
        from iqa_cli.recard import writable_weight

        _check(output, in_place)
        self._old = path
        self._place: Place | None = writable_weight(path) if in_place else None
        self.path = self._place.path if self._place is not None else output

    def write(self, write: Callable[[Path], None], while_it_was: str) -> None:
        """Have it written, a Ctrl-C coming when all is; nothing where it goes nowhere.

        Args:
            write: Writes to a path.
            while_it_was: What was done to the weight, for the error.

        Raises:
            WeightsError: The weight that is to be replaced has changed meanwhile; or as `write`.
        """
        from iqa_cli.training.interrupt import deferred_interrupt

        if self._place is not None and not self._place.unchanged():
            raise WeightsError(
                f"{one_line(self._old)} has changed while it was {while_it_was}; nothing was written"
            )
        if self.path is not None:
            with deferred_interrupt():
                write(self.path)

    def name_of(self, card: Card) -> str:
        """What the changed weight is called, for a reader: a new file as it is."""
        return one_line(card.name if self.path in (None, self._old) else self.path.stem)

    def tell(self, env: Environment, *, dropped: bool = False) -> None:
        """Say where it went, and whether what the old one measured was left out."""
        if dropped:
            env.note(
                "what the card said was measured is left out, the scores being others: iqa eval --record"
            )
        if self.path is None:
            env.note("nothing was written: -o FILE makes a new weight, --in-place replaces this one")
        else:
            env.note(f"wrote {one_line(self.path)}")


def _check(output: Path | None, in_place: bool) -> None:
    if output is None:
        return
    from iqa_cli.cli.output import check_place
    from iqa_cli.finding import SUFFIX, is_weight
    from iqa_cli.seen import seen_path

    if in_place:
        raise UsageError("--in-place and -o exclude each other")
    if not is_weight(output):
        raise UsageError(f"-o {one_line(output)}: the file of a weight ends in {SUFFIX}")
    check_name(output.name.removesuffix(SUFFIX), "-o")
    check_place(str(output))
    for place in (output, seen_path(output)):
        if place.exists():
            raise UsageError(f"-o: {one_line(place)} is there already", hint="--in-place replaces a weight")
