"""From the best epoch to a weight that ships: pooling and calibration chosen on `calib`, the card, the
hashes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from iqa_cli import __version__
from iqa_cli.card import LADDER, Card
from iqa_cli.datasets.record import ImageRecord, split_hash
from iqa_cli.evaluation.correlation import Floats, agreement
from iqa_cli.images.policy import SizePolicy
from iqa_cli.scoring.device import exact_arithmetic
from iqa_cli.seen import hash_photo, seen_path, write_seen
from iqa_cli.training.calibrate import fit_calibration
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.crops import decode_all
from iqa_cli.training.devices import dtype_of
from iqa_cli.training.parts import Source
from iqa_cli.training.validate import predict_raw
from iqa_cli.weights import save_weights, shipped_state

#: Shares tried for the native crops of a larger photograph. Both looks count in each: reduction hides mild
#: blur, noise and JPEG artefacts, native crops hide the picture.
NATIVE_WEIGHTS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
#: SRCC given away for the reduced whole, which is the look that the network was trained on.
NATIVE_TOLERANCE = 0.002
#: Shares tried for the glance at the whole picture, and the SRCC given away for a smaller one.
GLANCE_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
GLANCE_TOLERANCE = 0.001
#: Fewer pictures than these choose nothing.
MIN_PICTURES = 20
_PERCENTILES = (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99)


def choose_native_weight(
    network: nn.Module, records: Sequence[ImageRecord], policy: SizePolicy, precision: torch.dtype
) -> tuple[float, dict[str, float]]:
    """The share of the native crops in the score of a larger photograph, by SRCC on labelled pictures.

    The labelled pictures are small, so the two looks are re-enacted at their size: the whole reduced to
    little more than one crop, and the native crops of the picture itself. That favours the native crops,
    since at this size they are what the network was trained on; of shares that are about as good, the
    smallest is therefore taken. What holds at 384 pixels is an assumption at 4000.

    Returns:
        The smallest of `NATIVE_WEIGHTS` within `NATIVE_TOLERANCE` of the best, and the SRCC of each; the
        policy's own share and nothing where fewer than `MIN_PICTURES` are large enough for both looks.
    """
    small = replace(policy, near_side=policy.crop + 32, reduced_side=policy.crop + 32, native_crops=4)
    views = predict_raw(network, [r.path for r in records], small, precision=precision)
    # A picture of no more than one crop has no native look; where there are only such, nothing can be chosen.
    absent = np.full(len(records), np.nan)
    whole, native = views.get("whole", absent), views.get("native", absent)
    both = np.isfinite(whole) & np.isfinite(native)
    if both.sum() < MIN_PICTURES:
        return policy.native_weight, {}
    whole, native, mos = whole[both], native[both], np.array([r.mos for r in records])[both]
    return _smallest_near_best(NATIVE_WEIGHTS, NATIVE_TOLERANCE, whole, native, mos)


def choose_glance_weight(
    network: nn.Module, records: Sequence[ImageRecord], policy: SizePolicy, precision: torch.dtype
) -> tuple[float, dict[str, float]]:
    """The share of the glance at the whole picture, by SRCC on labelled pictures.

    Returns:
        The smallest of `GLANCE_WEIGHTS` within `GLANCE_TOLERANCE` of the best, and the SRCC of each; the
        policy's own share and nothing where fewer than `MIN_PICTURES` are larger than a glance.
    """
    both = replace(policy, glance_weight=0.5)
    views = predict_raw(network, [r.path for r in records], both, precision=precision)
    glance = views.get("glance", np.full(len(records), np.nan))
    larger = np.isfinite(glance)
    if larger.sum() < MIN_PICTURES:
        return policy.glance_weight, {}
    # What "pooled" holds beside the glance is the score without one, at the other half of the weight.
    others, mos = 2 * views["pooled"] - glance, np.array([r.mos for r in records])
    return _smallest_near_best(GLANCE_WEIGHTS, GLANCE_TOLERANCE, others[larger], glance[larger], mos[larger])


def _smallest_near_best(
    weights: Sequence[float], tolerance: float, first: Floats, second: Floats, mos: Floats
) -> tuple[float, dict[str, float]]:
    """The smallest weight of `second` against `first` whose SRCC is within `tolerance` of the best; all
    SRCC."""
    found = {f"{w:g}": round(agreement((1 - w) * first + w * second, mos).srcc, 4) for w in weights}
    best = max(found.values())
    return next(w for w in weights if found[f"{w:g}"] >= best - tolerance), found


def chosen_epoch(folder: Path) -> dict[str, Any]:
    """The line of `log.jsonl` of the epoch whose weights were kept: step, epoch from 0, SRCC and PLCC."""
    lines = (json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines())
    return max((line for line in lines if "srcc" in line), key=lambda line: line["srcc"])


def code_version() -> str:
    """Version of the package, with the commit where it runs from a git checkout."""
    root = Path(__file__).resolve().parents[2]
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__} ({found})"


def _part(source: Source, part: Literal["fit", "choose"]) -> dict[str, Any]:
    """What every entry of the card says of a part of a database."""
    records = getattr(source, part)
    return {
        "dataset": source.database.name,
        "part": part,
        "images": len(records),
        "split_hash": split_hash(records),
    }


def _further(source: Source) -> list[dict[str, Any]]:
    """The entries of a database beside the one that gives the scale."""
    use = {"mos": "through a learnt map of their scale", "order": "by the order of their opinions alone"}
    entries = [{**_part(source, "fit"), "use": f"the network's weights, {use[source.kind]}"}]
    if source.choose:
        entries.append({**_part(source, "choose"), "use": "SRCC in the log; chose nothing"})
    return entries


def finish(
    config: TrainConfig,
    network: nn.Module,
    state: dict[str, Tensor],
    sources: Sequence[Source],
    policy: SizePolicy,
    path: Path,
    facts: dict[str, Any],
    further_seen: Sequence[Path],
    seen_before: Sequence[tuple[int, int]],
    log: Callable[[str], None],
    start_calibration: dict[str, Any] | None = None,
) -> Card:
    """Calibrate, write the weight with its card, and the hashes of all it has seen beside it.

    Args:
        config: Settings of the run.
        network: The module; gets `state`.
        state: The best epoch.
        sources: Databases with the pictures it was fitted to and those held out. The first gives the scale
            of the scores; on what is held out of it the weight was chosen and is calibrated.
        policy: Size policy; its `native_weight` is chosen here.
        path: The weight's file, `<name>.safetensors`.
        facts: Card fields that only the caller knows: `starting_points`, `licence`, `command`, `preset`,
            `device`, `notes`, and further entries of `training`.
        further_seen: Other pictures seen, by the starting points.
        seen_before: Hashes of what a weight had seen from which this one starts.
        log: Takes a line now and then.
        start_calibration: Calibration of a weight from which this one starts.

    Returns:
        The card as written.
    """
    network.load_state_dict(state)
    network.eval()
    precision = dtype_of(config.precision)
    fit, choose = sources[0].fit, sources[0].choose
    log("choosing the shares of the native crops and of the glance")
    weight, tried = choose_native_weight(network, choose, policy, precision)
    glance, tried_glance = choose_glance_weight(network, choose, policy, precision)
    policy = replace(policy, native_weight=weight, glance_weight=glance)
    log("calibrating")
    # As scoring computes it, on a GPU too.
    with exact_arithmetic(next(network.parameters()).device):
        raw = predict_raw(network, [r.path for r in choose], policy)["pooled"]
    mos = np.array([r.mos for r in choose])
    found = agreement(raw, mos)
    calibration, remark = fit_calibration(raw, mos, start_calibration)
    if remark is not None:
        log(remark)
    log("hashing what was seen")
    paths = [r.path for source in sources for r in (*source.fit, *source.choose)] + list(further_seen)
    # One picture at a time: all of them were in memory once, and that is behind us.
    hashes = chain(seen_before, (hash_photo(decode_all([p])[0]) for p in paths))
    seen = write_seen(seen_path(path), hashes)
    quantiles = np.percentile([100 * r.mos for r in fit], _PERCENTILES)
    card = Card(
        name=path.name.removesuffix(".safetensors"),
        network=config.network,
        config=network.config.to_dict(),  # type: ignore[union-attr, operator]
        input=policy.to_dict(),
        output={
            "range": [0, 100],
            "direction": "higher is better",
            "scale": f"100 x MOS of {sources[0].database.name}, scaled to 0 to 1",
            "calibration": calibration,
            "ladder": LADDER,
            "percentiles": {str(p): round(float(v), 2) for p, v in zip(_PERCENTILES, quantiles, strict=True)},
        },
        training=[
            {
                **_part(sources[0], "fit"),
                "use": "the network's weights; percentiles are of these pictures' opinion scores",
            },
            {
                **_part(sources[0], "choose"),
                "use": "epoch, shares of the native crops and of the glance, calibration",
                "srcc": round(found.srcc, 4),
                "native_weight_srcc": tried,
                "glance_weight_srcc": tried_glance,
                "chosen_epoch": chosen_epoch(path.parent),
            },
            *(entry for source in sources[1:] for entry in _further(source)),
            *facts.get("training", []),
            {
                "settings": config.to_dict(),
                "preset": facts["preset"],
                "device": facts["device"],
                "command": facts["command"],
            },
        ],
        starting_points=facts["starting_points"],
        licence=facts["licence"],
        date=datetime.now(timezone.utc).date().isoformat(),
        code_version=code_version(),
        notes=[*facts["notes"], *([remark] if remark else [])],
        seen={"file": seen_path(path).name, "pictures": seen},
    )
    save_weights(path, shipped_state(network), card)
    log(f"wrote {path}: SRCC {found.srcc:.4f} on the pictures it was chosen on")
    return card
