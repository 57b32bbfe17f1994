"""The starts of an MFE-Net: a VAN or another backbone for the QEN, and a ResNet-50 for the frozen DAN."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iqa_cli.errors import UsageError
from iqa_cli.finding import find_weights
from iqa_cli.networks.mfenet_config import MFENetConfig
from iqa_cli.training.beginning import Parts, Seen
from iqa_cli.training.beginning_backbone import BackboneBeginning, fill, fixed_fields
from iqa_cli.training.options import RunOptions
from iqa_cli.training.provenance import check_pristine, read_recipe, starting_points
from iqa_cli.training.starts import INT8_STRIDES, load_qen, load_resnet50_int8
from iqa_cli.training.starts_backbone import network_fields as fields_of_backbone
from iqa_cli.training.starts_dan import load_dan, network_fields, read_dan_recipe
from iqa_cli.weights import read_card

#: Kind of start of the distortion branch -> the option that gives it.
_DAN_STARTS = {"imagenet": "--resnet50", "contrastive": "--dan"}


#: Branches that a start of another width than the weight of `--start` leaves nothing of.
_ON_WIDTHS = ("qen.", "projections.", "fusions.", "hfen.", "ffms.", "head.")


class Starts(BackboneBeginning):
    """`--qen` or `--backbone`, and `--dan` or `--resnet50`."""

    def fields(self, run: RunOptions, net: Mapping[str, Any]) -> dict[str, Any]:
        fixed = {} if run.dan is None else network_fields(read_dan_recipe(Path(run.dan)))
        return {**net, **fixed, **fixed_fields(run, MFENetConfig.__dataclass_fields__)}

    def check(self, run: RunOptions, config: Any, net: dict[str, Any]) -> None:
        super().check(run, config, net)
        if run.qen and config.backbone:
            raise UsageError(
                f"--qen starts a VAN, and the config says backbone={config.backbone}",
                hint="start it with --backbone",
            )
        start = run.start_of_dan
        if start in _DAN_STARTS:
            option = _DAN_STARTS[start]
            if config.dan == "none":
                raise UsageError(f"{option} starts a branch that this config does not have")
            if config.dan != start:
                raise UsageError(
                    f"{option} is a start of the kind {start}, and the config says dan={config.dan}",
                    hint=f"add --net dan={start}",
                )
            if net.setdefault("dan_strides", INT8_STRIDES) != INT8_STRIDES:
                raise UsageError(
                    f"--net dan_strides={net['dan_strides']} contradicts {option}, whose weights need "
                    f"{INT8_STRIDES} strides",
                    hint="leave dan_strides out",
                )
        elif config.dan != "none" and start is None:
            raise UsageError(
                f"the distortion branch (dan={config.dan}) is frozen and needs weights to start from",
                hint="give --dan FILE, or --resnet50 FILE with --net dan=imagenet, or leave the branch out "
                "with --net dan=none",
            )

    def replaced(self, run: RunOptions) -> tuple[str, ...]:
        of_dan = ("dan.",) if run.dan or run.resnet50 else ()
        if not run.backbone:
            return of_dan
        return (*of_dan, *(("qen.",) if _of_the_same_kind(run) else _ON_WIDTHS))

    def load(self, run: RunOptions, network: Any, parts: Parts, seen: Seen) -> list[dict[str, Any]]:
        qen, resnet50, dan = (run.path(key) for key in ("qen", "resnet50", "dan"))
        of_qen, of_dan = (seen.get(key, ()) for key in ("qen", "dan"))
        if resnet50 is not None:
            load_resnet50_int8(network.dan.resnet, resnet50)
        if dan is not None:
            check_pristine("--dan", load_dan(network.dan, dan), of_dan)
        if qen is not None:
            load_qen(network.qen, qen)
            check_pristine("--qen", read_recipe(qen), of_qen)
        of_backbone = fill(network.qen, network.config, run)
        return [*starting_points(qen, resnet50, dan, parts, of_qen, of_dan), *of_backbone]


def _of_the_same_kind(run: RunOptions) -> bool:
    """Whether each weight of `--start` has a backbone as that of `--backbone`, so that what stands behind it
    fits the other's maps, too.

    Raises:
        WeightsError: One of them is missing or damaged.
    """
    given = fields_of_backbone(str(run.backbone))
    cards = [read_card(find_weights(name)) for name in run.start]
    return bool(given) and all(
        given["backbone"] == card.config.get("backbone", "")
        and given["normalisation"] == card.config.get("normalisation")
        for card in cards
    )
