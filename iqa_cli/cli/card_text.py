"""A card as lines for a reader. What comes from the file is escaped: a card must not drive the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from iqa_cli.card import Card
from iqa_cli.checksums import mebibytes
from iqa_cli.errors import WeightsError
from iqa_cli.interval import Interval
from iqa_cli.text import printable

_LABEL = 12


def card_lines(card: Card, facts: Mapping[str, Any]) -> Iterator[str]:
    """The lines of `iqa models show`.

    Args:
        card: The card.
        facts: "file", "bytes", "checksum" and "same_name" (other files of that name, which this one hides).
    """
    output = card.output
    low, high = output["range"]
    yield from _entry("name", card.name)
    yield from _entry("network", card.network, _flat(card.config))
    yield from _entry("file", f"{facts['file']} ({mebibytes(facts['bytes'])}; checksum {facts['checksum']})")
    yield from _entry("", *(f"another file of that name: {path}" for path in facts["same_name"]))
    yield from _entry("made", " with version ".join(part for part in (card.date, card.code_version) if part))
    yield from _entry("score", f"{low:g} to {high:g}, {output['direction']}: {output['scale']}")
    yield from _entry("", ", ".join(f"{word} from {lowest:g}" for lowest, word in output["ladder"]))
    yield from _entry("calibration", _calibration(output["calibration"]))
    percentiles = sorted(output.get("percentiles", {}).items(), key=lambda item: float(item[0]))
    yield from _entry("percentiles", ", ".join(f"{key}: {value:.1f}" for key, value in percentiles))
    if card.interval is not None:
        yield from _entry("interval", _interval(card.interval))
    yield from _entry("input", *_policy(card))
    yield from _entry("trained on", *(_flat(entry) for entry in card.training))
    yield from _entry("started from", *(_flat(entry) for entry in card.starting_points))
    yield from _entry("results", *(_flat(entry) for entry in card.results))
    yield from _entry("licence", *(f"{key}: {_plain(value)}" for key, value in card.licence.items()))
    yield from _entry("seen", _flat(card.seen) if card.seen else "not recorded")
    yield from _entry("notes", *card.notes)


def _entry(label: str, *texts: str) -> Iterator[str]:
    """Label and wrapped texts, each on lines of its own; nothing where there is no text."""
    width = max(60, min(110, shutil.get_terminal_size().columns))
    for text in filter(None, texts):
        margin = f"{label:<{_LABEL}}  "
        # Long words stay whole: a path or a command cut in two cannot be copied.
        yield from textwrap.wrap(
            printable(text),
            width,
            initial_indent=margin,
            subsequent_indent=" " * len(margin),
            break_long_words=False,
            break_on_hyphens=False,
        )
        label = ""


def _policy(card: Card) -> list[str]:
    try:
        return card.policy().describe()
    except WeightsError as error:
        return [f"not valid: {error.message}"]


def _calibration(values: Mapping[str, Any]) -> str:
    if values["kind"] == "isotonic":
        x, y = values["x"], values["y"]
        return f"isotonic through {len(x)} points, from {x[0]:g} -> {y[0]:g} to {x[-1]:g} -> {y[-1]:g}"
    return _flat(values)


def _interval(interval: Interval) -> str:
    """At its scores, for a picture whose spread and size are in the middle."""
    middle = {name: [power.middle] for name, power in interval.powers.items()}
    places = []
    for score in interval.scores:
        (low,), (high,) = interval.bounds([score], middle)
        places.append(f"{score:.0f}: {low:.0f} to {high:.0f}")
    counts = f"; also by {', '.join(interval.powers)}" if interval.powers else ""
    about = f" ({_flat(interval.about)})" if interval.about else ""
    return f"{100 * interval.coverage:g} % at {', '.join(places)}{counts}{about}"


def _flat(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_plain(value)}" for key, value in values.items())


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({_flat(value)})"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_plain(entry) for entry in value)}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
