"""Another head for a finished weight, one that names distortions: every score stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from iqa_cli.card import Card
from iqa_cli.errors import UsageError
from iqa_cli.images.distortions import TYPES
from iqa_cli.networks.mfenet import MFENet
from iqa_cli.scoring.device import choose_device
from iqa_cli.text import count, one_line
from iqa_cli.training.crops import decode_all
from iqa_cli.training.dan_config import ContrastiveConfig
from iqa_cli.training.dan_heads import head_crops
from iqa_cli.training.finish import code_version
from iqa_cli.training.ordinal_fit import Fitted, features_of, fit_head, put_head
from iqa_cli.training.provenance import names_hash
from iqa_cli.weights import load_network

#: What the head is for, in the words of a card.
USE = "the head that names distortions"


@dataclass(frozen=True)
class Refitted:
    """A weight with another head.

    Attributes:
        network: With the head.
        card: Its card.
        fitted: What was fitted, and how it was chosen.
        photographs: That it was fitted to.
    """

    network: Any
    card: Card
    fitted: Fitted
    photographs: tuple[Path, ...]


def refit(
    path: Path,
    photographs: Sequence[Path],
    config: ContrastiveConfig,
    *,
    command: str,
    device: str = "auto",
    threads: int = 1,
    log: Callable[[str], None],
) -> Refitted:
    """Fit the head of a weight to distorted crops of undistorted photographs.

    Args:
        path: The weight's file, of an MFE-Net with a distortion branch.
        photographs: The part `train`.
        config: Of which the fields of the heads count: `head_crops`, `head_size`, `margin`, `seed`.
        command: For the card.
        device: Where the network computes; see `iqa_cli.scoring.device.choose_device`.
        threads: Crops made at a time.
        log: Takes a line now and then.

    Raises:
        UsageError: The weight is of another network, or there are too few photographs.
        WeightsError: It cannot be read.
        ImageError: A photograph cannot be read.
    """
    card, network = load_network(path)
    if not isinstance(network, MFENet) or network.dan is None:
        raise UsageError(f"{one_line(path)}: has no distortion branch, so that it cannot name distortions")
    if len(photographs) < 2:
        raise UsageError("--pristine: fewer than two photographs in the part train")
    images = decode_all(photographs)
    crops = head_crops(config, len(images))
    log(f"{count(len(crops), 'crop')} of {count(len(images), 'photograph')}")
    network.to(choose_device(device))
    features = features_of(network, images, crops, config.head_size, config.margin, threads, log)
    log("fitting")
    fitted = fit_head(features, config.seed)
    made = put_head(network.cpu(), fitted.head)
    return Refitted(
        made, _card(card, made, photographs, len(crops), config, fitted, command), fitted, tuple(photographs)
    )


def _card(
    card: Card,
    network: Any,
    photographs: Sequence[Path],
    crops: int,
    config: ContrastiveConfig,
    fitted: Fitted,
    command: str,
) -> Card:
    entry = {
        "dataset": "pristine photographs",
        "part": "train",
        "images": len(photographs),
        "split_hash": names_hash(photographs),
        "use": USE,
        "crops": crops,
        "settings": {name: getattr(config, name) for name in ("head_crops", "head_size", "margin", "seed")},
        "type_decay": fitted.type_decay,
        "level_decay": fitted.level_decay,
        "held_out": {
            "type_accuracy": round(fitted.type_accuracy, 4),
            "types": len(TYPES),
            "levels_off": round(fitted.levels_off, 4),
        },
        "command": command,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "code_version": code_version(),
    }
    kept = [old for old in card.training if old.get("use") != USE]
    return replace(card, config=network.config.to_dict(), training=[*kept, entry])
