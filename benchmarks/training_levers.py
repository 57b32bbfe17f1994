"""What levers of training are worth at a fixed, small budget: same pictures, steps and seeds for every arm.

python -m benchmarks.training_levers --root BIQ2021/ [--synthetic SYNTH/] [--seeds 3] [--first 3500]

So that many runs fit onto a CPU, an EfficientNet-Lite0 of ImageNet is frozen and looks at each picture once a
way: whole, reduced to 224, 288 or 384 pixels, and at the 288 pixels in its middle. What QFM-IQM has behind
its backbone is trained on that, by SmoothL1 and without matching: four epochs, AdamW, a cosine. Part train
is fitted, calib is reported; nothing is chosen on it. `--synthetic` is a folder of `iqa data synth`.

"Soft targets" are of kernel ridges on the same maps, each fitted without the fold that it speaks of.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy import stats
from torch import Tensor

from benchmarks.frozen_features import FOLDS, predicted
from benchmarks.learning_curve import folds_of
from benchmarks.semantic_noise import Tokens, spread
from iqa_cli.datasets.record import ImageRecord
from iqa_cli.datasets.registry import read_database
from iqa_cli.networks.qfm_iqm import QFMIQM, QFMIQMConfig
from iqa_cli.training.crops import to_tensor
from iqa_cli.training.losses import ScoreMap, correlation_loss, ranking_loss
from iqa_cli.training.pictures import decode
from iqa_cli.training.starts_backbone import load_backbone

BATCH, RATE, DECAY, WIDTH = 64, 6e-4, 0.02, 192
#: Synthetic pictures in a step that has them, and how far two levels should lie apart.
SYNTHETIC, MARGIN = 16, 0.05
WAYS = ("whole 224", "whole 288", "whole 384", "middle 288")


@dataclass(frozen=True)
class Arm:
    """What differs from the plain run.

    Attributes:
        correlation: Weight of 1 - PLCC of a step.
        ss02: How much a picture of the subset ss02 counts.
        soft: Share of the soft target.
        average: Decay of averaged weights, 0 for none.
        last: The mean of the weights behind so many epochs, the last ones.
        ways: Looks that training draws from, one a step.
        scored: Looks whose mean is the score.
        ladders: Pairs of two levels of a distortion, the stronger one to score lower.
        pseudo: The pseudo-MOS of synthetic pictures, behind a learnt affine map.
    """

    correlation: float = 0.0
    ss02: float = 1.0
    soft: float = 0.0
    average: float = 0.0
    last: int = 1
    ways: tuple[str, ...] = ("whole 288",)
    scored: tuple[str, ...] = ("whole 288",)
    ladders: bool = False
    pseudo: bool = False


ARMS = {
    "plain": Arm(),
    "correlation loss, 0.1": Arm(correlation=0.1),
    "correlation loss, 0.5": Arm(correlation=0.5),
    "ss02 counts half": Arm(ss02=0.5),
    "ss02 left out": Arm(ss02=0.0),
    "soft targets, half": Arm(soft=0.5),
    "averaged weights, 0.98": Arm(average=0.98),
    "mean of the last three epochs": Arm(last=3),
    "seen at 224": Arm(ways=("whole 224",), scored=("whole 224",)),
    "seen at 384": Arm(ways=("whole 384",), scored=("whole 384",)),
    "the middle, not the whole": Arm(ways=("middle 288",), scored=("middle 288",)),
    "sizes 224, 288, 384 in training": Arm(ways=WAYS[:3]),
    "sizes 224, 288, 384 in training and scoring": Arm(ways=WAYS[:3], scored=WAYS[:3]),
    "whole and middle in training and scoring": Arm(ways=WAYS[1::2], scored=WAYS[1::2]),
    "ladders": Arm(ladders=True),
    "pseudo-MOS": Arm(pseudo=True),
}


@dataclass(frozen=True)
class Seen:
    """Pictures as the backbone saw them: way -> tokens [n, T, C] (float16); their opinions, 0 to 1."""

    tokens: dict[str, Tensor]
    opinions: Tensor
    records: Sequence[ImageRecord]


def cut(pixels: np.ndarray, way: str) -> np.ndarray:
    """What is looked at of a picture, uint8 [S, S, 3]."""
    kind, side = way.split()[0], int(way.split()[1])
    if kind == "whole":
        return cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    y, x = ((length - side) // 2 for length in pixels.shape[:2])
    return pixels[y : y + side, x : x + side]


@torch.inference_mode()
def see(network: QFMIQM, records: Sequence[ImageRecord], ways: Sequence[str]) -> Seen:
    """Decode and look."""
    found: dict[str, list[Tensor]] = {way: [] for way in ways}
    for first in range(0, len(records), 16):
        pictures = [decode(record.path) for record in records[first : first + 16]]
        for way in ways:
            rgb = to_tensor(np.stack([cut(picture, way) for picture in pictures]))
            rgb = rgb.contiguous(memory_format=torch.channels_last)
            tokens = network.encoder.backbone((rgb - network.mean) / network.std)[1][0]
            found[way].append(tokens.half())
    opinions = torch.tensor([record.mos for record in records], dtype=torch.float32)
    return Seen({way: torch.cat(parts) for way, parts in found.items()}, opinions, records)


def soft_targets(seen: Seen) -> Tensor:
    """What kernel ridges on means and deviations of the maps say of the pictures that they have not met."""
    tokens = seen.tokens["whole 288"].float()
    values = torch.cat([tokens.mean(1), tokens.std(1)], 1).double().numpy()
    y, folds = seen.opinions.double().numpy(), folds_of(seen.records)[1]
    said = np.empty(len(y))
    for fold in range(FOLDS):
        out = folds == fold
        inside = np.unique(folds[~out], return_inverse=True)[1]
        said[out] = predicted(values[~out], y[~out], inside, values[out])
    return torch.from_numpy(said).float()


def ladder_pairs(records: Sequence[ImageRecord]) -> np.ndarray:
    """[n, 2]: positions of the milder and the stronger of neighbouring levels of a type and photograph."""
    ladders: dict[tuple[str | None, str | None], list[tuple[int, int]]] = {}
    for i, record in enumerate(records):
        if record.level is not None:
            ladders.setdefault((record.ref, record.distortion), []).append((record.level, i))
    return np.array([(a[1], b[1]) for one in ladders.values() for a, b in pairwise(sorted(one))])


def fit(
    seen: Seen,
    synthetic: Seen | None,
    soft: Tensor,
    arm: Arm,
    widths: tuple[int, ...],
    seed: int,
    epochs: int,
):
    """Train one arm; the network in evaluation mode."""
    torch.manual_seed(seed)
    network = QFMIQM(QFMIQMConfig(backbone="tf_efficientnet_lite0", width=WIDTH, noise_weight=0.0))
    network.encoder.backbone = Tokens(widths)  # type: ignore[assignment]
    network.mean, network.std = torch.zeros(()), torch.ones(())
    scale = ScoreMap("mos")
    learnt = [p for p in (*network.parameters(), *scale.parameters()) if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=RATE, weight_decay=DECAY)
    n = len(seen.opinions)
    a_pass = n // BATCH
    steps = epochs * a_pass
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda i: 0.5 * (1 + math.cos(math.pi * i / steps))
    )
    # Two sources, so that every arm has the same batches.
    rng, drawn = np.random.default_rng(seed), np.random.default_rng((seed, 1))
    targets = (1 - arm.soft) * seen.opinions + arm.soft * soft
    counts = torch.tensor([arm.ss02 if record.subset == "ss02" else 1.0 for record in seen.records])
    pairs = ladder_pairs(synthetic.records) if synthetic is not None and arm.ladders else None
    states: list[dict[str, Tensor]] = []
    averaged = copy.deepcopy(network)
    network.train()
    for step in range(steps):
        if step % a_pass == 0:
            order = rng.permutation(n)
        chosen = torch.from_numpy(order[step % a_pass * BATCH :][:BATCH])
        way = arm.ways[drawn.integers(len(arm.ways))]
        scores = network(seen.tokens[way][chosen].float())
        each = torch.nn.functional.smooth_l1_loss(
            scores, targets[chosen], beta=network.config.smooth, reduction="none"
        )
        loss = (counts[chosen] * each).sum() / counts[chosen].sum().clamp(min=1)
        if arm.correlation:
            loss = loss + arm.correlation * correlation_loss(scores, targets[chosen])
        if synthetic is not None and pairs is not None:
            some = pairs[drawn.integers(len(pairs), size=SYNTHETIC // 2)]
            said = network(synthetic.tokens["middle 288"][some.T.reshape(-1)].float())
            milder, stronger = said.split(SYNTHETIC // 2)
            loss = loss + ranking_loss(milder, stronger, torch.full_like(milder, MARGIN))
        if synthetic is not None and arm.pseudo:
            some = drawn.integers(len(synthetic.opinions), size=SYNTHETIC)
            said = scale(network(synthetic.tokens["middle 288"][some].float()))
            loss = loss + SYNTHETIC / BATCH * network.opinion_loss(said, synthetic.opinions[some])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        schedule.step()
        if arm.average:
            keep = min(arm.average, (1 + step) / (10 + step))
            for old, new in zip(averaged.parameters(), network.parameters(), strict=True):
                old.data.lerp_(new.data, 1 - keep)
        if (step + 1) % a_pass == 0:
            states.append(copy.deepcopy(network.state_dict()))
    if arm.average:
        return averaged.eval()
    last = states[-arm.last :]
    mean = {
        key: torch.stack([s[key].float() for s in last]).mean(0).to(last[0][key].dtype) for key in last[0]
    }
    network.load_state_dict(mean)
    return network.eval()


@torch.inference_mode()
def correlation(network: QFMIQM, seen: Seen, arm: Arm) -> float:
    """SRCC over pictures."""
    said = []
    for way in arm.scored:
        tokens = seen.tokens[way]
        said.append(torch.cat([network(tokens[i : i + 64].float()) for i in range(0, len(tokens), 64)]))
    return float(stats.spearmanr(torch.stack(said).mean(0), seen.opinions).statistic)


def main() -> None:
    """Fit every arm with every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--first", type=int, help="at most so many pictures, drawn by chance")
    given = parser.parse_args()
    began = time.monotonic()
    whole = QFMIQM(QFMIQMConfig(backbone="tf_efficientnet_lite0"))
    load_backbone(whole.encoder.backbone, whole.config, "lite0")
    whole.eval().to(memory_format=torch.channels_last)
    database = read_database("biq2021", given.root)
    fitted = list(database.part("train"))
    fitted = [fitted[i] for i in np.random.default_rng(0).permutation(len(fitted))[: given.first]]
    seen, measured = see(whole, fitted, WAYS), see(whole, database.part("calib"), WAYS)
    synthetic = None
    if given.synthetic is not None:
        records = read_database("csv", given.synthetic, (0.0, 1.0)).part("train")
        synthetic = see(whole, records, WAYS[3:])
    print(f"# looked at all pictures after {time.monotonic() - began:.0f} s", flush=True)
    soft = soft_targets(seen)
    arms = {n: arm for n, arm in ARMS.items() if synthetic is not None or not (arm.ladders or arm.pseudo)}
    found: dict[str, list[float]] = {name: [] for name in arms}
    for seed in range(given.seeds):
        for name, arm in arms.items():
            network = fit(seen, synthetic, soft, arm, whole.encoder.backbone.widths, seed, given.epochs)
            found[name].append(correlation(network, measured, arm))
            print(
                f"# {time.monotonic() - began:.0f} s: seed {seed}, {name}: {found[name][-1]:.4f}", flush=True
            )
    plain = np.array(found["plain"])
    print("| arm | SRCC on calib | less plain |")
    print("|---|--:|--:|")
    for name, values in found.items():
        less = "" if name == "plain" else spread(np.array(values) - plain, 4, sign="+")
        print(f"| {name} | {spread(np.array(values), 4)} | {less} |")
    pictures = f"{given.epochs} epochs of {len(seen.opinions):,} pictures; {len(measured.opinions)} measured"
    print(f"\nMean and standard deviation over {given.seeds} seeds; {pictures}.")


if __name__ == "__main__":
    main()
