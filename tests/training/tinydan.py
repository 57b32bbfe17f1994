"""A DAN small enough to train in seconds: one block a stage, the names and widths of ResNet-50."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import nn

from iqa_cli.networks.dan import DAN, use_caffe_strides
from iqa_cli.networks.resnet import ResNet
from iqa_cli.training.crops import Image as Pixels
from tests.training.tinydata import PHOTOS

#: Settings that keep a pre-training to seconds.
TINY_SETTINGS: dict[str, Any] = {
    "types": 3,
    "levels": 2,
    "images": 2,
    "photographs": 4,
    "size": 64,
    "margin": 8,
    "frozen": 2,
    "steps": 6,
    "warmup": 1,
    "hidden": 16,
    "embedding": 8,
    "norm_batches": 1,
    "head_size": 64,
    "head_crops": 2,
    "precision": "fp32",
}


class TinyDAN(DAN):
    """Stands in for `DAN`."""

    def __init__(self, strides: Literal["torch", "caffe"] = "torch") -> None:
        nn.Module.__init__(self)
        self.resnet = ResNet((1, 1, 1, 1))
        if strides == "caffe":
            net: Any = self.resnet
            use_caffe_strides(layer[0] for layer in (net.layer2, net.layer3, net.layer4))


def tiny_dan(seed: int = 0, strides: Literal["torch", "caffe"] = "caffe") -> TinyDAN:
    """One with folded batch norms, as the int8 archive leaves them: each only adds a bias."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        dan = TinyDAN(strides)
        for module in dan.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.weight, (1 + module.eps) ** 0.5)
                nn.init.normal_(module.bias, std=0.3)
    return dan.eval()


def write_archive(path: Path, seed: int = 0) -> Path:
    """An int8 archive with random weights for `TinyDAN`."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, module in TinyDAN().resnet.named_modules():
        if isinstance(module, nn.Conv2d):
            fan = module.weight[0].numel()
            arrays[f"{name}.q"] = rng.integers(-90, 91, tuple(module.weight.shape)).astype(np.int8)
            arrays[f"{name}.log2s"] = np.int8(round(np.log2((2 / fan) ** 0.5 / 52)))
            arrays[f"{name}.b"] = rng.normal(scale=0.3, size=module.out_channels).astype(np.float32)
    np.savez(path, **arrays)
    return path


def cuttings(examples: Path, number: int, side: int = 120) -> list[Pixels]:
    """Cuttings of the example photographs, uint8 [side, side, 3]."""
    rng = np.random.default_rng(7)
    found = []
    for i in range(number):
        with Image.open(examples / PHOTOS[i % len(PHOTOS)]) as photo:
            pixels = np.asarray(photo.convert("RGB"))
        y, x = (int(rng.integers(length - side)) for length in pixels.shape[:2])
        found.append(np.ascontiguousarray(pixels[y : y + side, x : x + side]))
    return found


def make_pristine(folder: Path, examples: Path, train: int = 6, val: int = 2) -> Path:
    """A folder of pristine photographs: `sources.csv` and `images/`."""
    (folder / "images").mkdir(parents=True)
    lines = ["image,split"]
    for i, pixels in enumerate(cuttings(examples, train + val)):
        Image.fromarray(pixels).save(folder / "images" / f"p{i}.png")
        lines.append(f"p{i}.png,{'train' if i < train else 'val'}")
    (folder / "sources.csv").write_text("\n".join(lines) + "\n")
    return folder
