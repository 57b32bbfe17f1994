"""After the contrastive part: heads, report, and the file that carries them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iqa_cli import __version__
from iqa_cli.images.distortions import LEVELS, TYPES
from iqa_cli.networks.dan import DAN
from iqa_cli.networks.distortion_head import DistortionHead
from iqa_cli.training.checkpoint import save_start
from iqa_cli.training.contrastive_net import ContrastiveDAN
from iqa_cli.training.contrastive_report import differences, measure, network_report, report_text
from iqa_cli.training.crops import Image
from iqa_cli.training.dan_batches import CLASSES
from iqa_cli.training.dan_config import ContrastiveConfig
from iqa_cli.training.dan_heads import (
    HELD_OUT,
    Features,
    both_features,
    choose_head,
    fit_head,
    head_crops,
    report_crops,
)
from iqa_cli.training.provenance import RECIPE_KEY, UNKNOWN, names_hash
from iqa_cli.training.report import write_report
from iqa_cli.training.starts import INT8_STRIDES, file_sha256

RESULT = "dan.safetensors"


def finish_pretraining(
    config: ContrastiveConfig,
    model: ContrastiveDAN,
    start: DAN,
    train: Sequence[Image],
    val: Sequence[Image],
    recipe: dict[str, Any],
    folder: Path,
    log: Callable[[str], None],
    device: torch.device,
    threads: int = 1,
) -> dict[str, Any]:
    """Fit the heads, measure them beside those of the start, write the result.

    Args:
        config: Settings.
        model: After training.
        start: The ResNet-50 as it was before.
        train: Photographs of the contrastive part; the heads are fitted on them as well.
        val: Photographs that nothing else has seen: the report is on these.
        recipe: What the file says of its origin.
        folder: Gets `dan.safetensors`, `report.json` and `report.md`.
        log: Takes a line now and then.
        device: Where the networks compute.
        threads: Crops made at a time.

    Returns:
        The report.

    Raises:
        WeightsError: A file cannot be written.
    """
    model.eval()
    start.eval()

    def features(images: Sequence[Image], crops: Any) -> tuple[Features, Features]:
        return both_features(config, model, start, images, crops, device, threads, log)

    fitted = features(train, head_crops(config, len(train)))
    checked = features(val, report_crops(config, len(val)))
    reports, rights, heads = {}, {}, {}
    for name, fit, check in zip(("contrastive", "imagenet"), fitted, checked, strict=True):
        log(f"fitting the heads on the {name} features")
        choice = choose_head(fit, config.seed)
        head = fit_head(fit, choice.stages, choice.type_decay, choice.level_decay)
        reports[name] = network_report(head, choice, check)
        rights[name] = measure(head, check)
        heads[name] = head
    report = {
        "protocol": _protocol(config, len(train), len(val), len(fitted[0].label), len(checked[0].label)),
        "networks": reports,
        "difference": differences(rights["contrastive"], rights["imagenet"], checked[0], config.seed),
        "recipe": recipe,
    }
    save_start(
        folder / RESULT,
        _tensors(model.dan, heads["contrastive"]),
        {RECIPE_KEY: json.dumps({**recipe, "head": {"stages": heads["contrastive"].stages}}, sort_keys=True)},
    )
    write_report(folder, report, report_text(report))
    return report


def dan_recipe(
    config: ContrastiveConfig, preset: str, resnet50: Path, train: Sequence[Path], val: Sequence[Path]
) -> dict[str, Any]:
    """What `iqa pretrain dan` writes into its result: how to make it again, and what it has seen."""
    return {
        "recipe": "iqa pretrain dan",
        "what": f"ResNet-50 that learnt to tell {CLASSES} classes of distortion apart",
        "preset": preset,
        "config": config.to_dict(),
        "steps": config.steps,
        "strides": INT8_STRIDES,
        "distortions": {"types": list(TYPES), "levels": LEVELS},
        "teacher": {
            "network": "the start: ImageNet ResNet-50, int8, batch norms folded",
            "file": resnet50.name,
            "sha256": file_sha256(resnet50),
            "origin": UNKNOWN,
            "licence": "not documented",
        },
        "data": {
            "dataset": "pristine photographs",
            "part": "train",
            "split_hash": names_hash(train),
            "pictures": 0,
            "pristine": len(train),
            "pristine_hash": names_hash(train),
            "reported_on": len(val),
            "reported_on_hash": names_hash(val),
            "labels": "none",
        },
        "code_version": __version__,
    }


def _tensors(dan: DAN, head: DistortionHead) -> dict[str, Tensor]:
    tensors = {name: value.cpu().contiguous() for name, value in dan.resnet.state_dict().items()}
    return tensors | {f"head.{name}": value.contiguous() for name, value in head.state_dict().items()}


def _protocol(config: ContrastiveConfig, train: int, val: int, fitted: int, checked: int) -> dict[str, Any]:
    text = (
        f"{checked} crops of {config.head_size} pixels from {val} photographs of the part val, which nothing "
        f"was fitted to: of each photograph one crop in each of {CLASSES} classes ({len(TYPES)} types of "
        f"distortion x {LEVELS} levels, and pristine). Heads: logistic regression on frozen features of "
        f"{fitted} crops of {train} photographs of the part train, for both networks on the same crops; "
        f"stages and decay chosen on {HELD_OUT:.0%} of these photographs. Seed {config.seed}. Accuracies are "
        "over distorted crops; chance is "
        f"{1 / (1 + len(TYPES)):.3f} for the type and {1 / LEVELS:.3f} for the level."
    )
    return {
        "text": text,
        "crop": config.head_size,
        "photographs": val,
        "crops": checked,
        "fitted_crops": fitted,
        "fitted_photographs": train,
        "seed": config.seed,
        "classes": CLASSES,
    }
