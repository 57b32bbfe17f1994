"""How the native crops of large photographs should be pooled: which share of them, and with which weight.

python -m benchmarks.native_pooling large/ [--model mfenet] [--rows rows.jsonl] [--levels 1 3 5]

`large/` holds undistorted photographs above the size that is tiled whole (`SizePolicy.near_side`). Every
second one is also distorted at its full size. What the network says of each crop goes to `--rows` (the same
command goes on from there). For each way of pooling: mean score (MOS, 0 to 1, before calibration) and its
standard deviation over the undistorted photographs; and of each distortion the mean fall of the score against
the photograph itself, and the share of photographs that fall.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from iqa_cli.datasets.synth_sources import find_sources
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.distortions import distort
from iqa_cli.images.policy import SizePolicy
from iqa_cli.scoring.pooling import counted
from iqa_cli.training.crops import to_tensor
from iqa_cli.training.pictures import decode
from iqa_cli.weights import load_network

TYPES = ("gaussian_blur", "motion_blur", "white_noise", "jpeg")
#: Weight of the native crops, and the share of them that counts.
WAYS = ((0.5, 1.0), (0.5, 1 / 2), (0.5, 1 / 3), (0.3, 1.0), (0.3, 1 / 2), (0.3, 1 / 3), (0.0, 1.0))
Row = dict[str, Any]


@torch.inference_mode()
def look(network: Any, policy: SizePolicy, image: np.ndarray) -> dict[str, list[float]]:
    """View -> what the network says of each of its crops; of other views than the native one, their mean as
    the policy weights them."""
    said: dict[str, list[tuple[float, float]]] = {}
    with open_photo(image) as photo:
        crops = list(iter_crops(photo, policy, quick=True))
    for start in range(0, len(crops), 4):
        some = crops[start : start + 4]
        for crop, value in zip(some, network(to_tensor(np.stack([c.pixels for c in some]))), strict=True):
            said.setdefault(crop.view, []).append((float(value), crop.weight))
    found = {}
    for view, of_view in said.items():
        values, weights = np.array(of_view).T
        found[view] = values.tolist() if view == "native" else [float(values @ weights / weights.sum())]
    return found


def pooled(row: Row, native_weight: float, best: float, glance: float) -> float:
    """Raw score of a picture by one way of pooling."""
    score = float(np.mean(row["whole"]))
    if "native" in row:
        raw = np.array(row["native"])
        weight = counted(raw, np.full(len(raw), 1 / len(raw)), np.full(len(raw), best))
        score = (1 - native_weight) * score + native_weight * float(weight @ raw)
    return (1 - glance) * score + glance * float(np.mean(row["glance"])) if glance else score


def print_table(rows: Sequence[Row], glance: float) -> None:
    """A row for each way of pooling."""
    kinds = sorted({(r["type"], r["level"]) for r in rows if r["type"]}, key=lambda kind: (kind[1], kind[0]))
    print("| weight | best | undistorted | sd | " + " | ".join(f"{t} {level}" for t, level in kinds) + " |")
    print("|--:|--:|--:|--:|" + "--:|" * len(kinds))
    for weight, best in WAYS:
        clean = {r["name"]: pooled(r, weight, best, glance) for r in rows if not r["type"]}
        cells = []
        for kind in kinds:
            its = [r for r in rows if (r["type"], r["level"]) == kind]
            falls = np.array([clean[r["name"]] - pooled(r, weight, best, glance) for r in its])
            cells.append(f"{falls.mean():.3f}, {(falls > 0).mean():.2f}")
        values = np.array(list(clean.values()))
        print(f"| {weight:g} | {best:.2f} | {values.mean():.3f} | {values.std():.3f} | {' | '.join(cells)} |")


def main() -> None:
    """Compute what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="mfenet")
    parser.add_argument("--rows", type=Path, default=Path("runs/native_pooling.jsonl"))
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    card, network = load_network(given.model)
    policy = replace(card.policy(), native_weight=0.5)
    given.rows.parent.mkdir(parents=True, exist_ok=True)
    known = given.rows.read_text().splitlines() if given.rows.exists() else []
    rows: list[Row] = [json.loads(line) for line in known]
    done = {(r["name"], r["type"], r["level"]) for r in rows}
    sources = find_sources(given.folder)
    wanted: list[tuple[Any, str | None, int]] = [(source, None, 0) for source in sources]
    wanted += [(s, name, level) for level in given.levels for name in TYPES for s in sources[::2]]
    with given.rows.open("a") as file:
        for source, name, level in wanted:
            if (source.name, name, level) in done:
                continue
            image = decode(source.path)
            if name is not None:
                image = distort(image, name, level, np.random.default_rng(0))
            row = {"name": source.name, "type": name, "level": level, **look(network.eval(), policy, image)}
            rows.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
    print_table([row for row in rows if row["level"] in (0, *given.levels)], policy.glance_weight)


if __name__ == "__main__":
    main()
