"""The starts of a VCRNet: ImageNet weights of its trunk, and a restoration network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iqa_cli.errors import UsageError
from iqa_cli.text import one_line
from iqa_cli.training.beginning import Beginning, Parts, Seen
from iqa_cli.training.efficientnet import LICENCE, network_of, package_of
from iqa_cli.training.options import RunOptions
from iqa_cli.training.provenance import check_pristine, made_start, package_start
from iqa_cli.training.starts import file_sha256
from iqa_cli.training.starts_vcrnet import load_lite0_trunk, load_restoration, read_restoration_shape

#: The one trunk whose weights a package brings.
_LITE0 = "lite0"


class Starts(Beginning):
    """`--backbone lite0` and `--restoration FILE`."""

    def fields(self, run: RunOptions, net: Mapping[str, Any]) -> dict[str, Any]:
        found = dict(net)
        if run.backbone is not None:
            if run.backbone != _LITE0:
                raise UsageError(
                    f"--backbone {one_line(run.backbone)}: a vcrnet has no such start",
                    hint=f"--backbone {_LITE0} takes the ImageNet weights of EfficientNet-Lite0, of the "
                    "extra 'train'",
                )
            found.setdefault("backbone", _LITE0)
        shape = None if run.restoration is None else read_restoration_shape(Path(run.restoration))
        if shape is not None:
            found.setdefault("restoration", shape["size"])
            found.setdefault("residual", shape["residual"])
        return found

    def check(self, run: RunOptions, config: Any, net: dict[str, Any]) -> None:
        if run.backbone is not None and config.backbone != run.backbone:
            raise UsageError(
                f"--net backbone={config.backbone} contradicts --backbone {run.backbone}",
                hint="leave one of them out",
            )

    def load(self, run: RunOptions, network: Any, parts: Parts, seen: Seen) -> list[dict[str, Any]]:
        points = []
        if run.backbone is not None:
            load_lite0_trunk(network.backbone)
            points.append(
                package_start("backbone", network_of(run.backbone), package_of(run.backbone), LICENCE)
            )
        if run.restoration is not None:
            path, its = Path(run.restoration), seen.get("restoration", ())
            check_pristine("--restoration", load_restoration(network.restoration, path) or None, its)
            points.append(made_start("restoration network", path, parts, its))
        return points

    def identities(self, run: RunOptions) -> dict[str, str | None]:
        path = run.path("restoration")
        return {
            "--backbone": run.backbone,
            "--restoration": None if path is None else file_sha256(path),
        }
