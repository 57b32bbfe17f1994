"""Another calibration for a finished weight, by labelled pictures of the database it was trained on, or of
one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from iqa_cli.card import Card
from iqa_cli.checksums import write_files
from iqa_cli.datasets.record import Database, ImageRecord, split_hash
from iqa_cli.errors import DatasetError
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.recard import with_card
from iqa_cli.scoring.device import choose_device
from iqa_cli.seen import PhotoHash, Seen, hash_file, seen_content, seen_path
from iqa_cli.text import count
from iqa_cli.training.finish import code_version
from iqa_cli.training.settle import (
    PERCENTILES_ARE,
    RIDGE_USE,
    SETTLED,
    SETTLED_BEFORE,
    Settled,
    percentiles_of,
    scale_of,
    settle,
)
from iqa_cli.training.validate import Told
from iqa_cli.weights import load_network


@dataclass(frozen=True)
class Recalibrated:
    """A card that says more, or something else, of what scores mean.

    Attributes:
        path: The weight's file.
        card: The new card; `seen` is that of the old one.
        settled: What was fitted.
        remarks: Sentences on what should be known of it, on the card too.
        hashes: Of the pictures that the weight had not met before; None where nobody knows what it has met.
    """

    path: Path
    card: Card
    settled: Settled
    remarks: tuple[str, ...]
    hashes: tuple[PhotoHash, ...] | None


def recalibrate(
    path: Path,
    database: Database,
    part: str,
    records: Sequence[ImageRecord],
    seen: Seen | None,
    *,
    command: str,
    policy: SizePolicy,
    interval_only: bool = False,
    device: str = "auto",
    log: Callable[[str], None],
    progress: Told | None = None,
) -> Recalibrated:
    """Fit share, calibration and interval anew, or the interval alone.

    Args:
        path: The weight's file.
        database: Of the pictures; where it is not the one that the scale of the weight's scores is of, the
            scale and the percentiles become its own.
        part: Name of the part.
        records: Labelled pictures to which the weight should not have been fitted.
        seen: Hashes of what the weight has met in training; None where that is not known.
        command: For the card.
        policy: Size policy, that of the weight or another; with `interval_only` that of the weight.
        interval_only: Shares and calibration stay, and so does every score.
        device: Where to compute; see `iqa_cli.scoring.device.choose_device`.
        log, progress: As of `iqa_cli.training.settle.settle`.

    Raises:
        WeightsError: The weight cannot be read.
        ImageError: A picture cannot be read.
        DatasetError: So few pictures, or pictures so alike, that nothing can be fitted.
    """
    hashes = None if seen is None else [hash_file(record.path) for record in records]
    card, network = load_network(path)
    network = fold_batchnorms(network).to(choose_device(device))
    keep = card.output["calibration"] if interval_only else None
    try:
        settled = settle(network, records, policy, log, keep=keep, progress=progress)
    except ValueError as error:
        raise DatasetError(f"{database.name}, part {part}: {error}") from None
    if interval_only and settled.interval is None:
        raise DatasetError(settled.remarks[0])
    remarks = list(settled.remarks)
    if hashes is not None and seen is not None:
        remarks += met_remarks(card, records, hashes, seen)
        hashes = [photo for photo in hashes if not seen.met(photo)]
    made = calibrated_card(card, settled, database.name, part, records, command, interval_only)
    made = replace(made, notes=list(dict.fromkeys([*made.notes, *remarks])))
    return Recalibrated(path, made, settled, tuple(remarks), None if hashes is None else tuple(hashes))


def write_recalibrated(found: Recalibrated, seen: Seen | None, target: Path) -> None:
    """Write the weight with its new card, the tensors as they are, and the hashes of what it has met by now;
    all of it or nothing.

    Args:
        found: As `recalibrate` gives it.
        seen: What the weight had met, as it was given there.
        target: Where to; the weight's own file is replaced.

    Raises:
        WeightsError: The disk refuses, or the file has changed and its checksum not.
    """
    card = found.card
    if target != found.path:
        card = replace(card, name=target.name.removesuffix(".safetensors"))
    contents = dict[Path, bytes]()
    if seen is not None and found.hashes is not None:
        card, contents = with_seen(card, seen, found.hashes, found.path, target)
    write_files(contents | {target: with_card(found.path, card)})


def with_seen(
    card: Card, seen: Seen, further: Sequence[PhotoHash], path: Path, target: Path
) -> tuple[Card, dict[Path, bytes]]:
    """The card of a changed weight that has met further pictures, and the file of hashes beside it.

    Args:
        card: Without them.
        seen: What the weight had met.
        further: Hashes of what it had not.
        path: The weight's old file.
        target: Its new one; may be the same.

    Returns:
        The card, and path -> content of the file of hashes; nothing where the old one still says all.
    """
    if not further and target == path:
        return card, {}
    pairs = zip(seen.pixels.tolist(), seen.perceptual.tolist(), strict=True)
    content, number = seen_content([*pairs, *further])
    place = seen_path(target)
    return replace(card, seen={**(card.seen or {}), "file": place.name, "pictures": number}), {place: content}


def met_remarks(
    card: Card, records: Sequence[ImageRecord], hashes: Sequence[PhotoHash], seen: Seen
) -> list[str]:
    """A sentence for the card where a weight is calibrated on pictures that it was fitted to.

    Args:
        card: From before.
        records: The pictures.
        hashes: Theirs.
        seen: What the weight had met.
    """
    met = sum(seen.met(photo) for photo in hashes)
    if not met or _was_held_out(card, records):
        return []
    return [
        f"{met:,} of {count(len(records), 'picture')} that it was calibrated on were met in its training: "
        "the interval is too narrow for other pictures"
    ]


def _was_held_out(card: Card, records: Sequence[ImageRecord]) -> bool:
    """Whether these are the pictures that chose the epoch, or calibrated before, and were not fitted."""
    entries = [entry for entry in card.training if entry.get("split_hash") == split_hash(records)]
    fitted = (entry.get("part") == "fit" or _use(entry).startswith(RIDGE_USE) for entry in entries)
    return bool(entries) and not any(fitted)


def calibrated_card(
    card: Card,
    settled: Settled,
    database: str,
    part: str,
    records: Sequence[ImageRecord],
    command: str,
    interval_only: bool = False,
) -> Card:
    """The card of a weight whose scores mean something else by now.

    Args:
        card: The old one.
        settled: What they mean.
        database, part, records: The labelled pictures that say so.
        command: For the entry.
        interval_only: Whether the scores stay; otherwise what was measured with them is left out.
    """
    output = {name: value for name, value in card.output.items() if name != "interval"}
    output |= settled.output(f"{database}, part {part}")
    entry: dict[str, Any] = {
        "dataset": database,
        "part": part,
        "images": len(records),
        "split_hash": split_hash(records),
        "use": "interval" if interval_only else SETTLED,
    }
    superseded = {"interval"} if interval_only else {"interval", SETTLED, SETTLED_BEFORE}
    training = [old for old in card.training if not _same(old, entry) or _use(old) not in superseded]
    # A csv may be any: that of another day has other opinions.
    if not interval_only and (database == "csv" or output["scale"] != scale_of(database)):
        output |= {"scale": scale_of(database), "percentiles": percentiles_of(records)}
        training = [_without_percentiles(old) for old in training]
        entry["use"] += f"; {PERCENTILES_ARE}"
    entry |= settled.figures() | {
        "command": command,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "code_version": code_version(),
    }
    return replace(
        card,
        input=settled.policy.to_dict(),
        output=output,
        training=[*training, entry],
        results=card.results if interval_only else [],
    )


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one.get(name) == other[name] for name in ("dataset", "part", "split_hash"))


def _use(entry: dict[str, Any]) -> str:
    """The use of an entry without what is said of percentiles."""
    return str(entry.get("use")).replace(f"; {PERCENTILES_ARE}", "")


def _without_percentiles(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "use": _use(entry)} if "use" in entry else entry
