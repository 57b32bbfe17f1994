"""A kernel ridge beside a finished network: fitted, its share chosen, the scores calibrated anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch

from iqa_cli.card import SYNTHETIC, Card
from iqa_cli.datasets.record import Database, ImageRecord, split_hash
from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.evaluation.correlation import Floats, agreement
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.networks.kernel_ridge import RidgeConfig, without_ridge
from iqa_cli.networks.qfm_config import QFMIQMConfig
from iqa_cli.scoring.device import choose_device
from iqa_cli.seen import PhotoHash, Seen, hash_file
from iqa_cli.text import count, one_line
from iqa_cli.training.finish import code_version
from iqa_cli.training.recalibrate import calibrated_card, met_remarks
from iqa_cli.training.ridge_fit import Opinions, Synthetic, fit_ridge
from iqa_cli.training.ridge_look import blended, look_at, looked_by_both, ridge_crops
from iqa_cli.training.settle import RIDGE_USE, Settled, glancing, settle
from iqa_cli.training.shares import MIN_PICTURES
from iqa_cli.training.starts_backbone import load_backbone
from iqa_cli.training.validate import Looked, Told, pooled_raw
from iqa_cli.weights import load_network

#: Shares tried, and the SRCC given away for a smaller one.
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
SHARE_TOLERANCE = 0.001


@dataclass(frozen=True)
class Plan:
    """How a ridge is fitted.

    Attributes:
        shape: Landmarks, components and trunk; its share is used where `choose` is false.
        choose: Whether the share is chosen.
        trunk: Start of the trunk, as of `load_backbone`; None where the network needs none.
        synthetic_weight: Of a distorted crop beside one with an opinion.
        precision: dtype of autocast in looking at what is fitted.
        seed: Seed.
    """

    shape: RidgeConfig
    choose: bool = True
    trunk: str | None = None
    synthetic_weight: float = 0.1
    precision: torch.dtype = torch.float32
    seed: int = 0


@dataclass(frozen=True)
class Ridged:
    """A weight with a ridge.

    Attributes:
        network: With it.
        card: Its card.
        settled: What its scores mean.
        share: Of the ridge.
        shares: Share tried -> SRCC; empty where it was given.
        pictures: That the ridge was fitted to.
        hashes: Of those that chose and calibrated; none where nobody knows what the weight had met.
    """

    network: Any
    card: Card
    settled: Settled
    share: float
    shares: dict[str, float]
    pictures: tuple[Path, ...]
    hashes: tuple[PhotoHash, ...]


def add_ridge(
    path: Path,
    database: Database,
    fit: Sequence[ImageRecord],
    choose: Sequence[ImageRecord],
    synthetic: Sequence[ImageRecord],
    plan: Plan,
    *,
    seen: Seen | None = None,
    notes: Sequence[str] = (),
    command: str,
    device: str = "auto",
    log: Callable[[str], None],
    progress: Told | None = None,
) -> Ridged:
    """Fit a ridge beside the network of a weight.

    Args:
        path: The weight's file; a ridge that it has is replaced.
        database: Of the opinions.
        fit: Pictures that are fitted.
        choose: Pictures that choose the share and calibrate; none of `fit`.
        synthetic: Pictures with a pseudo-MOS, each with its reference among them; or none.
        plan: How.
        seen: Hashes of what the weight had met; None where that is not known.
        notes: Sentences for the card on the synthetic pictures.
        command: For the card.
        device: Where to compute; see `iqa_cli.scoring.device.choose_device`.
        log: Takes a line now and then.
        progress: Told how far it is.

    Raises:
        UsageError: The weight's network has no place for such a ridge.
        WeightsError: The weight, or the start of the trunk, cannot be read.
        ImageError: A picture cannot be read.
        DatasetError: So few pictures, or pictures so alike, that nothing can be fitted; or a reference is
            missing.
    """
    card, old = load_network(path)
    policy = card.policy()
    if 2 * len(fit) < plan.shape.landmarks:
        raise UsageError(
            f"{count(len(fit), 'picture')} to fit, two crops each at most, are too few for "
            f"{count(plan.shape.landmarks, 'landmark')}",
            hint=f"--landmarks {max(1, len(fit) // 2)}",
        )
    if len(choose) < MIN_PICTURES:
        raise DatasetError(
            f"{count(len(choose), 'picture')} to choose and calibrate on; {MIN_PICTURES} would do"
        )
    references = reference_positions(synthetic)
    network, point = with_ridge(old, plan, path)
    looking = fold_batchnorms(deepcopy(network)).to(choose_device(device))
    two = ridge_crops(fit, policy, 2, plan.seed)
    values, of = look_at(looking, two, len(fit), plan.precision, log, progress)
    targets = torch.tensor([record.mos for record in fit], dtype=torch.float32)[of]
    distorted = None
    if synthetic:
        one = ridge_crops(synthetic, policy, 1, plan.seed)
        copies = look_at(looking, one, len(synthetic), plan.precision, log, progress)[0]
        pseudo = torch.tensor([record.mos for record in synthetic], dtype=torch.float32)
        distorted = Synthetic(copies, torch.tensor(references), pseudo, plan.synthetic_weight)
    log(f"fitting to {count(len(targets), 'crop')} of {count(len(fit), 'picture')}")
    try:
        fit_ridge(network.ridge, Opinions(values, targets), distorted, plan.seed, log)
    except ValueError as error:
        raise DatasetError(f"{database.name}: {error}") from None
    del values, distorted
    looking.ridge.load_state_dict(network.ridge.fitted(), strict=False)
    mos = np.array([record.mos for record in choose])
    both = looked_by_both(looking, [record.path for record in choose], glancing(policy), progress)
    share, shares = plan.shape.share, dict[str, float]()
    try:
        if plan.choose:
            share, shares = choose_share(both, mos, policy)
        looked = [blended(one, ridge, share) for one, ridge in both]
        settled = settle(looking, choose, policy, log, looked=looked)
    except ValueError as error:
        raise DatasetError(f"{database.name}: {error}") from None
    network.ridge.share = share
    network.config = replace(network.config, ridge=replace(plan.shape, share=share))
    card = _with_entries(card, network, database.name, fit, synthetic, len(targets), plan, point, command)
    card = calibrated_card(card, settled, database.name, choose[0].split or "all", choose, command)
    remarks, hashes = list(settled.remarks), tuple[PhotoHash, ...]()
    if seen is not None:
        hashes = tuple(hash_file(record.path) for record in choose)
        remarks += met_remarks(card, choose, hashes, seen)
    card = replace(card, notes=list(dict.fromkeys([*card.notes, *notes, *remarks])))
    if shares:
        card.training[-1]["ridge_share_srcc"] = shares
    pictures = tuple(record.path for part in (fit, synthetic) for record in part)
    return Ridged(network, card, settled, share, shares, pictures, hashes)


def _with_entries(
    card: Card,
    network: Any,
    database: str,
    fit: Sequence[ImageRecord],
    synthetic: Sequence[ImageRecord],
    crops: int,
    plan: Plan,
    point: dict[str, Any] | None,
    command: str,
) -> Card:
    """The card with the network's config, what its ridge was fitted to, and the start of its trunk."""
    entry: dict[str, Any] = {
        "dataset": database,
        "part": fit[0].split or "all",
        "images": len(fit),
        "split_hash": split_hash(fit),
        "use": RIDGE_USE,
        "crops": crops,
        "seed": plan.seed,
        "command": command,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "code_version": code_version(),
    }
    entries = [entry]
    if synthetic:
        copies = {
            "dataset": SYNTHETIC,
            "part": synthetic[0].split or "all",
            "images": len(synthetic),
            "split_hash": split_hash(synthetic),
            "use": f"{RIDGE_USE}, by its own scores of the references times the pseudo-MOS",
            "crops": len(synthetic),
            "weight": plan.synthetic_weight,
        }
        entries.append(entry | copies)
    kept = [one for one in card.training if not str(one.get("use")).startswith(RIDGE_USE)]
    points = [one for one in card.starting_points if one.get("branch") != RIDGE_USE]
    return replace(
        card,
        config=network.config.to_dict(),
        training=[*kept, *entries],
        starting_points=[*points, *([] if point is None else [{**point, "branch": RIDGE_USE}])],
    )


