"""What becomes of blocks that a cluster has given up: by a stand-in for Ray, so that nothing is started.
What a real cluster does is in test_engines_ray.py."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from iqa_cli import __version__
from iqa_cli.errors import ExitCode, IqaError, UsageError, WeightsError
from iqa_cli.scoring import engines_ray
from iqa_cli.scoring.engines_ray import BLOCK, ScoringActor, score_by_ray
from iqa_cli.scoring.raycluster import core_kept_quiet
from tests.scoring.fakescorers import FakeScorer, group_of, write_pictures
from tests.tinyweight import make_tiny_weight

pytest.importorskip("pyarrow")


class StandIn:
    """As much of Ray as is asked for, in this process: loses some blocks, and whoever opens "deadly.bmp"."""

    class exceptions:
        class RayError(Exception): ...

        class RayTaskError(RayError): ...

        class RayActorError(RayError): ...

    def __init__(
        self,
        lost: set[int],
        failure: Exception | None = None,
        nodes: Sequence[dict[str, float]] = ({"CPU": 2.0, "GPU": 1.0},),
    ) -> None:
        self.data = self
        self.ended = False
        self._lost = lost
        self._failure = failure
        self._nodes = nodes

    def put(self, content: bytes) -> bytes:
        return content

    def cluster_resources(self) -> dict[str, float]:
        return {name: sum(node.get(name, 0) for node in self._nodes) for name in ("CPU", "GPU")}

    def nodes(self) -> list[dict[str, Any]]:
        gone: dict[str, Any] = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
        return [gone, *({"Alive": True, "Resources": node} for node in self._nodes)]

    def ActorPoolStrategy(self, **_: Any) -> None: ...

    def from_arrow(self, blocks: list[Any]) -> StandIn:
        self._blocks = blocks
        return self

    def map_batches(self, actor: Any, *, fn_constructor_args: tuple, **_: Any) -> StandIn:
        self._actor = actor(*fn_constructor_args)
        return self

    def iter_rows(self) -> Iterator[dict[str, Any]]:
        for number, block in enumerate(self._blocks):
            if number not in self._lost:
                said = self._actor(block.to_pydict())
                yield from (dict(zip(said, row, strict=True)) for row in zip(*said.values(), strict=True))
        if self._failure is not None:
            raise self._failure

    def remote(self, *, num_cpus: int) -> Any:
        assert num_cpus == 0
        kind = type(self._actor)
        made = self._actor

        class Call:
            @staticmethod
            def remote(block: dict[str, Any]) -> dict[str, Any] | None:
                return None if b"deadly" in block["path"][0] else made(block)

        class Worker:
            __call__ = Call()

            @classmethod
            def remote(cls, *arguments: Any) -> Worker:
                nonlocal made
                made = kind(*arguments)
                return cls()

        return lambda _: Worker

    def get(self, found: Any) -> Any:
        if found is None:
            raise self.exceptions.RayActorError
        return found

    def shutdown(self) -> None:
        self.ended = True


class MeanActor(ScoringActor):
    """Scores without torch."""

    def _load(self, weights: Any, load: dict[str, Any]) -> Any:
        return group_of(FakeScorer())


class NeedingItsGpu(MeanActor):
    """The first one, which is of the cluster's pool, is given a GPU, and no other one."""

    pool: list[ScoringActor]

    def _load(self, weights: Any, load: dict[str, Any]) -> Any:
        self.pool.append(self)
        if load["device"] == "cuda" and self.pool[0] is not self:
            raise UsageError("there is no CUDA GPU")
        return super()._load(weights, load)


class Refusing(ScoringActor):
    def _load(self, weights: Any, load: dict[str, Any]) -> Any:
        raise WeightsError("not enough memory", hint="buy some")


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    return write_pictures(tmp_path / "pictures", range(3 * BLOCK + 5))


