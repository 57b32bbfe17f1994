"""What each part of MFE-Net is worth at a fixed, small budget: same pictures, steps and seeds for every arm.

python -m benchmarks.mfenet_parts --root BIQ2021/ --qen b0=QEN.safetensors --qen b1=QEN.safetensors \
  --resnet50 RESNET.npz [--seeds 0 1 2] [--first 1500] [--only "all parts" "no FFM" ...]

So that many runs fit onto a CPU, a picture is the 128 pixels in its middle, and the frozen distortion branch
looks at it once; "slowly tuned" has its last stage learn at a tenth of the quality branch's rate, with its
batch norms as they are. The rest is trained as the specification says (L1 and the high-frequency task), the
first two stages of the quality branch kept, without flips, ranking or averaged weights. Every VAN starts
from the same short distillation, EfficientNet-Lite2 from ImageNet; the contrastive distortion branch is that
of the weight named. Part train is fitted, calib is reported; nothing is chosen on it.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from benchmarks.semantic_noise import spread
from iqa_cli.datasets.record import ImageRecord
from iqa_cli.datasets.registry import read_database
from iqa_cli.networks.dan import DAN
from iqa_cli.networks.mfenet import MFENet
from iqa_cli.networks.mfenet_config import MFENetConfig
from iqa_cli.training.crops import to_tensor
from iqa_cli.training.pictures import decode
from iqa_cli.training.starts import load_qen, load_resnet50_int8
from iqa_cli.training.starts_backbone import load_backbone
from iqa_cli.weights import load_network

SIDE, BATCH, KEPT_STAGES = 128, 16, 2
RATE_BACKBONE, RATE_NEW, DECAY = 3e-4, 1e-3, 0.02
RATE_TUNED = 0.1 * RATE_BACKBONE
#: Name -> fields of the config that differ from the specification's parts on a VAN-B0.
ARMS: dict[str, dict[str, Any]] = {
    "all parts": {},
    "VAN-B1 for B0": {"van": "b1"},
    "no DAN": {"dan": "none"},
    "DAN of ImageNet": {"dan": "imagenet"},
    "DAN slowly tuned": {},
    "added, not AFF": {"fusion": "add"},
    "concatenated, not AFF": {"fusion": "concat"},
    "no FFM": {"ffm": False},
    "no HFEN": {"hfen": "none"},
    "Laplacian HFEN": {"hfen": "laplacian"},
    "no high-frequency task": {"auxiliary_weight": 0.0},
    "QEN alone": {"dan": "none", "hfen": "none"},
    "mean and deviation": {"pooling": "mean-std"},
    "EfficientNet-Lite2 for the VAN": {"backbone": "tf_efficientnet_lite2"},
    "EfficientNet-Lite2, mean and deviation": {"backbone": "tf_efficientnet_lite2", "pooling": "mean-std"},
    "EfficientNet-Lite2 alone": {"backbone": "tf_efficientnet_lite2", "dan": "none", "hfen": "none"},
}


class Kept(nn.Module):
    """Stands in for the frozen distortion branch: gives the maps it was handed last."""

    maps: list[Tensor]

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.maps


class Tuned(nn.Module):
    """Stands in for the frozen distortion branch, too: a copy of it whose last stage learns."""

    def __init__(self, dan: DAN) -> None:
        super().__init__()
        self.resnet: Any = copy.deepcopy(dan.resnet).requires_grad_(False)
        self.resnet.layer4.requires_grad_(True)

    def train(self, mode: bool = True) -> Tuned:
        return super().train(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.resnet.stages(x)
        return maps


def middle(record: ImageRecord) -> np.ndarray:
    """The pixels in the middle of a picture, uint8 [SIDE, SIDE, 3]."""
    image = decode(record.path)
    y, x = ((length - SIDE) // 2 for length in image.shape[:2])
    return image[y : y + SIDE, x : x + SIDE]


@torch.inference_mode()
def looked_at(dan: DAN, rgb: Tensor, like: MFENet) -> list[Tensor]:
    """D1 to D4 of all pictures [n, 3, S, S], in half precision."""
    parts = [dan((rgb[i : i + 32] - like.mean) / like.std) for i in range(0, len(rgb), 32)]
    return [torch.cat([part[stage].half() for part in parts]) for stage in range(len(parts[0]))]


def fit(
    rgb: Tensor,
    maps: list[Tensor],
    opinions: Tensor,
    fields: dict[str, Any],
    qen: Path | None,
    seed: int,
    epochs: int,
    tuned: DAN | None = None,
) -> MFENet:
    """Train one arm, with this distortion branch learning or that of the maps frozen."""
    torch.manual_seed(seed)
    network: Any = MFENet(MFENetConfig(**fields))
    if qen is None:
        load_backbone(network.qen, network.config, "lite2")
    else:
        load_qen(network.qen, qen)
    network.freeze_early(KEPT_STAGES)
    if network.dan is not None:
        network.dan = Kept() if tuned is None else Tuned(tuned)
    slow = [p for p in network.dan.parameters() if p.requires_grad] if tuned is not None else []
    backbone = {id(p) for p in network.qen.parameters()}
    learnt = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learnt if id(p) in backbone], "lr": RATE_BACKBONE},
        {"params": [p for p in learnt if id(p) not in backbone | {id(s) for s in slow}], "lr": RATE_NEW},
    ]
    if slow:
        groups.append({"params": slow, "lr": RATE_TUNED})
    optimiser = torch.optim.AdamW(groups, weight_decay=DECAY)
    a_pass = len(rgb) // BATCH
    steps = epochs * a_pass
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda i: 0.5 * (1 + math.cos(math.pi * i / steps))
    )
    rng = np.random.default_rng(seed)
    network.train().to(memory_format=torch.channels_last)
    for step in range(steps):
        if step % a_pass == 0:
            order = rng.permutation(len(rgb))
        chosen = torch.from_numpy(order[step % a_pass * BATCH :][:BATCH])
        hand(network, maps, chosen)
        scores, auxiliary = network.forward_with_auxiliary(rgb[chosen])
        loss = (scores - opinions[chosen]).abs().mean() + auxiliary
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        schedule.step()
    return network.eval()


def hand(network: MFENet, maps: list[Tensor], chosen: Tensor | slice) -> None:
    """Give the stand-in the maps of these pictures."""
    if isinstance(network.dan, Kept):
        network.dan.maps = [m[chosen].float() for m in maps]


@torch.inference_mode()
def correlation(network: MFENet, rgb: Tensor, maps: list[Tensor], opinions: Tensor) -> float:
    """SRCC over pictures."""
    scores = []
    for i in range(0, len(rgb), 32):
        some = slice(i, i + 32)
        hand(network, maps, some)
        scores.append(network(rgb[some]))
    return float(stats.spearmanr(torch.cat(scores), opinions).statistic)


def main() -> None:
    """Fit every arm with every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--qen", action="append", required=True, metavar="SIZE=FILE")
    parser.add_argument("--resnet50", type=Path, required=True)
    parser.add_argument("--weight", default="mfenet", help="the weight whose distortion branch is taken")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--first", type=int, default=1500, help="pictures to fit, drawn by chance")
    parser.add_argument("--only", nargs="+", default=list(ARMS), choices=list(ARMS), metavar="ARM")
    given = parser.parse_args()
    began = time.monotonic()
    qens = {size: Path(file) for size, file in (entry.split("=", 1) for entry in given.qen)}
    database = read_database("biq2021", given.root)
    fitted = list(database.part("train"))
    fitted = [fitted[i] for i in np.random.default_rng(0).permutation(len(fitted))[: given.first]]
    parts: list[Sequence[ImageRecord]] = [fitted, database.part("calib")]
    rgb = [to_tensor(np.stack([middle(r) for r in part])) for part in parts]
    opinions = [torch.tensor([r.mos for r in part], dtype=torch.float32) for part in parts]
    shipped = load_network(given.weight)[1]
    assert isinstance(shipped, MFENet)
    assert shipped.dan is not None
    imagenet = DAN("caffe")  # as those weights need it
    load_resnet50_int8(imagenet.resnet, given.resnet50)
    arms = {name: ARMS[name] for name in given.only if ARMS[name].get("van", "b0") in qens}
    found: dict[str, list[float]] = {name: [] for name in arms}
    for kind, dan in (("contrastive", shipped.dan), ("imagenet", imagenet.eval())):
        if not any((fields.get("dan") == "imagenet") == (kind == "imagenet") for fields in arms.values()):
            continue
        maps: list[list[Tensor]] = []  # one branch's at a time: several GB
        maps += [looked_at(dan, pictures, shipped) for pictures in rgb]
        print(f"# {kind} branch has looked after {time.monotonic() - began:.0f} s", flush=True)
        for seed in given.seeds:
            for name, fields in arms.items():
                if (fields.get("dan") == "imagenet") != (kind == "imagenet"):
                    continue
                start = None if "backbone" in fields else qens[fields.get("van", "b0")]
                tuned = dan if name == "DAN slowly tuned" else None
                network = fit(rgb[0], maps[0], opinions[0], fields, start, seed, given.epochs, tuned)
                srcc = correlation(network, rgb[1], maps[1], opinions[1])
                found[name].append(srcc)
                print(f"# {time.monotonic() - began:.0f} s: seed {seed}, {name}: {srcc:.4f}", flush=True)
    plain = np.array(found.get("all parts", []))
    print("| arm | parameters, M | SRCC on calib | less all parts |")
    print("|---|--:|--:|--:|")
    for name, values in found.items():
        size = sum(p.numel() for p in MFENet(MFENetConfig(**arms[name])).parameters()) / 1e6
        less = "" if name == "all parts" or not len(plain) else spread(np.array(values) - plain, 4, sign="+")
        print(f"| {name} | {size:.1f} | {spread(np.array(values), 4)} | {less} |")
    print(
        f"\nMean and standard deviation over {len(given.seeds)} seeds; {given.epochs} epochs of "
        f"{len(rgb[0]):,} pictures; {len(rgb[1])} pictures measured."
    )


if __name__ == "__main__":
    main()
