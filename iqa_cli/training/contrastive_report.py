"""How well frozen features name distortions of photographs that nothing was fitted to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_cli.images.distortions import LEVELS, TYPES
from iqa_cli.networks.distortion_head import DistortionHead
from iqa_cli.training.dan_heads import Choice, Features, named

_RESAMPLES = 1000
#: What is counted of every distorted crop.
MEASURES = {
    "type": "type",
    "level": "level",
    "both": "type and level",
    "level_given_type": "level, the type given",
}


def measure(head: DistortionHead, features: Features) -> dict[str, NDArray[np.bool_]]:
    """Which crops are named rightly, [N] each, in the terms of `MEASURES`.

    "level" is the level of the type that the head names, wrong where it names pristine. Of a pristine crop,
    "type" is whether it is named pristine.
    """
    types, levels = named(head, features.values)
    _, given = named(head, features.values, features.kind)
    right_type = (types == features.kind).numpy()
    right_level = (levels == features.level).numpy()
    return {
        "type": right_type,
        "level": right_level,
        "both": right_type & right_level,
        "level_given_type": (given == features.level).numpy(),
    }


def network_report(head: DistortionHead, choice: Choice, features: Features) -> dict[str, Any]:
    """Accuracies of one network, over distorted crops unless named otherwise, and the table of confusion.

    Args:
        head: Fitted on its features of other photographs.
        choice: What was chosen for it.
        features: Of crops of every class.
    """
    right = measure(head, features)
    kinds, levels = features.kind.numpy(), features.level.numpy()
    types = named(head, features.values)[0].numpy()
    distorted = kinds > 0
    confusion = np.zeros((1 + len(TYPES), 1 + len(TYPES)), int)
    np.add.at(confusion, (kinds, types), 1)
    return {
        "head": {
            "stages": choice.stages,
            "type_decay": choice.type_decay,
            "level_decay": choice.level_decay,
            "held_out_type": _rounded(choice.type_accuracy),
            "held_out_level_given_type": _rounded(choice.level_accuracy),
        },
        "accuracy": {key: _mean(right[key], distorted) for key in MEASURES},
        "pristine": _mean(right["type"], ~distorted),
        "by_level": {
            str(level): {key: _mean(right[key], levels == level) for key in MEASURES}
            for level in range(1, LEVELS + 1)
        },
        "by_type": {
            name: {key: _mean(right[key], kinds == i + 1) for key in MEASURES} for i, name in enumerate(TYPES)
        },
        "by_type_and_level": {
            name: [
                {key: _mean(right[key], (kinds == i + 1) & (levels == level)) for key in MEASURES}
                for level in range(1, LEVELS + 1)
            ]
            for i, name in enumerate(TYPES)
        },
        "confusion": confusion.tolist(),
    }


def differences(
    one: dict[str, NDArray[np.bool_]], other: dict[str, NDArray[np.bool_]], features: Features, seed: int
) -> dict[str, dict[str, float]]:
    """How much more often `one` is right on distorted crops, with a 95 % interval over photographs.

    Photographs are drawn with replacement, all crops of one together: crops of one photograph are no
    independent observations.
    """
    distorted = features.kind.numpy() > 0
    photographs = np.unique(features.photograph)
    draws = np.random.default_rng(seed).integers(len(photographs), size=(_RESAMPLES, len(photographs)))
    found = {}
    for key in MEASURES:
        gain = one[key].astype(float) - other[key]
        each = np.array([gain[distorted & (features.photograph == p)].mean() for p in photographs])
        low, high = np.quantile(each[draws].mean(1), (0.025, 0.975))
        found[key] = {k: _rounded(v) for k, v in {"mean": each.mean(), "low": low, "high": high}.items()}
    return found


def report_text(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    one, other = report["networks"]["contrastive"], report["networks"]["imagenet"]
    lines = ["# Naming distortions from frozen features", "", report["protocol"]["text"], ""]
    lines += ["| accuracy | contrastive | ImageNet | difference, 95 % interval |", "|---|---|---|---|"]
    for key, title in MEASURES.items():
        gain = report["difference"][key]
        interval = f"{gain['mean']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"
        lines.append(f"| {title} | {one['accuracy'][key]:.3f} | {other['accuracy'][key]:.3f} | {interval} |")
    lines += [f"| pristine named pristine | {one['pristine']:.3f} | {other['pristine']:.3f} | |", ""]
    lines += ["| level | " + " | ".join(f"{t}: contrastive | ImageNet" for t in MEASURES.values()) + " |"]
    lines += ["|---" * (1 + 2 * len(MEASURES)) + "|"]
    for level, row in one["by_level"].items():
        there = other["by_level"][level]
        lines.append(f"| {level} | " + " | ".join(f"{row[k]:.3f} | {there[k]:.3f}" for k in MEASURES) + " |")
    lines += ["", "| type | " + " | ".join(f"{t}: contrastive | ImageNet" for t in MEASURES.values()) + " |"]
    lines += ["|---" * (1 + 2 * len(MEASURES)) + "|"]
    for name, row in one["by_type"].items():
        there = other["by_type"][name]
        lines.append(f"| {name} | " + " | ".join(f"{row[k]:.2f} | {there[k]:.2f}" for k in MEASURES) + " |")
    for title, network in (("contrastive", one), ("ImageNet", other)):
        lines += ["", f"Confusion, {title} features: rows are what a crop is, columns what it is named.", ""]
        lines += _confusion(network["confusion"])
    return "\n".join(lines) + "\n"


def _confusion(table: list[list[int]]) -> list[str]:
    names = ("pristine", *TYPES)
    lines = ["| | " + " | ".join(str(i) for i in range(len(names))) + " |", "|---" * (1 + len(names)) + "|"]
    for i, (name, row) in enumerate(zip(names, table, strict=True)):
        lines.append(f"| {i} {name} | " + " | ".join(str(n) if n else "." for n in row) + " |")
    return lines


def _mean(right: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    return _rounded(right[mask].mean())


def _rounded(value: float) -> float:
    return round(float(value), 4)
