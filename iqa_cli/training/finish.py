"""From the best epoch to a weight that ships: what its scores mean is settled on `calib`, then the card and
the hashes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from iqa_cli import __version__
from iqa_cli.card import LADDER, Card
from iqa_cli.datasets.record import split_hash
from iqa_cli.images.policy import SizePolicy
from iqa_cli.seen import hash_photo, seen_path, write_seen
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.crops import decode_all
from iqa_cli.training.parts import Source
from iqa_cli.training.settle import PERCENTILES_ARE, SETTLED, percentiles_of, scale_of, settle
from iqa_cli.weights import save_weights, shipped_state


def chosen_epoch(folder: Path) -> dict[str, Any]:
    """The line of `log.jsonl` of the epoch whose weights were kept: step, epoch from 0, SRCC and PLCC."""
    lines = (json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines())
    return max((line for line in lines if "srcc" in line), key=lambda line: line["srcc"])


def code_version() -> str:
    """Version of the package, with the commit where it runs from a git checkout."""
    root = Path(__file__).resolve().parents[2]
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__} ({found})"


def _part(source: Source, part: Literal["fit", "choose"]) -> dict[str, Any]:
    """What every entry of the card says of a part of a database."""
    records = getattr(source, part)
    return {
        "dataset": source.database.name,
        "part": part,
        "images": len(records),
        "split_hash": split_hash(records),
    }


def _further(source: Source) -> list[dict[str, Any]]:
    """The entries of a database beside the one that gives the scale."""
    use = {"mos": "through a learnt map of their scale", "order": "by the order of their opinions alone"}
    entries = [{**_part(source, "fit"), "use": f"the network's weights, {use[source.kind]}"}]
    if source.choose:
        entries.append({**_part(source, "choose"), "use": "SRCC in the log; chose nothing"})
    return entries


def finish(
    config: TrainConfig,
    network: nn.Module,
    state: dict[str, Tensor],
    sources: Sequence[Source],
    policy: SizePolicy,
    path: Path,
    facts: dict[str, Any],
    further_seen: Sequence[Path],
    seen_before: Sequence[tuple[int, int]],
    log: Callable[[str], None],
    start_calibration: dict[str, Any] | None = None,
) -> Card:
    """Calibrate, write the weight with its card, and the hashes of all it has seen beside it.

    Args:
        config: Settings of the run.
        network: The module; gets `state`.
        state: The best epoch.
        sources: Databases with the pictures it was fitted to and those held out. The first gives the scale
            of the scores; on what is held out of it the weight was chosen and is calibrated.
        policy: Size policy; its shares are chosen here.
        path: The weight's file, `<name>.safetensors`.
        facts: Card fields that only the caller knows: `starting_points`, `licence`, `command`, `preset`,
            `device`, `notes`, and further entries of `training`.
        further_seen: Other pictures seen, by the starting points.
        seen_before: Hashes of what a weight had seen from which this one starts.
        log: Takes a line now and then.
        start_calibration: Calibration of a weight from which this one starts.

    Returns:
        The card as written.
    """
    network.load_state_dict(state)
    network.eval()
    fit, choose = sources[0].fit, sources[0].choose
    settled = settle(network, choose, policy, log, start=start_calibration)
    log("hashing what was seen")
    paths = [r.path for source in sources for r in (*source.fit, *source.choose)] + list(further_seen)
    # One picture at a time: all of them were in memory once, and that is behind us.
    hashes = chain(seen_before, (hash_photo(decode_all([p])[0]) for p in paths))
    seen = write_seen(seen_path(path), hashes)
    card = Card(
        name=path.name.removesuffix(".safetensors"),
        network=config.network,
        config=network.config.to_dict(),  # type: ignore[union-attr, operator]
        input=settled.policy.to_dict(),
        output={
            "range": [0, 100],
            "direction": "higher is better",
            "scale": scale_of(sources[0].database.name),
            "ladder": LADDER,
            "percentiles": percentiles_of(fit),
            **settled.output(f"{sources[0].database.name}, the part to choose on"),
        },
        training=[
            {
                **_part(sources[0], "fit"),
                "use": f"the network's weights; {PERCENTILES_ARE}",
            },
            {
                **_part(sources[0], "choose"),
                "use": f"epoch, {SETTLED}" if config.epochs else SETTLED,
                **settled.figures(),
                **({"chosen_epoch": chosen_epoch(path.parent)} if config.epochs else {}),
            },
            *(entry for source in sources[1:] for entry in _further(source)),
            *facts.get("training", []),
            {
                "settings": config.to_dict(),
                "preset": facts["preset"],
                "device": facts["device"],
                "command": facts["command"],
            },
        ],
        starting_points=facts["starting_points"],
        licence=facts["licence"],
        date=datetime.now(timezone.utc).date().isoformat(),
        code_version=code_version(),
        notes=[*facts["notes"], *settled.remarks],
        seen={"file": seen_path(path).name, "pictures": seen},
    )
    save_weights(path, shipped_state(network), card)
    log(f"wrote {path}: SRCC {settled.srcc:.4f} on the pictures it was chosen on")
    return card
