"""In touch with a Ray cluster: one that is there, or one that is started on this machine for a run."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from typing import Any

from iqa_cli.errors import UsageError
from iqa_cli.text import one_line, printable

# A cluster that is started for one run holds paths, records and the weights, and no pictures.
_OBJECT_STORE = 256 * 2**20


def connected(address: str | None, size: int, cpus: int | None) -> tuple[Any, bool]:
    """Ray, in touch with a cluster and set up for one run.

    Args:
        address: "auto" for one that runs here, "HOST:PORT"; None takes that of $RAY_ADDRESS, or else
            starts one on this machine.
        size: Bytes of the weights.
        cpus: Of a cluster that is started; None for all of this machine.

    Returns:
        The module, and whether it has to be shut down behind the run.

    Raises:
        UsageError: It is not installed, or there is no such cluster.
    """
    # Else a cluster that is started here sends figures of its use to the makers of Ray.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise UsageError("the engine ray is not installed", hint="pip install 'iqa-cli[ray]'") from None
    started = not ray.is_initialized()
    if started:
        address = address or os.environ.get("RAY_ADDRESS")
        options: dict[str, Any] = {"address": address}
        if address:
            _knock(address)
        else:
            store = _OBJECT_STORE + 2 * size
            # Where other programs have nearly all memory, Ray would kill the workers for it, for ever.
            os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")
            # Not None, by which Ray joins a cluster that happens to run here.
            options = {"address": "local", "num_cpus": cpus, "object_store_memory": store}
            options["include_dashboard"] = False
        try:
            ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **options)
        except Exception as error:  # also Exception itself, where a node is too slow to start
            ray.shutdown()
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise _no_cluster(address, lines[0]) from None
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    # Those that were given up are taken one by one.
    context.max_errored_blocks = -1
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    return ray, started


def refuse_what_fits_nowhere(ray: Any, cpus: int, gpus: int) -> None:
    """Refuse workers for which no node of the cluster is large enough: Ray would wait for one for ever, and
    say nothing.

    Args:
        ray: In touch with the cluster.
        cpus, gpus: Of a worker.

    Raises:
        UsageError: No node has so many.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    fitting = [int(node.get("CPU", 0)) for node in nodes if node.get("GPU", 0) >= gpus]
    if gpus and not fitting:
        raise UsageError("no node of the cluster has a GPU", hint="leave --device out, or give --device cpu")
    most = max(fitting, default=0)
    if most < cpus:
        needs = "1 CPU" if cpus == 1 else f"{cpus} CPUs"
        kind = "a node with a GPU" if gpus else "a node"
        raise UsageError(
            f"a worker of {needs} fits nowhere in the cluster: the most that {kind} has is {most}",
            hint=f"give --threads {most}" if most else "nodes that an autoscaler would add are not counted",
        )


@contextlib.contextmanager
def core_kept_quiet() -> Iterator[None]:
    """Within it, nothing reaches the descriptor of stderr: where an actor is started, the core of Ray writes
    there, past Python, what only its makers can use. With `--debug` it may."""
    if logging.getLogger("iqa_cli").isEnabledFor(logging.DEBUG):
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # closed by whoever has started this
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _knock(address: str) -> None:
    """Refuse an address where nobody listens; Ray itself would try for minutes."""
    host, mark, port = address.rpartition("://")[2].rpartition(":")
    if mark:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except (OSError, ValueError, OverflowError) as error:
            raise _no_cluster(address, str(error)) from None


def _no_cluster(address: str | None, reason: str) -> UsageError:
    where = f"reached at {printable(address)}" if address else "started"
    return UsageError(
        f"no Ray cluster could be {where}: {one_line(reason)}", hint="ray start --head, then --address auto"
    )
