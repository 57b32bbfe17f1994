"""The parts of a synthetic database: its photographs, its scale, the check of its levels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from iqa_cli.datasets.synth_check import check_levels, level_order
from iqa_cli.datasets.synth_map import Knots, PseudoMos, shipped_map
from iqa_cli.datasets.synth_sources import Source, find_sources, list_hash, prepare
from iqa_cli.datasets.synth_task import FORMATS, Settings, Task, generator, perform
from iqa_cli.errors import DatasetError, ImageError, UsageError
from iqa_cli.evaluation.full_reference import IDENTICAL, METRICS, Reference
from iqa_cli.images.distortions import distort


@pytest.fixture
def pristine(tmp_path: Path, examples: Path) -> Path:
    """Three photographs with a `sources.csv`; the part of each is known."""
    folder = tmp_path / "pristine"
    (folder / "images").mkdir(parents=True)
    for name in ("dog.jpg", "cliffs.jpg", "palace.jpg"):
        shutil.copy(examples / name, folder / "images")
    (folder / "sources.csv").write_text("image,split\npalace.jpg,val\ndog.jpg,train\ncliffs.jpg,train\n")
    return folder


def test_parts_come_from_sources_csv_and_the_order_from_the_names(pristine: Path) -> None:
    every = find_sources(pristine)
    assert [(s.name, s.key, s.split) for s in every] == [
        ("cliffs.jpg", "cliffs", "train"),
        ("dog.jpg", "dog", "train"),
        ("palace.jpg", "palace", "val"),
    ]
    assert [s.name for s in find_sources(pristine, "val")] == ["palace.jpg"]
    with pytest.raises(DatasetError, match="has no part 'test'") as caught:
        find_sources(pristine, "test")
    assert caught.value.hint == "parts: train, val"
    # The identity of the list covers the parts.
    moved = [Source(s.name, s.path, s.key, "train") for s in every]
    assert list_hash(every) != list_hash(moved)


def test_a_folder_of_pictures_is_walked_and_every_picture_gets_a_name_of_its_own(tmp_path: Path) -> None:
    names = ["a.jpg", "A.png", "b.jpg", "sub/b.JPG", "sub/deep/c d.webp", "ümlaut.png", "ba\nd.jpg"]
    for name in [*names, "readme.txt", ".hidden.jpg", ".cache/x.jpg"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    sources = find_sources(tmp_path)
    assert sorted(s.name for s in sources) == sorted(names)
    keys = {s.name: s.key for s in sources}
    assert len({key.casefold() for key in keys.values()}) == len(names)
    assert keys["b.jpg"] == "b"
    assert keys["ümlaut.png"] == "ümlaut"
    assert all(key.isprintable() and "/" not in key and not key.startswith(".") for key in keys.values())
    with pytest.raises(UsageError, match="has no sources"):
        find_sources(tmp_path, "train")
    with pytest.raises(DatasetError, match="no such folder"):
        find_sources(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no pictures"):
        find_sources(tmp_path / "empty")


def test_a_limit_takes_photographs_from_all_over_the_list(tmp_path: Path) -> None:
    for i in range(10):
        (tmp_path / f"{i}.jpg").write_bytes(b"")
    assert [s.name for s in find_sources(tmp_path, limit=2)] == ["2.jpg", "7.jpg"]
    assert [s.name for s in find_sources(tmp_path, limit=3)] == ["1.jpg", "5.jpg", "8.jpg"]
    assert len(find_sources(tmp_path, limit=11)) == 10


def test_a_photograph_is_reduced_never_enlarged_and_cut_in_the_middle(examples: Path) -> None:
    source = Source("dog.jpg", examples / "dog.jpg", "dog")
    whole, digest = prepare(source, 0)
    assert whole.shape == (536, 432, 3)
    assert len(digest) == 64
    cut, again = prepare(source, 480)
    assert again == digest
    assert np.array_equal(cut, whole[28:508])
    small, _ = prepare(source, 96)
    assert small.shape == (96, 96, 3)
    # The same view at a lower scale: it agrees with the reduced middle of the whole.
    middle = Image.fromarray(whole[50:482]).resize((96, 96), Image.Resampling.LANCZOS)
    assert np.abs(small.astype(float) - np.asarray(middle, float)).mean() < 4


def test_what_cannot_be_a_source_is_an_image_error(tmp_path: Path, examples: Path) -> None:
    Image.new("RGB", (63, 200)).save(tmp_path / "small.png")
    (tmp_path / "text.jpg").write_text("no picture")
    expected = {"small.png": "too small", "text.jpg": "not an image", "none.jpg": "no such file"}
    for name, message in expected.items():
        with pytest.raises(ImageError, match=message):
            prepare(Source(name, tmp_path / name, "x"), 96)


def test_the_shipped_scale_is_one_and_puts_real_ladders_in_order(examples: Path) -> None:
    maps, origin = shipped_map()
    assert set(maps.metrics) == set(METRICS)
    assert origin["set"]["splits"] == ["train"]
    assert any("pseudo_mos_map.py" in command for command in origin["commands"])
    assert maps({name: [value] for name, value in IDENTICAL.items()}).tolist() == [1.0]
    worst = {name: [metric.worst] for name, metric in METRICS.items()}
    assert maps(worst).tolist() == [0.0]
    image, _ = prepare(Source("dog.jpg", examples / "dog.jpg", "dog"), 160)
    reference = Reference(image)
    for kind in ("jpeg", "white_noise", "color_shift", "contrast_change"):
        made = [distort(image, kind, level, np.random.default_rng(1)) for level in range(1, 6)]
        values = [reference.compare(picture) for picture in made]
        scores = maps({name: [v[name] for v in values] for name in METRICS})
        assert (np.diff(scores) < -0.02).all(), kind
        # A picture's score does not depend on the others.
        assert maps({name: [values[2][name]] for name in METRICS}).tolist() == [scores[2]]


def test_a_scale_is_the_share_of_the_set_that_is_worse() -> None:
    rng = np.random.default_rng(0)
    quality = rng.random(4000)
    # Any growing function of the quality gives the same ranks.
    values = {
        name: metric.best + (metric.worst - metric.best) * (1 - quality) ** 3
        for name, metric in METRICS.items()
    }
    maps = PseudoMos.fit(values)
    assert np.abs(maps(values) - (0.01 + 0.98 * stats.rankdata(quality) / 4000)).max() < 0.01
    assert PseudoMos.from_dict(json.loads(json.dumps(maps.to_dict()))) == maps
    with pytest.raises(ValueError, match="do not differ"):
        PseudoMos.fit({name: np.full(9, 0.5) for name in METRICS})
    with pytest.raises(ValueError, match="must grow"):
        Knots((0.0, 0.5, 0.5), (0.0, 0.5, 1.0))


def test_order_of_levels_is_kendalls_tau() -> None:
    ladders = np.random.default_rng(3).integers(0, 4, (40, 5)).astype(float)
    expected = [-stats.kendalltau(range(5), ladder).statistic for ladder in ladders]
    found = level_order(ladders)
    assert found.kendall == pytest.approx(np.mean(np.nan_to_num(expected)))
    assert found.perfect == sum((np.diff(ladder) < 0).all() for ladder in ladders)
    assert level_order([[1, 0.5, 0], [1, 1, 1]]).kendall == 0.5
    with pytest.raises(ValueError, match="two levels"):
        level_order([[1.0]])


def test_levels_are_sorted_within_photograph_and_type() -> None:
    refs = ["a"] * 5 + ["b"] * 4
    kinds = [None, "jpeg", "jpeg", "blur", "blur", "jpeg", "jpeg", "blur", "blur"]
    levels = [None, 2, 1, 1, 2, 1, 2, 1, 2]
    order = check_levels(refs, kinds, levels, {"mos": np.array([1, 0.2, 0.8, 0.9, 0.1, 0.7, 0.9, 0.5, 0.4])})
    assert order["mos"]["all"].to_dict() == {"ladders": 4, "kendall": 0.5, "perfect": 3}
    assert order["mos"]["jpeg"].kendall == 0
    assert check_levels(["a"], ["jpeg"], [1], {"mos": np.array([0.5])}) == {}


@pytest.mark.parametrize("ending", FORMATS)
def test_what_is_written_is_what_was_measured(ending: str, tmp_path: Path, examples: Path) -> None:
    source = Source("dog.jpg", examples / "dog.jpg", "dog")
    settings = Settings(7, 96, ending, ("white_noise",), (1, 4))
    outcome = perform(Task(source, "white_noise"), settings, tmp_path)
    assert [row["image"] for row in outcome.rows] == [f"dog/white_noise_{n}.{ending}" for n in (1, 4)]
    image, _ = prepare(source, 96)
    for row in outcome.rows:
        path = tmp_path / "images" / row["image"]
        assert path.stat().st_size == row["bytes"]
        with Image.open(path) as picture:
            written = np.asarray(picture.convert("RGB"))
        made = distort(image, "white_noise", row["level"], generator(7, source, "white_noise"))
        assert np.array_equal(written, made)
        assert row["metrics"] == pytest.approx(Reference(image).compare(written), abs=2e-6)
    other = perform(Task(source, "white_noise"), Settings(8, 96, ending, ("white_noise",), (1, 4)), tmp_path)
    assert other.rows[0]["metrics"] != outcome.rows[0]["metrics"]
