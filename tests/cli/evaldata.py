"""What the tests of `iqa eval` share: a small database of real pictures, and a weight that has met some."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from iqa_cli.seen import hash_file, seen_path, write_seen
from iqa_cli.weights import load_state, save_weights
from tests.conftest import ROOT

COLUMNS = ("image", "mos", "group", "split", "subset")


def make_data(root: Path, n: int, **cells: Callable[[int], object]) -> Path:
    """A database of small crops of a real photograph, p00.png and so on, with scores from 1 to 5.

    Keywords are functions from the number of a picture to a cell, such as split=lambda i: "val".
    """
    with Image.open(ROOT / "examples" / "cliffs.jpg") as image:
        photo = np.asarray(image.convert("RGB"))
    root.mkdir()
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for i in range(n):
            name = f"p{i:02}.png"
            Image.fromarray(photo[10 * i : 10 * i + 96, 12 * i : 12 * i + 96]).save(root / name)
            row = {"image": name, "mos": 1 + (i * 7 % 11) * 0.4}
            writer.writerow(row | {key: cell(i) for key, cell in cells.items()})
    return root


def make_opinions(root: Path, n: int, scale: float = 100, **cells: Callable[[int], object]) -> list[float]:
    """`labels.csv` alone, no pictures: d/p000.png and so on, with opinions from 0 to `scale`, no two the same
    and those two extremes among them.

    Returns:
        The opinions as parts of the scale.
    """
    opinions = np.random.default_rng(7).permutation(np.linspace(0, 1, n))
    root.mkdir()
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "mos", *cells])
        for i, opinion in enumerate(opinions):
            writer.writerow([f"d/p{i:03}.png", opinion * scale, *(cell(i) for cell in cells.values())])
    return [float(opinion) for opinion in opinions]


def write_scores(path: Path, scores: Iterable[object]) -> Path:
    """A file of scores of d/p000.png and so on, as another program names them."""
    rows = [f"/elsewhere/d/p{i:03}.png,{score}\n" for i, score in enumerate(scores)]
    path.write_text("path,score\n" + "".join(rows), encoding="utf-8")
    return path


def noisy(opinions: Iterable[float], noise: float, seed: int = 0) -> list[float]:
    """Scores that follow opinions but for normal noise."""
    values = np.fromiter(opinions, float)
    return list(values + np.random.default_rng(seed).normal(0, noise, len(values)))


def teach(weight: Path, *pictures: Path) -> None:
    """Say on a weight's card, and beside it, that it was trained on pictures."""
    card, tensors = load_state(weight)
    number = write_seen(seen_path(weight), map(hash_file, pictures))
    save_weights(weight, tensors, replace(card, seen={"file": seen_path(weight).name, "pictures": number}))