def with_ridge(network: Any, plan: Plan, path: Path) -> tuple[Any, dict[str, Any] | None]:
    """Another network of the same tensors, and of a ridge to be fitted; with the start of the trunk for the
    card.

    Raises:
        UsageError: The network has no place for such a ridge.
        WeightsError: The trunk cannot be filled.
    """
    if not hasattr(network, "ridge_features"):
        raise UsageError(f"{one_line(path)}: a network of this kind has no place for a ridge")
    try:
        config = replace(network.config, ridge=plan.shape)
    except ValueError as error:
        raise UsageError(f"{one_line(path)}: {error}") from None
    other = type(network)(config)
    other.load_state_dict(other.state_dict() | without_ridge(network.state_dict()))
    other.eval()
    if plan.trunk is None:
        return other, None
    return other, load_backbone(other.ridge.trunk, QFMIQMConfig(backbone=plan.shape.trunk), plan.trunk)


def reference_positions(records: Sequence[ImageRecord]) -> list[int]:
    """Of each picture the position of its reference among them.

    Raises:
        DatasetError: One is not there.
    """
    places = {record.name: i for i, record in enumerate(records)}
    found = []
    for record in records:
        if record.ref not in places:
            raise DatasetError(
                f"{one_line(record.path)}: its reference is not among the pictures",
                hint="iqa data synth makes such a folder, with a copy of each photograph",
            )
        found.append(places[record.ref])
    return found


def choose_share(
    both: Sequence[tuple[Looked, Floats]], mos: Floats, policy: SizePolicy
) -> tuple[float, dict[str, float]]:
    """The smallest of `SHARES` within `SHARE_TOLERANCE` of the best by SRCC, and the SRCC of each, the glance
    counting as the policy has it.

    Raises:
        ValueError: There are fewer than three pictures, or all have one opinion or one output.
    """
    found = {}
    for share in SHARES:
        looked = [blended(one, ridge, share).with_glance(policy.glance_weight) for one, ridge in both]
        raw = np.array([pooled_raw(one) for one in looked])
        found[share] = agreement(raw, mos).srcc
    least = max(found.values()) - SHARE_TOLERANCE
    chosen = next(share for share in SHARES if found[share] >= least)
    return chosen, {f"{share:g}": round(srcc, 4) for share, srcc in found.items()}
