"""The start of a QFM-IQM: the weights of its backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iqa_cli.errors import UsageError
from iqa_cli.networks.qfm_config import QFMIQMConfig
from iqa_cli.training.beginning import Parts, Seen
from iqa_cli.training.beginning_backbone import BackboneBeginning, fill, fixed_fields
from iqa_cli.training.options import RunOptions


class Starts(BackboneBeginning):
    """`--backbone`; and its own loss against the scores of `--teacher` must not be off."""

    def fields(self, run: RunOptions, net: Mapping[str, Any]) -> dict[str, Any]:
        return {**fixed_fields(run, QFMIQMConfig.__dataclass_fields__), **net}

    def check(self, run: RunOptions, config: Any, net: dict[str, Any]) -> None:
        super().check(run, config, net)
        if run.teacher and not config.distillation_weight:
            raise UsageError(
                "--teacher: the loss against its scores is turned off (distillation_weight=0)",
                hint="leave --teacher and --unlabelled out, or give --net distillation_weight=1",
            )

    def load(self, run: RunOptions, network: Any, parts: Parts, seen: Seen) -> list[dict[str, Any]]:
        return fill(network.encoder.backbone, network.config, run)
