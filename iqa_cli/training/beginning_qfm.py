"""The start of a QFM-IQM: ImageNet weights of its backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iqa_cli.errors import UsageError
from iqa_cli.text import one_line
from iqa_cli.training.beginning import Beginning, Parts, Seen
from iqa_cli.training.options import RunOptions
from iqa_cli.training.starts import file_sha256
from iqa_cli.training.starts_qfm import load_backbone, network_fields


class Starts(Beginning):
    """`--backbone NAME|FILE`; and its own loss against the scores of `--teacher` must not be off."""

    def fields(self, run: RunOptions, net: Mapping[str, Any]) -> dict[str, Any]:
        return {**({} if run.backbone is None else network_fields(run.backbone)), **net}

    def check(self, run: RunOptions, config: Any, net: dict[str, Any]) -> None:
        needed = {} if run.backbone is None else network_fields(run.backbone)
        for key, value in needed.items():
            if (given := getattr(config, key)) != value:
                raise UsageError(
                    f"--net {key}={given} contradicts --backbone {one_line(str(run.backbone))}, which needs "
                    f"{key}={value}",
                    hint="leave one of them out",
                )
        if run.teacher and not config.distillation_weight:
            raise UsageError(
                "--teacher: the loss against its scores is turned off (distillation_weight=0)",
                hint="leave --teacher and --unlabelled out, or give --net distillation_weight=1",
            )

    def load(self, run: RunOptions, network: Any, parts: Parts, seen: Seen) -> list[dict[str, Any]]:
        if run.backbone is None:
            return []
        return [load_backbone(network, run.backbone)]

    def identities(self, run: RunOptions) -> dict[str, str | None]:
        path = run.path("backbone")
        known = file_sha256(path) if path is not None and path.is_file() else run.backbone
        return {"--backbone": known}
