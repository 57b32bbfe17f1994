"""What restoring gains on photographs that nothing was fitted to: PSNR and SSIM by type and level of
distortion."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iqa_cli.evaluation.full_reference import FIDELITY, Reference, single_thread
from iqa_cli.images.distortions import LEVELS, TYPES
from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.networks.vcrnet_restoration import RestorationNet
from iqa_cli.scoring.device import exact_arithmetic
from iqa_cli.training.crops import Image
from iqa_cli.training.restoration_config import RestorationConfig
from iqa_cli.training.restoration_data import pair_batches, report_pairs

_RESAMPLES = 1000
_BATCH = 16
#: Rows of what is measured: before and after.
Measured = dict[str, NDArray[np.float64]]


def measure_restoration(
    config: RestorationConfig,
    model: RestorationNet,
    images: Sequence[Image],
    log: Callable[[str], None],
    device: torch.device,
    threads: int = 1,
) -> dict[str, Any]:
    """Restore distorted crops of photographs and compare them with the photographs.

    Restored crops are rounded to 8 bits, as a file would hold them.

    Args:
        config: The settings of the training.
        model: After training; not changed.
        images: Photographs that nothing was fitted to, uint8 [H, W, 3].
        log: Takes a line now and then.
        device: Where the network computes.
        threads: Crops made at a time.

    Returns:
        "protocol", and "all", "by_level", "by_type", "by_type_and_level" and "pristine", each with the mean
        of both measures before and after, and the number of crops; "interval": of the mean gains.
    """
    network = fold_batchnorms(copy.deepcopy(model).eval()).to(device).requires_grad_(False)
    pairs = report_pairs(config, len(images))
    plan = [pairs[i : i + _BATCH] for i in range(0, len(pairs), _BATCH)]
    rows: list[list[float]] = []
    batches = pair_batches(images, plan, config.report_size, config.margin, threads)
    log(f"measuring {len(pairs)} crops of {len(images)} photographs")
    for number, (worse, better) in enumerate(batches, 1):
        with torch.inference_mode(), exact_arithmetic(device):
            restored = network(worse.to(device)).float().cpu()
        with single_thread():
            for before, after, target in zip(*map(to_pixels, (worse, restored, better)), strict=True):
                reference = Reference(target)
                found = [reference.fidelity(picture) for picture in (before, after)]
                rows.append([values[name] for name in FIDELITY for values in found])
        if number % 20 == 0:
            log(f"measured {len(rows)} of {len(pairs)}")
    table = np.array(rows)
    measured = {
        f"{name}_{when}": table[:, 2 * i + j]
        for i, name in enumerate(FIDELITY)
        for j, when in enumerate(("before", "after"))
    }
    kind, level = (np.array([getattr(pair, key) for pair in pairs]) for key in ("kind", "level"))
    photograph = np.array([pair.photograph for pair in pairs])
    worse_ones = kind >= 0
    return {
        "protocol": _protocol(config, len(images), int(worse_ones.sum())),
        "all": _means(measured, worse_ones),
        "interval": _intervals(measured, worse_ones, photograph, config.seed),
        "pristine": _means(measured, ~worse_ones),
        "by_level": {str(n): _means(measured, level == n) for n in range(1, LEVELS + 1)},
        "by_type": {name: _means(measured, kind == i) for i, name in enumerate(TYPES)},
        "by_type_and_level": {
            name: {str(n): _means(measured, (kind == i) & (level == n)) for n in range(1, LEVELS + 1)}
            for i, name in enumerate(TYPES)
        },
    }


def to_pixels(rgb: Tensor) -> NDArray[np.uint8]:
    """RGB [N, 3, H, W], 0 to 1, to uint8 [N, H, W, 3]; what lies outside is cut off."""
    pixels: NDArray[np.uint8] = (rgb.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(pixels)


def report_text(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    interval = report["interval"]
    lines = ["# What restoring gains", "", report["protocol"]["text"], ""]
    psnr, ssim = (_gain(report["all"], name) for name in FIDELITY)
    lines += [
        f"Mean gain over distorted crops: PSNR {psnr:+.2f} dB (95 % interval {interval['psnr'][0]:+.2f} to "
        f"{interval['psnr'][1]:+.2f}), SSIM {ssim:+.4f} ({interval['ssim'][0]:+.4f} to "
        f"{interval['ssim'][1]:+.4f}); photographs drawn with replacement.",
        "",
    ]
    head = "| | crops | PSNR, distorted | restored | gain, dB | SSIM, distorted | restored | gain |"
    rule = "|---" * 8 + "|"
    lines += [head, rule, _row("all distorted", report["all"]), _row("undistorted", report["pristine"])]
    lines += [_row(f"level {n}", means) for n, means in report["by_level"].items()]
    lines += ["", head.replace("| |", "| type |", 1), rule]
    lines += [_row(name, means) for name, means in report["by_type"].items()]
    for measure, title, form in (("psnr", "PSNR, dB", "+.2f"), ("ssim", "SSIM", "+.4f")):
        levels = [str(n) for n in range(1, LEVELS + 1)]
        lines += ["", f"| gain in {title}, by level | {' | '.join(levels)} |", "|---" * (LEVELS + 1) + "|"]
        for name, by_level in report["by_type_and_level"].items():
            cells = [
                format(_gain(by_level[n], measure), form) if by_level[n]["crops"] else "" for n in levels
            ]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _protocol(config: RestorationConfig, photographs: int, crops: int) -> dict[str, Any]:
    every = config.report_levels == LEVELS
    levels = "all five levels" if every else f"{config.report_levels} of five levels (they take turns)"
    text = (
        f"{crops} distorted crops of {config.report_size} pixels of {photographs} photographs of the part "
        f"val, which nothing was fitted to: each of {len(TYPES)} types at {levels}, and an undistorted crop "
        "of each photograph. Restored crops are rounded to 8 bits. PSNR and SSIM are those of piq, on RGB, "
        f"over whole crops; 80 dB stand for no difference. Seed {config.seed}."
    )
    return {
        "text": text,
        "crop": config.report_size,
        "photographs": photographs,
        "crops": crops,
        "seed": config.seed,
    }


def _means(measured: Measured, mask: NDArray[np.bool_]) -> dict[str, Any]:
    found: dict[str, Any] = {"crops": int(mask.sum())}
    for name, values in measured.items():
        found[name] = round(float(values[mask].mean()), 5) if mask.any() else None
    return found


def _intervals(
    measured: Measured, mask: NDArray[np.bool_], photograph: NDArray[np.int64], seed: int
) -> dict[str, list[float]]:
    """95 % intervals of the mean gains: photographs are drawn with replacement, all crops of one together."""
    names = np.unique(photograph)
    draws = np.random.default_rng(seed).integers(len(names), size=(_RESAMPLES, len(names)))
    found = {}
    for name in FIDELITY:
        gain = measured[f"{name}_after"] - measured[f"{name}_before"]
        each = np.array([gain[mask & (photograph == p)].mean() for p in names])
        found[name] = [round(float(v), 5) for v in np.quantile(each[draws].mean(1), (0.025, 0.975))]
    return found


def _gain(means: dict[str, Any], name: str) -> float:
    return float(means[f"{name}_after"] - means[f"{name}_before"])


def _row(title: str, means: dict[str, Any]) -> str:
    if not means["crops"]:
        return f"| {title} | 0 | | | | | | |"
    cells = [
        f"{means['psnr_before']:.2f}",
        f"{means['psnr_after']:.2f}",
        f"{_gain(means, 'psnr'):+.2f}",
        f"{means['ssim_before']:.4f}",
        f"{means['ssim_after']:.4f}",
        f"{_gain(means, 'ssim'):+.4f}",
    ]
    return f"| {title} | {means['crops']} | {' | '.join(cells)} |"
