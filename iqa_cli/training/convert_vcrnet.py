"""A published checkpoint of VCRNet becomes a weight of this program.

The file is a pickle; torch's weights-only loader reads it, so that nothing in it is run. Names are mapped by
`iqa_cli.networks.vcrnet_names`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iqa_cli import __version__
from iqa_cli.card import LADDER, Card
from iqa_cli.checksums import open_regular
from iqa_cli.errors import WeightsError
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.vcrnet import VCRNet, VCRNetConfig
from iqa_cli.networks.vcrnet_names import RESTORATION, UNUSED, is_restoration_alone, our_name
from iqa_cli.networks.vcrnet_restoration import RestorationNet
from iqa_cli.text import one_line
from iqa_cli.training.provenance import UNKNOWN
from iqa_cli.training.starts import file_sha256
from iqa_cli.training.starts_vcrnet import save_restoration
from iqa_cli.weights import save_weights

# What published files wrap their state in.
_WRAPPERS = ("state_dict", "model", "net", "params")
_PARALLEL = "module."


@dataclass(frozen=True)
class Scale:
    """The scores that a checkpoint was trained to give.

    Attributes:
        low, high: Ends of their range; low < high.
        lower_is_better: Whether they are DMOS.

    Raises:
        ValueError: The range is empty.
    """

    low: float = 0.0
    high: float = 1.0
    lower_is_better: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"the range {self.low:g} to {self.high:g} is empty")


@dataclass(frozen=True)
class Converted:
    """What has been written.

    Attributes:
        path: The file.
        what: "weight", or "restoration" for a start.
        mapped: Number of tensors taken over.
        left_out: Published names that have no place here and are not needed.
        unknown: Published names that did not match.
        supplied: Our names that the file lacks and that need no value of its: counters of batch norms.
    """

    path: Path
    what: str
    mapped: int
    left_out: list[str]
    unknown: list[str]
    supplied: list[str]


def convert_vcrnet(source: Path, target: Path, stride_in: str, scale: Scale) -> Converted:
    """Convert a checkpoint of the whole network or of the restoration network alone.

    Args:
        source: The published file.
        target: Ends in .safetensors; a weight with a card, or a start for `iqa train --restoration`.
        stride_in: See `VCRNetConfig`.
        scale: Of the scores the checkpoint gives; they are brought to 0 to 1, higher better, in the last
            layer.

    Raises:
        WeightsError: The source cannot be read, is no such checkpoint or lacks a tensor; or the target
            cannot be written.
    """
    published = read_published(source)
    alone = is_restoration_alone(published)
    prefix = "VCR." if alone else ""
    state: dict[str, Tensor] = {}
    left_out, unknown = [], []
    network = (
        RestorationNet(residual=False) if alone else VCRNet(VCRNetConfig(residual=False, stride_in=stride_in))  # type: ignore[arg-type]
    )
    wanted = network.state_dict()
    for name, value in published.items():
        ours = our_name(prefix + name)
        if ours is not None and alone:
            ours = ours.removeprefix(RESTORATION)
        if prefix + name in UNUSED:
            left_out.append(name)
        elif ours is None or ours not in wanted:
            unknown.append(name)
        elif value.shape != wanted[ours].shape:
            shapes = f"{list(value.shape)}, not {list(wanted[ours].shape)}"
            raise WeightsError(
                f"{one_line(source)}: {one_line(name)} is {shapes}",
                hint="it is another network, or one of another width",
            )
        else:
            state[ours] = value.to(wanted[ours].dtype)
    missing = [name for name in wanted if name not in state]
    # Checkpoints older than torch 0.4.1 have none; evaluation does not read them.
    supplied = [name for name in missing if name.endswith("num_batches_tracked")]
    needed = [name for name in missing if name not in supplied]
    if needed:
        more = f" and {len(needed) - 3} more" if len(needed) > 3 else ""
        raise WeightsError(
            f"{one_line(source)}: lacks what becomes {', '.join(needed[:3])}{more}",
            hint=_names_hint(unknown),
        )
    state |= {name: torch.zeros_like(wanted[name]) for name in supplied}
    for name, value in state.items():
        if not torch.isfinite(value.float()).all():
            raise WeightsError(f"{one_line(source)}: what becomes {name} is not finite")
    if alone:
        network.load_state_dict(state)
        assert isinstance(network, RestorationNet)
        save_restoration(target, network, None)
    else:
        _rescale(state, scale)
        assert isinstance(network, VCRNet)
        save_weights(target, state, _card(source, target, network.config, scale), half=False)
    what = "restoration" if alone else "weight"
    return Converted(target, what, len(state) - len(supplied), left_out, unknown, supplied)


def read_published(path: Path) -> dict[str, Tensor]:
    """The tensors of a published checkpoint by name; a wrapping dictionary and "module." are taken off.

    Raises:
        WeightsError: It is missing, no checkpoint, or holds something that is no tensor.
    """
    with open_regular(path) as (file, _):
        try:
            found = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever its reader happens to raise on damage
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise WeightsError(
                f"{one_line(path)}: is no checkpoint that can be read without running what is in it: "
                f"{one_line(reason)[:160]}",
                hint="save its state_dict alone with torch.save, where it comes from a source that you trust",
            ) from None
    for wrapper in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not found:
        raise WeightsError(f"{one_line(path)}: holds no tensors by name")
    tensors: dict[str, Tensor] = {}
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsError(f"{one_line(path)}: {one_line(str(name))} is no tensor")
        tensors[name.removeprefix(_PARALLEL)] = value
    return tensors


def _rescale(state: dict[str, Tensor], scale: Scale) -> None:
    """Bring scores to 0 to 1, higher better: an affine map, taken into the last layer."""
    weight, bias = state["head.fc3.weight"], state["head.fc3.bias"]
    span = scale.high - scale.low
    if scale.lower_is_better:
        state["head.fc3.weight"], state["head.fc3.bias"] = -weight / span, (scale.high - bias) / span
    else:
        state["head.fc3.weight"], state["head.fc3.bias"] = weight / span, (bias - scale.low) / span


def _card(source: Path, target: Path, config: VCRNetConfig, scale: Scale) -> Card:
    sha256 = file_sha256(source)
    better = "lower" if scale.lower_is_better else "higher"
    point: dict[str, Any] = {
        "branch": "whole network",
        "weights": source.name,
        "sha256": sha256,
        "what": "a published checkpoint of VCRNet, converted by iqa convert vcrnet",
        "origin": UNKNOWN,
        "licence": "not documented",
    }
    return Card(
        name=target.name.removesuffix(".safetensors"),
        network="vcrnet",
        config=config.to_dict(),
        input=SizePolicy().to_dict(),
        output={
            "range": [0, 100],
            "direction": "higher is better",
            "scale": f"that of the checkpoint, taken for {scale.low:g} to {scale.high:g}, {better} is better",
            "calibration": {"kind": "linear", "slope": 100.0, "intercept": 0.0},
            "ladder": LADDER,
        },
        starting_points=[point],
        licence={
            "weights": "not documented: the published code has no licence, ask its authors",
            "code": "Apache-2.0",
        },
        date=datetime.now(timezone.utc).date().isoformat(),
        code_version=__version__,
        notes=[
            "Nothing was measured with this weight here, and what it was trained on is not known.",
            "Where the stride of the reductions' third branch lies, where activations stand and how the "
            "input was normalised is not known of the published network: its scores may differ from those "
            "of its authors.",
        ],
    )


def _names_hint(unknown: list[str]) -> str | None:
    if not unknown:
        return None
    more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
    return f"names in it that did not match: {', '.join(one_line(n) for n in unknown[:3])}{more}"
