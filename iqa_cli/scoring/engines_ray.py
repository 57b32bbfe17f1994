"""Scoring on many machines: the same scorer in the actors of a cluster, by Ray Data. Needs the extra `ray`.

    paths -> blocks of paths -> actors, each a `ScorerGroup` -> blocks of records -> records in order

Blocks are small and none depends on another, so there is no shuffle, and what a killed worker had in hand is
scored again by another one. A picture that kills every worker it meets becomes a row with an error, and its
neighbours are scored one by one. The weights travel through the memory of the cluster, so that a node needs
the program and the pictures alone.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli import __version__
from iqa_cli.errors import ExitCode, IqaError, UsageError
from iqa_cli.onnxfile import is_exported, read_graph
from iqa_cli.prediction import Prediction
from iqa_cli.scoring.raycluster import connected, core_kept_quiet, refuse_what_fits_nowhere
from iqa_cli.scoring.remote import RemotePicture, is_remote
from iqa_cli.tensorfile import read_file
from iqa_cli.text import one_line
from iqa_cli.weights import read_card

if TYPE_CHECKING:
    from iqa_cli.scoring.group import ScorerGroup

#: Pictures that an actor is given at once; as many are scored again when it is killed.
BLOCK = 32
# How often a block is given to workers that die of it before its pictures are taken one by one.
_RETRIES = 2
# The number of the only row of a worker that cannot score at all.
_REFUSED = -1


class ScoringActor:
    """A group of scorers in a process of the cluster; called with blocks of paths.

    Args:
        weights: Name of each weight's file, and a reference to its content.
        load: Options of `load_many`.
        look: Options of `ScorerGroup.score_many`.
        folder: What relative paths are relative to.
        version: Of the program that asks: another one may score otherwise.
    """

    def __init__(
        self,
        weights: Sequence[tuple[str, Any]],
        load: dict[str, Any],
        look: dict[str, Any],
        folder: str,
        version: str,
    ) -> None:
        self._look = look
        self._folder = folder
        # What is raised here, Ray would wrap in an error of its own, and start the actor again and again.
        self._refusal: IqaError | None = None
        try:
            if version != __version__:
                raise UsageError(
                    f"a node has version {__version__} of iqa-cli, and this is {one_line(version)}"
                )
            self._group = self._load(weights, load)
        except IqaError as error:
            self._refusal = error

    def __call__(self, block: dict[str, Any]) -> dict[str, list[Any]]:
        """Columns "number" and "path" (names as bytes) to columns "number" and "record" (JSON)."""
        if self._refusal is not None:
            said = (self._refusal.message, self._refusal.hint, int(self._refusal.exit_code))
            return {"number": [_REFUSED], "record": [json.dumps(said)]}
        paths = [os.fsdecode(bytes(path)) for path in block["path"]]
        records = self._group.score_many(((path, self._source(path)) for path in paths), **self._look)
        texts = [json.dumps(record.as_dict()) for record in records]
        return {"number": [int(number) for number in block["number"]], "record": texts}

    def _load(self, weights: Sequence[tuple[str, Any]], load: dict[str, Any]) -> ScorerGroup:
        import ray

        from iqa_cli.scoring.scorer import load_many

        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, (name, content) in enumerate(weights):
                # Weights of different folders may have one name.
                files.append(Path(folder) / str(number) / name)
                files[-1].parent.mkdir()
                files[-1].write_bytes(ray.get(content))
            return load_many(files, **load)

    def _source(self, path: str) -> Any:
        if is_remote(path):
            return RemotePicture(path)
        return os.path.join(self._folder, path)  # noqa: PTH118 - a Path would change the name


def score_by_ray(
    paths: Iterable[str],
    weights: Sequence[Path],
    *,
    address: str | None = None,
    workers: int | None = None,
    look: dict[str, Any] | None = None,
    actor: type[ScoringActor] = ScoringActor,
    **load: Any,
) -> Iterator[Prediction]:
    """Score pictures on a cluster, as an iterator in the order given.

    Args:
        paths: Files that every node sees under the same name, or URLs that fsspec opens. All are read first:
            the cluster is told of the whole work.
        weights: Files of the weights, on this machine.
        address: Of the cluster ("auto" for one that runs here, "HOST:PORT"); None takes that of $RAY_ADDRESS,
            or else starts one on this machine for this run.
        workers: Actors; None takes as many as the cluster has CPUs for now, or GPUs with a `device` "cuda".
        look: Options of `ScorerGroup.score_many`.
        actor: What scores.
        load: Options of `load_many`; `threads` is the CPUs of an actor, 1 if it is not given.

    Raises:
        UsageError: Ray is not installed, there is no such cluster, or none of its nodes is large enough.
        WeightsError: A weight is damaged.
        IqaError: While iterating: the workers cannot score, or the cluster cannot go on.
    """
    load["threads"] = load.get("threads") or 1
    contents = [_content(path) for path in weights]
    ray, started = connected(address, sum(map(len, contents)), workers and workers * load["threads"])
    gpus = 1 if str(load.get("device")).startswith("cuda") else 0
    try:
        refuse_what_fits_nowhere(ray, load["threads"], gpus)
    except UsageError:
        if started:
            ray.shutdown()
        raise
    shipped = [(path.name, ray.put(content)) for path, content in zip(weights, contents, strict=True)]
    if workers is None:
        there = ray.cluster_resources()
        workers = int(there.get("GPU", 0)) if gpus else int(there.get("CPU", 1)) // load["threads"]
    arguments = (shipped, load, look or {}, os.getcwd(), __version__)  # noqa: PTH109 - a text for the actors
    names = [read_card(path).name for path in weights]
    needs = {"num_cpus": load["threads"], "num_gpus": gpus}
    run = _Run(ray, actor, names, arguments, needs, max(1, workers))
    return _until_the_end(ray, run.records(paths), started)


class _Run:
    """One list of pictures on a cluster."""

    def __init__(
        self,
        ray: Any,
        actor: type[ScoringActor],
        names: list[str],
        arguments: tuple,
        needs: dict[str, int],
        workers: int,
    ) -> None:
        self._ray = ray
        self._actor = actor
        self._names = names
        self._arguments = arguments
        self._needs = needs
        self._workers = workers

    def records(self, paths: Iterable[str]) -> Iterator[Prediction]:
        """All records in order. Rows have numbers, by which it shows where a block was given up."""
        blocks = list(_blocks(paths))
        with warnings.catch_warnings():
            # The bound on retries is passed as it has to be before Ray 2.64.
            warnings.simplefilter("ignore")
            scored = self._ray.data.from_arrow(blocks).map_batches(
                self._actor,
                fn_constructor_args=self._arguments,
                batch_size=None,
                compute=self._ray.data.ActorPoolStrategy(size=self._workers, max_tasks_in_flight_per_actor=2),
                max_restarts=-1,
                max_task_retries=_RETRIES,
                **self._needs,
            )
        rows = iter(scored.iter_rows())
        with core_kept_quiet():
            first = list(islice(rows, 1))
        due = 0
        for row in chain(first, rows):
            if row["number"] == _REFUSED:
                raise _refusal(row["record"])
            while due < row["number"]:
                yield from self._one_by_one(blocks[due // BLOCK])
                due += len(blocks[due // BLOCK])
            yield _prediction(row["record"])
            due += 1
        for block in blocks[-(-due // BLOCK) :]:
            yield from self._one_by_one(block)

    def _one_by_one(self, block: Any) -> Iterator[Prediction]:
        """What is known of a block of which workers died: the picture that kills them is one row."""
        weights, load, *others = self._arguments
        if self._needs["num_gpus"]:
            # Nor a GPU: Ray hides them all from it.
            load = {**load, "device": "cpu"}
        worker = None
        for number in range(len(block)):
            alone = block.slice(number, 1)
            for _ in range(_RETRIES):
                # It takes no CPU of its own: those of the cluster are all in use.
                worker = worker or self._ray.remote(num_cpus=0)(self._actor).remote(weights, load, *others)
                try:
                    found = self._ray.get(worker.__call__.remote(alone.to_pydict()))
                except self._ray.exceptions.RayActorError:
                    worker = None
                    continue
                if found["number"] == [_REFUSED]:
                    raise _refusal(found["record"][0])
                yield _prediction(found["record"][0])
                break
            else:
                yield self._deadly(os.fsdecode(alone["path"][0].as_py()))

    def _deadly(self, path: str) -> Prediction:
        """The row of a picture that no worker survives."""
        reason = "every worker that opens it dies"
        return Prediction(
            path,
            None,
            reason,
            self._names[0],
            scores=dict.fromkeys(self._names),
            errors=dict.fromkeys(self._names, reason),
            intervals=dict.fromkeys(self._names),
        )


def _blocks(paths: Iterable[str]) -> Iterator[Any]:
    import pyarrow

    names = iter(paths)
    start = 0
    while block := list(islice(names, BLOCK)):
        encoded = pyarrow.array(map(os.fsencode, block), pyarrow.binary())
        yield pyarrow.table({"number": range(start, start + len(block)), "path": encoded})
        start += len(block)


def _until_the_end(ray: Any, records: Iterator[Prediction], started: bool) -> Iterator[Prediction]:
    try:
        yield from records
    except ray.exceptions.RayTaskError:
        raise  # a defect of this program, with its traceback
    except ray.exceptions.RayError as error:
        line = one_line((str(error).strip().splitlines() or [type(error).__name__])[-1])
        raise IqaError(f"the cluster cannot go on: {line}") from error
    finally:
        if started:
            ray.shutdown()


def _prediction(text: str) -> Prediction:
    return Prediction.from_dict(json.loads(text))


def _refusal(text: str) -> IqaError:
    message, hint, code = json.loads(text)
    error = IqaError(message, hint=hint)
    error.exit_code = ExitCode(code)
    return error


def _content(path: Path) -> bytes:
    """A weight as it is sent, compared with its checksum: on the nodes there is no list beside it."""
    return read_graph(path)[1] if is_exported(path) else bytes(read_file(path)[1])
