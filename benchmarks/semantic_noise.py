"""What semantic noise matching and distillation do for QFM-IQM: the same seeds and budget with and without.

python -m benchmarks.semantic_noise --root BIQ2021/ --pristine PRISTINE/ [--seeds 3] [--first 3000]

So that many runs fit onto a CPU, the backbone (EfficientNet-Lite0, ImageNet) is frozen and looks once at each
whole picture, reduced to 288 pixels; everything behind it is trained as `iqa train qfm-iqm` trains it, by the
network's own losses. The part train is fitted, calib and val are reported; nothing is chosen on either. The
teacher's pictures are distorted copies of the photographs of PRISTINE, part train.

"Moved" is how far the score goes, in points, when the noise that the method speaks of is added to a picture
of calib: 0.3 x the least similar feature of about the same opinion among the last 4,096 of train, no gate.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from iqa_cli import load
from iqa_cli.datasets.pristine import read_pristine
from iqa_cli.datasets.registry import read_database
from iqa_cli.images.distortions import LEVELS, distort
from iqa_cli.networks.qfm_iqm import QFMIQM, QFMIQMConfig
from iqa_cli.networks.qfm_noise import FeatureMemory, SemanticMatching
from iqa_cli.training.crops import RANKED, Image, to_tensor
from iqa_cli.training.pictures import decode
from iqa_cli.training.starts_backbone import load_backbone

SIDE, BATCH, RATE, DECAY = 288, 64, 6e-4, 0.02
#: Distorted copies of each photograph that the teacher scores.
COPIES = 2
#: Name -> fields of the config, and whether the teacher's pictures are there.
ARMS: dict[str, tuple[dict[str, Any], bool]] = {
    "neither": ({"noise_weight": 0.0}, False),
    "matching": ({}, False),
    "random partner": ({"partner": "random"}, False),
    "distillation": ({"noise_weight": 0.0}, True),
    "matching and distillation": ({}, True),
}


@dataclass
class Looks:
    """Tokens [n, T, C] (float16) of pictures, and their opinions [n], 0 to 1."""

    tokens: Tensor
    opinions: Tensor


class Tokens(nn.Module):
    """Stands in for a frozen backbone: it is handed what that would have given."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.widths = widths

    def forward(self, x: Tensor) -> tuple[None, list[Tensor]]:
        return None, [x]


def tokens_of(network: QFMIQM, pictures: Sequence[Image]) -> Tensor:
    """What the backbone gives of whole pictures."""
    found = []
    for first in range(0, len(pictures), 16):
        small = [
            cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in pictures[first : first + 16]
        ]
        with torch.inference_mode():
            rgb = (to_tensor(np.stack(small)) - network.mean) / network.std
            found.append(network.encoder.backbone(rgb)[1][0].half())
    return torch.cat(found)


def look(network: QFMIQM, paths: Sequence[Path], opinions: Sequence[float]) -> Looks:
    """Decode and look at pictures, a few at a time."""
    tokens = [tokens_of(network, [decode(p) for p in paths[i : i + 64]]) for i in range(0, len(paths), 64)]
    return Looks(torch.cat(tokens), torch.tensor(opinions, dtype=torch.float32))


