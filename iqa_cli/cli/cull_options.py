"""What `iqa cull` is asked for beside scoring, checked before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iqa_cli.culling.choosing import Keep
from iqa_cli.culling.rating import THRESHOLDS, Naming, check_thresholds
from iqa_cli.culling.steps import Action
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line


@dataclass(frozen=True)
class CullOptions:
    """The options of `iqa cull` that are its own; wrong ones are refused at construction (UsageError)."""

    scores: str | None = None
    gap: float = 2.0
    keep: Keep = Keep.best
    groups_only: bool = False
    plan: str | None = None
    apply: Action | None = None
    to: str | None = None
    rest: bool = False
    journal: Path | None = None
    xmp: Naming | None = None
    stars: tuple[float, ...] = THRESHOLDS
    rerate: bool = False

    def __post_init__(self) -> None:
        if (self.apply is None) != (self.to is None):
            raise UsageError("--apply and --to go together", hint="for example: --apply copy --to picks/")
        if self.to is not None:
            folder = Path(self.to)
            if not self.to or "\0" in self.to or (folder.exists() and not folder.is_dir()):
                raise UsageError(f"--to {one_line(self.to)}: is no folder")
        for option, given, needed, there in (
            ("--rest", self.rest, "--apply", self.apply is not None),
            ("--journal", self.journal is not None, "--apply or --xmp", self.acts),
            ("--rerate", self.rerate, "--xmp", self.xmp is not None),
            ("--stars", self.stars != THRESHOLDS, "--xmp", self.xmp is not None),
        ):
            if given and not there:
                raise UsageError(f"{option} goes with {needed}")
        if self.plan == "-":
            raise UsageError("--plan takes a file")
        check_thresholds(self.stars)

    @property
    def acts(self) -> bool:
        """Whether files are made or moved, and not only looked at."""
        return self.apply is not None or self.xmp is not None
