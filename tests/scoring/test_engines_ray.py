"""Scoring on a local cluster of two nodes, each a process: the same scores, also of URLs, with a worker that
is killed in the middle, and with a picture that kills every worker. Slow: it starts a cluster, and torch in
workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from iqa_cli import load_many
from iqa_cli.errors import IqaError
from iqa_cli.scoring.engines_ray import ScoringActor, score_by_ray
from tests.scoring.fakescorers import FakeScorer, group_of, write_pictures
from tests.tinyweight import make_tiny_weight

_FOR_BUSY_MACHINES = {
    "USAGE_STATS_ENABLED": "0",
    "worker_niceness": "0",
    "memory_monitor_refresh_ms": "0",
    "worker_register_timeout_seconds": "300",
}


class FakeActor(ScoringActor):
    """Scores without torch; kills its process when it meets "deadly.bmp", and once where "00070.bmp" is."""

    def _load(self, weights: Any, load: dict[str, Any]) -> Any:
        return group_of(FakeScorer())

    def __call__(self, block: dict[str, Any]) -> dict[str, list[Any]]:
        for path in map(os.fsdecode, block["path"]):
            mark = Path(path).with_name("killed")
            if path.endswith("deadly.bmp") or (path.endswith("00070.bmp") and not mark.exists()):
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(block)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two nodes with a CPU each."""
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as environment:
        # On a busy machine workers at the lowest priority take minutes to start, and others' memory counts.
        for name, value in _FOR_BUSY_MACHINES.items():
            environment.setenv(f"RAY_{name}", value)
        yield from _two_nodes(ray, Cluster)


def _two_nodes(ray: Any, kind: Any) -> Iterator[str]:
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    # Ray waits 30 s for a node, which no option changes; what is in the memory of the system starts faster.
    for attempt in range(3):
        made = kind(initialize_head=False)
        try:
            made.add_node(**node)
            made.add_node(**node)
            break
        except Exception:
            made.shutdown()
            if attempt == 2:
                raise
            time.sleep(5)
    made.wait_for_nodes()
    yield made.address
    ray.shutdown()
    made.shutdown()


@pytest.fixture(scope="module")
def weight(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    return make_tiny_weight(tmp_path_factory.mktemp("weights"), examples)


@pytest.mark.slow
def test_a_cluster_gives_the_scores_of_one_process(
    cluster: str, weight: Path, tmp_path: Path, examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    originals = [Image.open(path).resize((120, 100)) for path in sorted(examples.glob("*.jpg"))]
    monkeypatch.chdir(tmp_path)
    paths = []
    for number in range(70):
        paths.append(f"{number:05}.jpg")
        originals[number % len(originals)].save(paths[-1])
    Path("broken.jpg").write_bytes(b"no picture")
    paths[20:20] = ["broken.jpg", f"file://{tmp_path}/00000.jpg", os.fsdecode(b"/no\xff.jpg")]
    wanted = list(load_many([weight], threads=1).score_many(paths))
    found = list(score_by_ray(paths, [weight], address=cluster))
    assert [record.path for record in found] == paths
    for mine, other in zip(wanted, found, strict=True):
        if mine.path.startswith("file:"):
            assert mine.error == "no such file"  # one process takes no URLs
            assert other.score == pytest.approx(wanted[0].score, abs=0.005)
        elif mine.score is None:
            assert (other.score, other.error) == (None, mine.error)
        else:
            assert other.score == pytest.approx(mine.score, abs=0.005)
            assert (other.width, other.crops, other.model) == (mine.width, mine.crops, mine.model)


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(cluster: str, weight: Path, tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "pictures", range(150))
    found = list(score_by_ray(paths, [weight], address=cluster, actor=FakeActor))
    assert (tmp_path / "pictures" / "killed").exists()
    wanted = list(group_of(FakeScorer()).score_many(paths))
    assert [(record.path, record.score) for record in found] == [(one.path, one.score) for one in wanted]


@pytest.mark.slow
def test_a_picture_that_kills_every_worker_is_one_row(cluster: str, weight: Path, tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, range(70))
    deadly = str(tmp_path / "deadly.bmp")
    paths.insert(40, deadly)
    found = list(score_by_ray(paths, [weight], address=cluster, actor=FakeActor))
    assert [record.path for record in found] == paths
    assert [record.path for record in found if record.score is None] == [deadly]
    assert found[40].error == "every worker that opens it dies"


@pytest.mark.slow
def test_what_a_worker_cannot_do_is_one_line(cluster: str, weight: Path, tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, range(3))
    with pytest.raises(IqaError, match="no CUDA GPU") as caught:
        # As a node would say that has less than it claims: "auto" asks for no GPU.
        list(score_by_ray(paths, [weight], address=cluster, actor=_WithoutGpu))
    assert caught.value.exit_code == 2


class _WithoutGpu(ScoringActor):
    def __init__(self, weights: Any, load: dict[str, Any], *rest: Any) -> None:
        super().__init__(weights, {**load, "device": "cuda"}, *rest)
