"""What a training run is, for its `config.json`, and whether its parts are enough for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from iqa_cli.datasets.record import ImageRecord, split_hash
from iqa_cli.errors import UsageError
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.mixture import Part


def check_enough(config: TrainConfig, fit: Sequence[ImageRecord], choose: Sequence[ImageRecord]) -> None:
    """See that the parts of the anchor can be trained and chosen on.

    Raises:
        UsageError: A part is too small.
    """
    if len(fit) < config.batch or len(choose) < 3 or len({r.mos for r in choose}) < 2:
        raise UsageError(
            f"{len(fit)} pictures to fit and {len(choose)} to choose on are too few",
            hint=f"a batch ({config.batch}) of the first and 3 of the second, with different opinions",
        )


def describe_run(
    config: TrainConfig,
    network: nn.Module,
    fit: Sequence[ImageRecord],
    choose: Sequence[ImageRecord],
    origin: Mapping[str, Any],
    further: Sequence[Part] = (),
) -> dict[str, Any]:
    """What a run is, for `config.json`: settings, the network with all its fields, data, starting points."""
    settings = config.to_dict()
    del settings["network_config"]
    data: dict[str, Any] = {"dataset": origin.get("dataset"), **_described(fit, choose)}
    if further:
        data["further"] = [
            # What a teacher says follows from it and from the pictures.
            {"dataset": part.database, "kind": part.kind, "fit": split_hash(part.fit)}
            if part.kind == "taught"
            else {"dataset": part.database, "kind": part.kind, **_described(part.fit, part.choose)}
            for part in further
        ]
    return {
        "settings": settings,
        "network": network.config.to_dict(),  # type: ignore[union-attr, operator]
        "data": data,
        "starts": dict(origin.get("starts", {})),
    }


def _described(fit: Sequence[ImageRecord], choose: Sequence[ImageRecord]) -> dict[str, str]:
    opinions = "\n".join(sorted(f"{r.name}\t{r.mos!r}" for r in (*fit, *choose)))
    digest = hashlib.sha256(opinions.encode("utf-8", "surrogateescape")).hexdigest()
    return {"fit": split_hash(fit), "choose": split_hash(choose), "opinions": digest[:16]}
