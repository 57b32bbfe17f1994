"""A teacher's scores of unlabelled pictures: those of `iqa score`, made once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from iqa_cli import load
from iqa_cli.errors import DatasetError, ImageError, UsageError, WeightsError
from iqa_cli.training import teacher as module
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.devices import Machine
from iqa_cli.training.setup import step_losses
from iqa_cli.training.teacher import FILE, Lesson, read_lesson, taught_part
from iqa_cli.training.team import Team
from tests.tinyweight import make_tiny_weight

MACHINE = Machine(torch.device("cpu"))


@pytest.fixture(scope="module")
def weight(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    return make_tiny_weight(tmp_path_factory.mktemp("teacher"), examples, "teacher")


@pytest.fixture
def folder(tmp_path: Path, tiny_data: Path) -> Path:
    """Five pictures, one of them in a folder of its own."""
    found = tmp_path / "unlabelled"
    (found / "more").mkdir(parents=True)
    for i in range(5):
        shutil.copy(tiny_data / "images" / f"train{i:02}.png", found / ("more" if i == 4 else ""))
    return found


@pytest.fixture
def lesson(weight: Path, folder: Path) -> Lesson:
    return read_lesson([str(weight)], folder)


def _never(*_: Any, **__: Any) -> Any:
    raise AssertionError("scores again")


def test_scores_are_those_of_iqa_score_and_are_made_once(
    lesson: Lesson, weight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    part = taught_part(lesson, tmp_path, MACHINE, said.append)
    assert (part.database, part.kind, part.choose) == ("unlabelled", "taught", ())
    scorer = load(weight, device="cpu")
    for record in part.fit:
        assert 100 * record.mos == pytest.approx(scorer.score(record.path).score, abs=0.005)
    assert said == ["teacher.safetensors scores 5 unlabelled pictures"]
    monkeypatch.setattr(module, "predict_raw", _never)
    assert taught_part(lesson, tmp_path, MACHINE, said.append) == part
    assert "are there already" in said[-1]


def test_what_was_scored_before_a_kill_is_not_scored_again(
    lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = taught_part(lesson, tmp_path, MACHINE, lambda _: None)
    (tmp_path / "killed").mkdir()
    monkeypatch.setattr(module, "_CHUNK", 2)
    real, calls = module.predict_raw, []

    def twice(network: Any, paths: Any, *rest: Any, **options: Any) -> Any:
        calls.append(len(paths))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(network, paths, *rest, **options)

    monkeypatch.setattr(module, "predict_raw", twice)
    with pytest.raises(KeyboardInterrupt):
        taught_part(lesson, tmp_path / "killed", MACHINE, lambda _: None)
    resumed = taught_part(lesson, tmp_path / "killed", MACHINE, lambda _: None)
    assert calls == [2, 2, 1, 1]
    assert [r.mos for r in resumed.fit] == pytest.approx([r.mos for r in whole.fit], abs=1e-6)
    # What another teacher said, or a damaged file, counts for nothing.
    content = json.loads((tmp_path / FILE).read_text())
    (scores,) = content["teachers"].values()
    for text in ("{", json.dumps({"teachers": {"0" * 64: scores}}), "[]", '{"teachers": []}'):
        (tmp_path / FILE).write_text(text)
        assert [r.mos for r in taught_part(lesson, tmp_path, MACHINE, lambda _: None).fit] == pytest.approx(
            [r.mos for r in whole.fit], abs=1e-6
        )


def test_several_teachers_are_asked_once_each_and_their_mean_is_learnt(
    lesson: Lesson,
    weight: Path,
    folder: Path,
    tmp_path: Path,
    examples: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = make_tiny_weight(tmp_path, examples, "other", seed=3)
    scorers = [load(path, device="cpu") for path in (weight, other)]
    # A file of the time when there could be but one teacher is gone on with.
    taught_part(lesson, tmp_path, MACHINE, lambda _: None)
    ((digest, scores),) = json.loads((tmp_path / FILE).read_text())["teachers"].items()
    (tmp_path / FILE).write_text(json.dumps({"teacher": digest, "scores": scores}))
    said: list[str] = []
    both = taught_part(read_lesson([str(weight), str(other)], folder), tmp_path, MACHINE, said.append)
    assert [line.rpartition("/")[2] for line in said] == [
        "teacher.json: the scores of teacher.safetensors are there already",
        "other.safetensors scores 5 unlabelled pictures",
    ]
    for record in both.fit:
        each = [scorer.score(record.path).score or 0 for scorer in scorers]
        assert abs(each[0] - each[1]) > 0.1, "two teachers of one mind would prove nothing"
        assert 100 * record.mos == pytest.approx(sum(each) / 2, abs=0.005)
    monkeypatch.setattr(module, "predict_raw", _never)
    turned = read_lesson([str(other), str(weight)], folder)
    assert taught_part(turned, tmp_path, MACHINE, lambda _: None) == both
    assert turned.entry["use"].endswith("the teachers other.safetensors, teacher.safetensors, their mean")
    shutil.copy(weight, tmp_path / "again.safetensors")
    with pytest.raises(UsageError, match="a weight twice"):
        read_lesson([str(weight), str(tmp_path / "again.safetensors")], folder)


def test_what_cannot_be_learnt_from_is_one_line(
    weight: Path, folder: Path, tmp_path: Path, lesson: Lesson
) -> None:
    with pytest.raises(WeightsError, match="no file"):
        read_lesson([str(tmp_path / "none.safetensors")], folder)
    with pytest.raises(DatasetError, match="no such folder"):
        read_lesson([str(weight)], tmp_path / "none")
    one = tmp_path / "one"
    one.mkdir()
    with pytest.raises(DatasetError, match="holds no pictures"):
        read_lesson([str(weight)], one)
    shutil.copy(folder / "train00.png", one)
    with pytest.raises(UsageError, match="one picture in"):
        read_lesson([str(weight)], one)
    (folder / "train02.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"train02\.png"):
        taught_part(lesson, tmp_path, MACHINE, lambda _: None)


def test_the_history_of_the_teacher_and_the_pictures_are_for_the_card(lesson: Lesson, weight: Path) -> None:
    (teacher,) = lesson.teachers
    assert teacher.point["branch"] == "teacher of unlabelled pictures"
    assert teacher.point["weights"] == "teacher.safetensors"
    assert lesson.entry["images"] == 5
    assert lesson.entry["dataset"] == "unlabelled"
    assert "teacher.safetensors" in lesson.entry["use"]
    assert sorted(path.name for path in lesson.pictures) == [f"train{i:02}.png" for i in range(5)]


def test_the_losses_know_which_scores_are_a_teacher_s(lesson: Lesson, tmp_path: Path) -> None:
    from iqa_cli.networks.registry import build
    from iqa_cli.training.mixture import Part

    net = {"van": "tiny", "dan": "none", "head_width": 8}
    network, fit = build("mfenet", net), lesson.records[:2]
    others = [Part("a", "mos", fit), Part("b", "order", fit), taught_part(lesson, tmp_path, MACHINE, print)]
    losses = step_losses(TrainConfig(network_config=net), network, fit, others, Team(torch.device("cpu")))
    assert losses.taught.tolist() == [False] * 6 + [True] * 5
    assert losses.part.tolist()[:6] == [0, 0, 1, 1, 2, 2]
    assert losses.kinds == ("mos", "order")
    assert losses.names[-1] == "distillation"
    assert len(losses.maps) == 2
