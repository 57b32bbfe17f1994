"""What the networks with a timm backbone share of their starts: `--backbone NAME|FILE|WEIGHT`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli.errors import UsageError
from iqa_cli.text import one_line
from iqa_cli.training.beginning import Beginning
from iqa_cli.training.options import RunOptions
from iqa_cli.training.starts import file_sha256
from iqa_cli.training.starts_backbone import contradicted, is_finished, load_backbone, network_fields
from iqa_cli.training.warmstart import WarmStart, what_it_hands_on
from iqa_cli.weights import read_card

if TYPE_CHECKING:
    from iqa_cli.networks.timm_backbone import Backbone


class BackboneBeginning(Beginning):
    """The starts of a network with a timm backbone."""

    def check(self, run: RunOptions, config: Any, net: dict[str, Any]) -> None:
        needed = {} if run.backbone is None else network_fields(run.backbone)
        for key, (given, value) in contradicted(config, needed).items():
            raise UsageError(
                f"--net {key}={given} contradicts --backbone {one_line(str(run.backbone))}, which needs "
                f"{key}={value}",
                hint="leave one of them out",
            )

    def handed_on(self, run: RunOptions) -> list[WarmStart]:
        if run.backbone is None or not is_finished(run.backbone):
            return []
        path = Path(run.backbone)
        return [what_it_hands_on(path, read_card(path), "backbone")]

    def identities(self, run: RunOptions) -> dict[str, str | None]:
        path = run.path("backbone")
        known = file_sha256(path) if path is not None and path.is_file() else run.backbone
        files = {key: run.path(key) for key in self.options if key != "backbone"}
        return {
            **{f"--{key}": None if path is None else file_sha256(path) for key, path in files.items()},
            "--backbone": known,
        }


def fill(backbone: Backbone, config: Any, run: RunOptions) -> list[dict[str, Any]]:
    """Fill a backbone, if a start is given.

    Returns:
        Its entry for the card's `starting_points`; none of a finished weight, which `handed_on` tells of.
    """
    if run.backbone is None:
        return []
    point = load_backbone(backbone, config, run.backbone)
    return [] if is_finished(run.backbone) else [point]


def fixed_fields(run: RunOptions, known: Mapping[str, Any]) -> dict[str, Any]:
    """What `--backbone` says of a network's config, of the fields that this has."""
    found = {} if run.backbone is None else network_fields(run.backbone)
    return {key: value for key, value in found.items() if key in known}