@pytest.fixture(scope="module")
def weight(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    return make_tiny_weight(tmp_path_factory.mktemp("weights"), examples)


def stand_in(monkeypatch: pytest.MonkeyPatch, *args: Any, **kwargs: Any) -> StandIn:
    made = StandIn(*args, **kwargs)
    monkeypatch.setattr(engines_ray, "connected", lambda *_: (made, True))
    return made


@pytest.mark.parametrize("lost", [{0}, {1, 3}, {0, 1, 2, 3}])
def test_blocks_that_were_given_up_are_scored_in_their_place(
    monkeypatch: pytest.MonkeyPatch, paths: list[str], weight: Path, lost: set[int]
) -> None:
    ray = stand_in(monkeypatch, lost)
    wanted = list(group_of(FakeScorer()).score_many(paths))
    assert list(score_by_ray(paths, [weight], actor=MeanActor)) == wanted
    assert ray.ended


@pytest.mark.parametrize("place", [0, BLOCK - 1, 3 * BLOCK + 5])
def test_a_picture_that_kills_every_worker_is_one_row(
    monkeypatch: pytest.MonkeyPatch, paths: list[str], weight: Path, place: int
) -> None:
    deadly = os.fsdecode(b"/deadly-\xff.bmp")
    paths.insert(place, deadly)
    stand_in(monkeypatch, {place // BLOCK})
    found = list(score_by_ray(paths, [weight], actor=MeanActor))
    assert [record.path for record in found] == paths
    failed = [record for record in found if record.score is None]
    assert [(record.path, record.error) for record in failed] == [(deadly, "every worker that opens it dies")]
    assert failed[0].errors == {failed[0].model: failed[0].error}
    assert failed[0].model == "mfenet"


def test_what_is_scored_one_by_one_needs_no_gpu(
    monkeypatch: pytest.MonkeyPatch, paths: list[str], weight: Path
) -> None:
    stand_in(monkeypatch, {0})
    monkeypatch.setattr(NeedingItsGpu, "pool", [], raising=False)
    wanted = list(group_of(FakeScorer()).score_many(paths))
    assert list(score_by_ray(paths, [weight], actor=NeedingItsGpu, device="cuda")) == wanted


@pytest.mark.parametrize(
    ("nodes", "asked", "said"),
    [
        ([{"CPU": 2.0}, {"CPU": 4.0}], {"threads": 5}, "the most that a node has is 4"),
        ([{"CPU": 2.0}, {"CPU": 4.0}], {"threads": 1, "device": "cuda"}, "no node of the cluster has a GPU"),
        ([{"CPU": 8.0}, {"CPU": 2.0, "GPU": 1.0}], {"threads": 4, "device": "cuda"}, "with a GPU has is 2"),
        ([{"memory": 1.0}], {}, "the most that a node has is 0"),
    ],
)
def test_workers_for_which_no_node_is_large_enough_are_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
    paths: list[str],
    weight: Path,
    nodes: list[dict[str, float]],
    asked: dict[str, Any],
    said: str,
) -> None:
    ray = stand_in(monkeypatch, set(), nodes=nodes)
    with pytest.raises(UsageError, match=said):
        score_by_ray(paths, [weight], actor=MeanActor, **asked)
    assert ray.ended


def test_the_largest_node_is_enough(monkeypatch: pytest.MonkeyPatch, paths: list[str], weight: Path) -> None:
    stand_in(monkeypatch, set(), nodes=[{"CPU": 2.0}, {"CPU": 4.0}])
    assert len(list(score_by_ray(paths, [weight], actor=MeanActor, threads=4))) == len(paths)


def test_what_a_worker_cannot_do_is_one_error(
    monkeypatch: pytest.MonkeyPatch, paths: list[str], weight: Path
) -> None:
    ray = stand_in(monkeypatch, set())
    with pytest.raises(IqaError, match="not enough memory") as caught:
        list(score_by_ray(paths, [weight], actor=Refusing))
    assert (caught.value.exit_code, caught.value.hint) == (ExitCode.NOT_AVAILABLE, "buy some")
    assert ray.ended


def test_another_version_on_a_node_is_refused() -> None:
    said = MeanActor([], {}, {}, "/", f"{__version__}.1")({"number": [0], "path": [b"x"]})
    assert said["number"] == [-1]
    assert "version" in json.loads(said["record"][0])[0]


def test_a_cluster_that_ends_is_one_line(
    monkeypatch: pytest.MonkeyPatch, paths: list[str], weight: Path
) -> None:
    failure = StandIn.exceptions.RayError("a long story\n\x1b[31mno node is left\n")
    stand_in(monkeypatch, set(), failure)
    found = score_by_ray(paths, [weight], actor=MeanActor)
    assert next(found).path == paths[0]
    with pytest.raises(IqaError, match="cannot go on") as caught:
        list(found)
    assert "no node is left" in caught.value.message
    assert "\x1b" not in caught.value.message


def test_a_damaged_weight_is_told_before_a_cluster_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weight: Path
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(engines_ray, "connected", never)
    copy = tmp_path / weight.name
    copy.write_bytes(weight.read_bytes()[:-1])
    with pytest.raises(WeightsError):
        score_by_ray(["x.jpg"], [copy])


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "x:y", "x:99999999999999999999"])
def test_an_address_where_nobody_listens_is_one_line(address: str) -> None:
    pytest.importorskip("ray.data")
    with pytest.raises(UsageError, match="no Ray cluster could be reached"):
        score_by_ray(["x.jpg"], [], address=address)


def test_what_the_core_of_ray_writes_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with core_kept_quiet():
        os.write(2, b"core_worker.cc: something")
    os.write(2, b"afterwards")
    assert capfd.readouterr().err == "afterwards"