def taught(network: QFMIQM, photographs: Sequence[Path], teacher: str) -> Looks:
    """Distorted copies of the photographs, with the teacher's scores for opinions."""
    scorer, rng = load(teacher), np.random.default_rng(0)
    pictures = []
    for path in photographs:
        whole = decode(path)
        scale = 384 / min(whole.shape[:2])
        whole = cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        middle = [(length - 384) // 2 for length in whole.shape[:2]]
        crop = np.ascontiguousarray(whole[middle[0] : middle[0] + 384, middle[1] : middle[1] + 384])
        for _ in range(COPIES):
            kind = RANKED[rng.integers(len(RANKED))]
            pictures.append(distort(crop, kind, int(rng.integers(1, LEVELS + 1)), rng))
    scores = [(p.score or 0.0) / 100 for p in scorer.score_many(pictures)]
    return Looks(tokens_of(network, pictures), torch.tensor(scores, dtype=torch.float32))


def fit(
    looks: Looks, unlabelled: Looks | None, fields: dict[str, Any], widths: Any, seed: int, epochs: int
) -> QFMIQM:
    """Train what lies behind the backbone; a step with the teacher's pictures has them in their share."""
    torch.manual_seed(seed)
    network = QFMIQM(QFMIQMConfig(backbone="tf_efficientnet_lite0", **fields))
    network.encoder.backbone = Tokens(widths)  # type: ignore[assignment]
    network.mean, network.std = torch.zeros(()), torch.ones(())
    learnt = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=RATE, weight_decay=DECAY)
    n = len(looks.opinions)
    batch = min(BATCH, n)
    steps = epochs * (n // batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda i: 0.5 * (1 + math.cos(math.pi * i / steps))
    )
    rng = np.random.default_rng(seed)
    network.train()
    for step in range(steps):
        if step % (n // batch) == 0:
            order = rng.permutation(n)
        chosen = order[step % (n // batch) * batch :][:batch]
        x, y = looks.tokens[chosen].float(), looks.opinions[chosen]
        lessons = 0
        if unlabelled is not None:
            lessons = round(batch * len(unlabelled.opinions) / n)
            extra = rng.integers(len(unlabelled.opinions), size=lessons)
            x = torch.cat([x, unlabelled.tokens[extra].float()])
        known = torch.cat([y, torch.full((lessons,), torch.nan)])
        scores, loss = network.forward_with_opinions(x, known)
        loss = loss + network.opinion_loss(scores[: len(y)], y)
        if unlabelled is not None:
            loss = loss + network.distillation_loss(scores[len(y) :], unlabelled.opinions[extra])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def encoded(network: QFMIQM, looks: Looks) -> tuple[Tensor, Tensor, Tensor]:
    """Features [n, D], tokens [n, T, D] and scores [n]."""
    parts = [network.encode(looks.tokens[i : i + 256].float()) for i in range(0, len(looks.tokens), 256)]
    scores = [network.decoder(*part) for part in parts]
    features, tokens = (torch.cat(column) for column in zip(*parts, strict=True))
    return features, tokens, torch.cat(scores)


@torch.inference_mode()
def moved(network: QFMIQM, train: Looks, calib: Looks) -> float:
    """Mean movement of the scores under semantic noise, in points."""
    config, last = network.config, 4096
    memory = FeatureMemory(last, config.width)
    some = Looks(train.tokens[-last:], train.opinions[-last:])
    memory.push(encoded(network, some)[0], some.opinions)
    features, tokens, scores = encoded(network, calib)
    partner, _ = SemanticMatching(config.tolerance)(features, calib.opinions, *memory.entries())
    noise = 0.3 * memory.features[partner]
    noisy = network.decoder(features + noise, tokens + noise[:, None])
    return float(100 * (noisy - scores)[partner >= 0].abs().mean())


def main() -> None:
    """Fit every arm with every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--pristine", type=Path, required=True)
    parser.add_argument("--teacher", default="mfenet")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument(
        "--first", type=int, help="at most so many pictures of each part, drawn by chance, and photographs"
    )
    given = parser.parse_args()
    began = time.monotonic()
    whole = QFMIQM(QFMIQMConfig(backbone="tf_efficientnet_lite0"))
    load_backbone(whole.encoder.backbone, whole.config, "lite0")
    whole.eval()
    database = read_database("biq2021", given.root)
    looks = {}
    for part in ("train", "calib", "val"):
        records = database.part(part)
        records = [records[i] for i in np.random.default_rng(0).permutation(len(records))[: given.first]]
        looks[part] = look(whole, [r.path for r in records], [r.mos for r in records])
    lessons = taught(whole, read_pristine(given.pristine, "train")[: given.first], given.teacher)
    print(f"# looked at all pictures after {time.monotonic() - began:.0f} s", flush=True)
    found: dict[str, list[list[float]]] = {}
    for seed in range(given.seeds):
        for name, (fields, distils) in ARMS.items():
            network = fit(
                looks["train"],
                lessons if distils else None,
                fields,
                whole.encoder.backbone.widths,
                seed,
                given.epochs,
            )
            row = []
            for part in ("calib", "val"):
                scores = encoded(network, looks[part])[2]
                row.append(float(stats.spearmanr(scores, looks[part].opinions).statistic))
            row.append(moved(network, looks["train"], looks["calib"]))
            found.setdefault(name, []).append(row)
            print(f"# seed {seed}, {name}: {row[0]:.4f} {row[1]:.4f} {row[2]:.2f}", flush=True)
    plain = np.array(found["neither"])
    print("| trained with | SRCC calib | less neither | SRCC val | less neither | moved, points |")
    print("|---|---|---|---|---|---|")
    for name, rows in found.items():
        values = np.array(rows)
        cells = []
        for column in (0, 1):
            cells.append(spread(values[:, column], 4))
            cells.append(
                "" if name == "neither" else spread(values[:, column] - plain[:, column], 4, sign="+")
            )
        print(f"| {name} | {' | '.join(cells)} | {spread(values[:, 2], 2)} |")
    pictures, unlabelled = len(looks["train"].opinions), len(lessons.opinions)
    print(
        f"\nMean and standard deviation over {given.seeds} seeds; {given.epochs} epochs of {pictures:,} "
        f"pictures; {unlabelled:,} more taught by {given.teacher} where there is distillation."
    )


def spread(values: np.ndarray, places: int, sign: str = "") -> str:
    return f"{values.mean():{sign}.{places}f} ± {values.std(ddof=1) if len(values) > 1 else 0:.{places}f}"


if __name__ == "__main__":
    main()
