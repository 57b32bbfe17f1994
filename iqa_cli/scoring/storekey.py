"""What a stored score depends on beside the content of the picture: all that makes the same picture score
otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iqa_cli.errors import WeightsError
from iqa_cli.scoring.hashing import sha256_of
from iqa_cli.text import one_line, reason_of

if TYPE_CHECKING:
    from iqa_cli.images.policy import Mode
    from iqa_cli.scoring.group import ScorerGroup
    from iqa_cli.scoring.scorer import Scorer

#: Raised when a change of the program makes the same weight score the same picture otherwise.
SCORING = 1
#: The same for the name that it gives to a distortion (`iqa_cli.scoring.naming`).
NAMING = 2
#: The same for what `--fast` looks at.
FAST = 2


@dataclass(frozen=True)
class ScorerKey:
    """One way of scoring.

    Attributes:
        model: Name of the weight, for people; the checksum decides.
        weight: SHA-256 (hex) of the file of the weight, with network, calibration and interval in it.
        policy: Its size policy as JSON, with the defaults of the program for what the card does not say, and
            `SCORING`; of a weight that names distortions also `NAMING`, in fast mode `FAST`.
        settings: The mode, and what else was asked for that moves scores: "default", "fast bf16 cpu",
            "default no-exif". Precisions other than fp32 name the device, engines other than torch
            themselves. Batch size and threads are not in it: they do not move two decimals, nor does the
            device in fp32.
    """

    model: str
    weight: str
    policy: str
    settings: str


def keys_of(
    group: ScorerGroup, weights: Sequence[Path], *, mode: Mode = "default", exif: bool = True
) -> list[ScorerKey]:
    """The keys of a group's scorers.

    Args:
        group: As loaded, best `lazy`: what was hashed is then what scores.
        weights: The file of each, in the same order.
        mode, exif: As of `ScorerGroup.score_many`.

    Raises:
        WeightsError: A file cannot be read any more.
    """
    return [
        ScorerKey(
            scorer.name,
            scorer.sha256 or _checksum(path),
            _policy(scorer, mode),
            _settings(scorer, mode, exif),
        )
        for scorer, path in zip(group.scorers, weights, strict=True)
    ]


def _checksum(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise WeightsError(f"{one_line(path)}: cannot be read: {reason_of(error)}") from None


def _policy(scorer: Scorer, mode: Mode) -> str:
    versions = {"scoring": SCORING} | ({"naming": NAMING} if scorer.distortions else {})
    versions |= {"fast": FAST} if mode == "fast" else {}
    return json.dumps(scorer.policy.to_dict() | versions, sort_keys=True)


def _settings(scorer: Scorer, mode: Mode, exif: bool) -> str:
    words: list[str] = [mode]
    if scorer.precision != "fp32":
        words += [scorer.precision, scorer.device.partition(":")[0]]
    if scorer.engine != "torch":
        words.append(scorer.engine)
    if not exif:
        words.append("no-exif")
    return " ".join(words)
