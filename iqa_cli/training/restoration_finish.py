"""After the pre-training of the restoration network: the file with its recipe, the report, and which
photographs it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from iqa_cli import __version__
from iqa_cli.datasets.record import ImageRecord, split_hash
from iqa_cli.errors import UsageError
from iqa_cli.images.distortions import LEVELS, TYPES
from iqa_cli.networks.vcrnet_restoration import RestorationNet
from iqa_cli.training.crops import Image
from iqa_cli.training.provenance import names_hash
from iqa_cli.training.report import write_report
from iqa_cli.training.restoration_config import RestorationConfig
from iqa_cli.training.restoration_report import measure_restoration, report_text
from iqa_cli.training.starts_vcrnet import save_restoration

RESULT = "restoration.safetensors"


@dataclass(frozen=True)
class FurtherPictures:
    """Pictures of a labelled database that are taken for undistorted: those whose MOS is high.

    Attributes:
        dataset: Its key.
        part: The part of it.
        records: All pictures of the part.
        from_mos: Lowest MOS, 0 to 1, of those that are taken.
    """

    dataset: str = "pristine photographs"
    part: str = "train"
    records: Sequence[ImageRecord] = field(default=())
    from_mos: float = 0.0

    def paths(self) -> list[Path]:
        """The pictures that are taken.

        Raises:
            UsageError: There are none, in a part that is not empty.
        """
        chosen = [record.path for record in self.records if record.mos >= self.from_mos]
        if self.records and not chosen:
            raise UsageError(f"--from-mos: the part {self.part} has no picture from {self.from_mos:g} on")
        return chosen


def restoration_recipe(
    config: RestorationConfig, preset: str, train: Sequence[Path], val: Sequence[Path], other: FurtherPictures
) -> dict[str, Any]:
    """What the result says of itself: how to make it again, and what it has seen.

    `split_hash` is that of the whole part of a database that pictures were chosen from.
    """
    chosen = other.paths()
    labels = f"MOS from {other.from_mos:g} on taken for undistorted" if other.records else "none"
    return {
        "recipe": "iqa pretrain vcrnet-restoration",
        "what": f"VCRNet's restoration network that learnt to take {len(TYPES)} types of distortion back",
        "preset": preset,
        "config": config.to_dict(),
        "steps": config.steps,
        "distortions": {"types": list(TYPES), "levels": LEVELS},
        "teacher": {"network": "none, from random values", "licence": "Apache-2.0"},
        "data": {
            "dataset": other.dataset,
            "part": other.part,
            "split_hash": split_hash(other.records) if other.records else names_hash(train),
            "pictures": len(chosen),
            "pristine": len(train),
            "pristine_hash": names_hash(train),
            "reported_on": len(val),
            "reported_on_hash": names_hash(val),
            "labels": labels,
        },
        "code_version": __version__,
    }


def finish_restoration(
    config: RestorationConfig,
    model: RestorationNet,
    val: Sequence[Image],
    recipe: dict[str, Any],
    folder: Path,
    log: Callable[[str], None],
    device: torch.device,
    threads: int = 1,
) -> dict[str, Any]:
    """Write `restoration.safetensors`, `report.md` and `report.json`.

    Args:
        config: Settings.
        model: After training.
        val: Photographs that nothing was fitted to.
        recipe: As `restoration_recipe` makes it.
        folder: Of the run.
        log: Takes a line now and then.
        device: Where the network computes.
        threads: Crops made at a time.

    Returns:
        The report.

    Raises:
        WeightsError: A file cannot be written.
    """
    save_restoration(folder / RESULT, model, recipe)
    report = {**measure_restoration(config, model, val, log, device, threads), "recipe": recipe}
    write_report(folder, report, report_text(report))
    return report
