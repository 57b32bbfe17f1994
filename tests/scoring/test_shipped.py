"""The shipped weight on real photographs: what the README promises of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_cli.card import percentile_of, word_for
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.scoring.scorer import Scorer, load


@pytest.fixture(scope="module")
def shipped() -> Scorer:
    return load("mfenet")


@pytest.fixture(scope="module")
def scores(shipped_scores: dict[str, dict[str, float]]) -> dict[str, float]:
    return shipped_scores["mfenet"]


def test_every_distorted_example_scores_below_its_original(scores: dict[str, float]) -> None:
    distorted = [name for name in scores if "-" in name]
    assert len(distorted) >= 6
    for name in distorted:
        assert scores[name] < scores[name.split("-")[0]] - 2, name


def test_scores_are_points_with_a_word_and_a_percentile(shipped: Scorer, scores: dict[str, float]) -> None:
    assert all(0 <= score <= 100 for score in scores.values())
    assert np.ptp(list(scores.values())) > 15
    best, worst = max(scores.values()), min(scores.values())
    assert word_for(best, shipped.card) != word_for(worst, shipped.card)
    ours, theirs = percentile_of(best, shipped.card), percentile_of(worst, shipped.card)
    assert ours is not None
    assert theirs is not None
    assert ours > theirs


def test_noise_blur_and_compression_lower_the_score_step_by_step(shipped: Scorer, examples: Path) -> None:
    from iqa_cli.images.distortions import distort

    with Image.open(examples / "lunch.jpg") as image:
        picture = np.asarray(image.convert("RGB"))[96:416, 96:416]  # five crops instead of ten
    names, levels = ("gaussian_blur", "white_noise", "jpeg"), (2, 4, 5)
    made = [distort(picture, name, level, np.random.default_rng(0)) for name in names for level in levels]
    original, *found = (p.score for p in shipped.score_many([picture, *made]))
    for place, name in enumerate(names):
        ladder = [original, *found[3 * place : 3 * place + 3]]
        assert (np.diff(np.array(ladder, dtype=float)) < 0).all(), (name, ladder)


def test_reduced_decoding_moves_the_fast_score_by_less_than_half_a_point(
    shipped: Scorer, examples: Path, tmp_path: Path
) -> None:
    for name in ("cliffs", "dog", "lunch"):
        with Image.open(examples / f"{name}.jpg") as image:
            large = image.convert("RGB").resize((3600, 2700), Image.Resampling.LANCZOS)
        path = tmp_path / f"{name}.jpg"
        large.save(path, quality=92)
        reduced = shipped.score(path, mode="fast")
        with open_photo(path) as photo:
            crops = list(iter_crops(photo, shipped.policy, "fast"))
        raw = shipped.predict_crops(np.stack([crop.pixels for crop in crops]))
        pooled = np.average(raw, weights=[crop.weight for crop in crops])
        whole = shipped.calibration(np.array([pooled]))[0]
        assert reduced.score == pytest.approx(whole, abs=0.5)


@pytest.mark.slow
def test_an_installed_wheel_finds_its_weights_from_any_folder(tmp_path: Path, examples: Path) -> None:
    root = Path(__file__).parents[2]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", tmp_path, root], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", tmp_path / "site", wheel], check=True)
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
    code += "import iqa_cli; from iqa_cli.cli.app import main; print(iqa_cli.__file__, flush=True); main()"
    found = subprocess.run(
        [sys.executable, "-c", code, "score", "--format", "jsonl", examples / "dog.jpg"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    where, row = found.stdout.splitlines()
    assert where.startswith(str(tmp_path))
    assert json.loads(row)["score"] > 0
