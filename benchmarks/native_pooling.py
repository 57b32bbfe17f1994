"""Where the native crops of large photographs should be taken, and how they should be pooled.

python -m benchmarks.native_pooling large/ [--model mfenet] [--rows rows.jsonl] [--levels 1 3 5] [--every 2]

`large/` holds undistorted photographs above the size that is tiled whole (`SizePolicy.near_side`). Every
second one (`--every`) is also distorted at its full size. What the network says of nine crops spread evenly
and of 40, and how sharp these are, goes to `--rows` (the same command goes on from there). For each way:
number of crops that the network sees, mean score (MOS, 0 to 1, before calibration) and its standard deviation
over the undistorted photographs; and of each distortion the mean fall of the score against the photograph
itself, and the share of photographs that fall.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from iqa_cli.datasets.synth_sources import find_sources
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.distortions import distort
from iqa_cli.images.policy import SizePolicy
from iqa_cli.images.sharpest import sharpness
from iqa_cli.training.crops import to_tensor
from iqa_cli.training.pictures import decode
from iqa_cli.weights import load_network

TYPES = ("gaussian_blur", "motion_blur", "white_noise", "jpeg")
EVEN, PLACES = 9, 40
Row = dict[str, Any]


class Way(NamedTuple):
    """What the native crops say: a name, the crops that the network sees, their share of the score, and the
    value of the native view of a row."""

    name: str
    crops: int
    weight: float
    value: Callable[[Row], float]


def best(values: Sequence[float], number: int) -> float:
    """Mean of the highest."""
    return float(np.mean(sorted(values, reverse=True)[:number]))


def sharp(kept: int, counted: int) -> Way:
    """The sharpest of the 40 places, of which the best count."""

    def value(row: Row) -> float:
        chosen = sorted(row["places"], key=lambda place: -place[0])[:kept]
        return best([said for _, said in chosen], counted)

    return Way(f"sharpest {kept} of {PLACES}, best {counted}", kept, 0.5, value)


WAYS = (
    Way(f"{EVEN} evenly", EVEN, 0.5, lambda row: best(row["even"], EVEN)),
    Way(f"{EVEN} evenly, best 3", EVEN, 0.5, lambda row: best(row["even"], 3)),
    sharp(3, 3),
    sharp(4, 3),
    sharp(4, 4),
    sharp(6, 3),
    sharp(9, 3),
    Way(f"{PLACES} evenly, best 3", PLACES, 0.5, lambda row: best([said for _, said in row["places"]], 3)),
    Way("none", 0, 0.0, lambda row: 0.0),
)


@torch.inference_mode()
def look(network: Any, policy: SizePolicy, image: np.ndarray) -> Row:
    """What the network says of the crops of a picture: of other views than the native one the mean as the
    policy weights them; "even" and "places" for the native crops, these with their sharpness."""
    evenly = replace(policy, native_places=0, native_weight=0.5, native_best=1.0)
    everywhere = replace(evenly, native_crops=PLACES, native_weight=1.0, glance_weight=0.0)
    with open_photo(image) as photo:
        crops = list(iter_crops(photo, replace(evenly, native_crops=EVEN), quick=True))
        places = list(iter_crops(photo, everywhere, quick=True))
    values = said(network, [crop.pixels for crop in crops])
    row: Row = {"even": [v for crop, v in zip(crops, values, strict=True) if crop.view == "native"]}
    for view in {crop.view for crop in crops} - {"native"}:
        seen = [(v, crop.weight) for crop, v in zip(crops, values, strict=True) if crop.view == view]
        row[view] = sum(v * weight for v, weight in seen) / sum(weight for _, weight in seen)
    pixels = [crop.pixels for crop in places]
    row["places"] = [[sharpness(p), v] for p, v in zip(pixels, said(network, pixels), strict=True)]
    return row


def said(network: Any, pixels: Sequence[np.ndarray]) -> list[float]:
    """Output of the network for each crop."""
    batches = [to_tensor(np.stack(pixels[start : start + 4])) for start in range(0, len(pixels), 4)]
    return [float(value) for batch in batches for value in network(batch)]


def pooled(row: Row, way: Way, glance: float) -> float:
    """Raw score of a picture by one way."""
    score = (1 - way.weight) * row["whole"] + (way.weight * way.value(row) if way.weight else 0.0)
    return float((1 - glance) * score + glance * row["glance"]) if glance else float(score)


def print_table(rows: Sequence[Row], glance: float) -> None:
    """A row for each way of pooling."""
    kinds = sorted({(r["type"], r["level"]) for r in rows if r["type"]}, key=lambda kind: (kind[1], kind[0]))
    print(
        "| native crops | seen | undistorted | sd | "
        + " | ".join(f"{t} {level}" for t, level in kinds)
        + " |"
    )
    print("|---|--:|--:|--:|" + "--:|" * len(kinds))
    for way in WAYS:
        clean = {r["name"]: pooled(r, way, glance) for r in rows if not r["type"]}
        cells = []
        for kind in kinds:
            its = [r for r in rows if (r["type"], r["level"]) == kind]
            falls = np.array([clean[r["name"]] - pooled(r, way, glance) for r in its])
            cells.append(f"{falls.mean():.3f}, {(falls > 0).mean():.2f}")
        values = np.array(list(clean.values()))
        print(
            f"| {way.name} | {way.crops} | {values.mean():.3f} | {values.std():.3f} | {' | '.join(cells)} |"
        )


def main() -> None:
    """Compute what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="mfenet")
    parser.add_argument("--rows", type=Path, default=Path("runs/native_pooling.jsonl"))
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--every", type=int, default=2, help="which photographs are distorted, too")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    card, network = load_network(given.model)
    policy = card.policy()
    given.rows.parent.mkdir(parents=True, exist_ok=True)
    known = given.rows.read_text().splitlines() if given.rows.exists() else []
    rows: list[Row] = [json.loads(line) for line in known]
    done = {(r["name"], r["type"], r["level"]) for r in rows}
    sources = find_sources(given.folder)
    wanted: list[tuple[Any, str | None, int]] = [(source, None, 0) for source in sources]
    wanted += [(s, name, level) for level in given.levels for name in TYPES for s in sources[:: given.every]]
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
