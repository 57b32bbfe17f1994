"""A competition from a pool: whose pairs there are, at which levels, on which scale, of which contents."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_cli.errors import ImageError, UsageError
from iqa_cli.gmad.catch import catch_trials
from iqa_cli.gmad.compete import Settings, compete
from iqa_cli.gmad.opinions import verdicts
from iqa_cli.gmad.pool import NearDuplicates, Pool, check_there


def make_pool(n: int = 200, models: str = "ab", seed: int = 0, **noise: float) -> Pool:
    """Scores that follow one quality but for noise of each model; opinions are the quality."""
    rng = np.random.default_rng(seed)
    quality = rng.uniform(0, 100, n)
    names = tuple(f"p{i:04}.png" for i in range(n))
    return Pool(
        "test",
        names,
        tuple(map(Path, names)),
        {model: quality + rng.normal(0, noise.get(model, 20), n) for model in models},
        quality,
        (None,) * n,
        names,
    )


def test_every_ordered_pair_of_models_has_its_pairs_at_every_level() -> None:
    pool = make_pool(models="abc")
    competition = compete(pool, Settings(("low", "high", "40-60"), pairs=4, tolerance="3"))
    found = [(pair.defender, pair.attacker, pair.level, pair.rank) for pair in competition.pairs]
    assert found == [
        (*models, level, rank)
        for models in permutations("abc", 2)
        for level in ("low", "high", "40-60")
        for rank in range(1, 5)
    ]
    bands = {"low": (0, 25), "high": (75, 100), "40-60": (40, 60)}
    for pair in competition.pairs:
        low, high = bands[pair.level]
        assert all(low <= side.scores[pair.defender] <= high for side in (pair.first, pair.second))
        assert abs(pair.defender_difference) <= 3
        assert pair.attacker_difference == (
            pair.first.scores[pair.attacker] - pair.second.scores[pair.attacker]
        )
        assert pair.attacker_difference > 0
    assert len({pair.id for pair in competition.pairs}) == len(competition.pairs)


def test_units_of_a_model_do_not_matter_on_the_rank_scale() -> None:
    pool = make_pool()
    other = replace(pool, scores={"a": np.exp(pool.scores["a"] / 9), "b": 7 * pool.scores["b"] - 1000})
    settings = Settings(tolerance="2")
    ids = [
        [(pair.first.name, pair.second.name) for pair in compete(each, settings).pairs]
        for each in (pool, other)
    ]
    assert ids[0] == ids[1]


def test_the_tolerance_in_percent_is_of_the_defenders_deviation() -> None:
    pool = make_pool()
    competition = compete(pool, Settings(tolerance="5%", pairs=2, scale="logistic"))
    points = competition.settings["tolerance_points"]
    deviation = np.std([*pool.scores["a"]])  # near that on the scale of the opinions, since a follows them
    assert points["a"] == pytest.approx(0.05 * deviation, rel=0.3)
    assert all(abs(pair.defender_difference) <= points[pair.defender] for pair in competition.pairs)


def test_opinions_falsify_the_worse_model() -> None:
    pool = make_pool(2000, a=2, b=40)
    rows = {row.defender: row.agreement for row in verdicts(compete(pool, Settings(pairs=20)))}
    # What the good attacker sees in pairs of the bad defender is there; not the other way round.
    assert rows["b"].share == 1
    assert rows["b"].verdict == "defender"
    assert rows["a"].verdict == "neither"
    assert abs(rows["a"].difference or 0) < 10 < (rows["b"].difference or 0)
    assert verdicts(compete(replace(pool, opinions=np.full(2000, np.nan)), Settings())) == []


def test_references_are_kept_apart_or_together() -> None:
    pool = replace(make_pool(), references=tuple(f"r{i % 10}" for i in range(200)))
    assert {
        pair.first.reference == pair.second.reference
        for pair in compete(pool, Settings(tolerance="5", pairs=10)).pairs
    } == {True, False}
    for content, same in (("different", False), ("same", True)):
        settings = Settings(tolerance="5", content=content, pairs=3)  # type: ignore[arg-type]
        found = compete(pool, settings).pairs
        assert {pair.first.reference == pair.second.reference for pair in found} == {same}
    with pytest.raises(UsageError, match="references"):
        compete(make_pool(), Settings(content="same"))


def test_groups_of_a_database_never_form_a_pair() -> None:
    pool = make_pool(40)
    # One group at the low level of a: nothing is left there for a to be challenged with.
    low = set(np.argsort(pool.scores["a"])[:10].tolist())
    groups = tuple("g" if i in low else name for i, name in enumerate(pool.names))
    notes: list[str] = []
    found = compete(replace(pool, groups=groups), Settings(pairs=2, tolerance="20"), note=notes.append)
    assert not [pair for pair in found.pairs if (pair.defender, pair.level) == ("a", "low")]
    assert "a at level low against b: only 0 of 2 pairs are within the tolerance" in notes


@pytest.mark.parametrize(
    ("pool", "settings", "line"),
    [
        (make_pool(9), Settings(pairs=5), "5 pairs need 10 pictures, and the pool has 9"),
        (make_pool(30), Settings(pairs=5), "5 pairs need 10 pictures, and a at level low has 8"),
        (make_pool(models="a"), Settings(), "needs two models"),
        (make_pool(a=0, b=0), Settings(), "in one order"),
        (replace(make_pool(), scores={"a": np.ones(200), "b": np.arange(200.0)}), Settings(), "same score"),
        (make_pool(), Settings(tolerance="0"), "no pair is within the tolerance"),
    ],
)
def test_what_cannot_compete_is_one_line(pool: Pool, settings: Settings, line: str) -> None:
    with pytest.raises(UsageError, match=line):
        compete(pool, settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tolerance": "-1"},
        {"tolerance": "nan"},
        {"tolerance": "1 point"},
        {"levels": ("top",)},
        {"levels": ("60-40",)},
        {"levels": ("low", "low")},
        {"levels": ("0-101",)},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Settings(**wrong)  # type: ignore[arg-type]


def test_near_duplicates_are_found_among_what_would_be_taken(tmp_path: Path, examples: Path) -> None:
    paths = [tmp_path / name for name in ("dog.jpg", "copy.jpg", "cliffs.jpg", "gone.jpg")]
    shutil.copy(examples / "dog.jpg", paths[0])
    with Image.open(paths[0]) as photo:
        photo.resize((photo.width // 2, photo.height // 2)).save(paths[1], quality=60)
    shutil.copy(examples / "cliffs.jpg", paths[2])
    names = tuple(path.name for path in paths)
    pool = replace(make_pool(4), paths=paths, names=names)
    duplicates = NearDuplicates(pool)
    assert duplicates(0, 1)
    assert not duplicates(0, 2)
    assert not duplicates(0, 3)
    assert list(duplicates.unread) == [3]
    assert "no such file" in duplicates.unread[3]
    # Of one known reference copies may differ by design; only the same pixels are the same picture.
    shutil.copy(paths[0], tmp_path / "again.jpg")
    related = replace(pool, references=("r",) * 4, paths=[*paths[:3], tmp_path / "again.jpg"])
    duplicates = NearDuplicates(related)
    assert not duplicates(0, 1)
    assert duplicates(0, 3)
    with pytest.raises(ImageError, match="1 of the pictures of pairs are missing"):
        check_there(paths)


def test_catch_trials_are_obvious_and_of_pictures_in_no_pair(tmp_path: Path, examples: Path) -> None:
    photos = [examples / name for name in ("dog.jpg", "cliffs.jpg", "alpaca-dark.jpg", "palace.jpg")]
    pool = replace(make_pool(4), paths=photos)
    competition = compete(pool, Settings(("all",), pairs=1, tolerance="100"))
    used = {Path(side.path) for pair in competition.pairs for side in (pair.first, pair.second)}
    trials = catch_trials(pool, competition, 3, tmp_path)
    assert len(trials) == min(3, 4 - len(used))
    for trial in trials:
        assert trial.catch
        assert trial.expected == "first"
        good, bad = (np.asarray(Image.open(side.path), float) for side in (trial.first, trial.second))
        assert good.shape == bad.shape
        assert np.sqrt(np.mean((good - bad) ** 2)) > 5
    # Photographs that cannot be read give none, and do not end the run.
    unreadable = make_pool(50)
    assert catch_trials(unreadable, compete(unreadable, Settings(("all",), 1, "20")), 2, tmp_path) == ()
