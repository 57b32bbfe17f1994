"""The page of a collection: all its pictures with their scores, to be sorted, filtered and looked at, for
`iqa report`.

The page holds one record of JSON for each picture, and a script that draws those in sight; ten thousand take
no longer than a hundred. Text from outside stands in that JSON alone and is shown as text.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from iqa_cli import __version__
from iqa_cli.card import LADDER
from iqa_cli.caution import CAUTIONS
from iqa_cli.report.frame import document
from iqa_cli.report.markup import text
from iqa_cli.standing import Standing
from iqa_cli.text import count, printable

#: What browsers show; other formats are shown as their preview.
_SHOWN = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".avif", ".bmp"})
_NO_SCRIPT = (
    '<noscript><p class="warning">The script of this page draws its pictures, and this browser does not run '
    "it.</p></noscript>\n"
)


@dataclass(frozen=True)
class Entry:
    """A picture of the page.

    Attributes:
        standing: Its record, and where it stands.
        cautions: Names of `CAUTIONS` that apply.
        preview: Address of a small picture, None where there is none.
        width, height: Of that, in pixels.
        original: Address of the picture itself from the page, None where it has none.
        quality_map: Address of its map, None where there is none.
    """

    standing: Standing
    cautions: tuple[str, ...] = ()
    preview: str | None = None
    width: int = 0
    height: int = 0
    original: str | None = None
    quality_map: str | None = None


def address_of(path: str, page: Path) -> str | None:
    """The address of a picture from the folder of a page; None for one that browsers do not show, or that
    cannot be named from there (on another drive)."""
    if Path(path).suffix.lower() not in _SHOWN or "\0" in path:
        return None
    try:
        way = os.path.relpath(path, page.resolve().parent)
    except (OSError, ValueError):
        return None
    # Whatever a name holds, it is no scheme, query or fragment of an address.
    return quote(os.fsencode(way.replace(os.sep, "/")), safe="/")


def gallery(
    entries: Sequence[Entry],
    *,
    title: str,
    model: str,
    coverage: float | None = None,
    notes: Sequence[str] = (),
    command: str = "",
) -> str:
    """The whole page; the same entries give the same page.

    Args:
        entries: In the order of the inputs.
        title: What the pictures are of; text from outside.
        model: Name of the weight; text from outside, empty where it is not known.
        coverage: Share of opinions that the intervals hold, None where nothing is known of it.
        notes: What a reader should know beside that; text from outside.
        command: What makes the page again; empty for none.

    Returns:
        HTML.
    """
    rows = [_row(entry) for entry in entries]
    data = {
        "rows": rows,
        "cautions": {name: caution.why for name, caution in CAUTIONS.items()},
        "ladder": LADDER,
        "coverage": coverage,
    }
    warnings = "".join(f'<p class="warning">{text(note)}</p>\n' for note in notes)
    body = (
        f"{_NO_SCRIPT}{warnings}{_part('gallery.html')}{_words(entries, coverage)}"
        f'<script type="application/json" id="data">{_harmless(data)}</script>\n'
    )
    return document(
        f"Quality: {title}",
        f"Quality of {text(title)}",
        _summary(entries, model),
        body,
        skip="To the pictures",
        command=command,
        style=_part("gallery.css"),
        script=_part("gallery.js"),
    )


def _part(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _row(entry: Entry) -> dict[str, Any]:
    """What the script knows of a picture; what is not known is left out."""
    standing, record = entry.standing, entry.standing.record
    known: dict[str, Any] = {
        "name": printable(record.path),
        "score": _rounded(record.score, 2),
        "error": None if record.error is None else printable(record.error),
        "low": _rounded(record.low, 1),
        "high": _rounded(record.high, 1),
        "spread": _rounded(record.spread, 1),
        "width": record.width,
        "height": record.height,
        "distortion": None if record.distortion is None else printable(record.distortion),
        "level": record.distortion_level,
        "rank": standing.rank,
        "here": _rounded(standing.percentile, 2),
        "training": _rounded(standing.percentile_training, 0),
        "word": None if standing.word is None else printable(standing.word),
        "cautions": list(entry.cautions) or None,
        "others": _others(entry),
        "src": entry.preview,
        "w": entry.width or None,
        "h": entry.height or None,
        "file": entry.original,
        "map": entry.quality_map,
    }
    return {name: value for name, value in known.items() if value is not None}


def _others(entry: Entry) -> dict[str, float | None] | None:
    """The scores of further models."""
    record = entry.standing.record
    others = {
        printable(name): _rounded(score, 2) for name, score in record.scores.items() if name != record.model
    }
    return others or None


def _rounded(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)


def _harmless(data: dict[str, Any]) -> str:
    """JSON that ends no element of HTML."""
    written = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _summary(entries: Sequence[Entry], model: str) -> str:
    scores = sorted(s for e in entries if (s := e.standing.record.score) is not None)
    pieces = [count(len(entries), "picture")]
    if failed := len(entries) - len(scores):
        pieces.append(f"{failed:,} without a score")
    if scores:
        half = len(scores) // 2
        median = scores[half] if len(scores) % 2 else (scores[half - 1] + scores[half]) / 2
        pieces.append(f"median {median:.1f}, from {scores[0]:.1f} to {scores[-1]:.1f}")
    warned = sum(bool(entry.cautions) for entry in entries)
    if warned:
        pieces.append(f"{warned:,} with a warning")
    by = f" Scored by {text(model)}." if model else ""
    return f"{'; '.join(pieces)}.{by} Made by iqa {__version__}."


def _words(entries: Sequence[Entry], coverage: float | None) -> str:
    words = [
        ("Score", "0 to 100, higher is better: the mean opinion that people are predicted to give."),
        (
            "Above, here",
            "Share of the other pictures here that score lower; the best has 100&nbsp;%, the worst 0.",
        ),
    ]
    if any(entry.standing.percentile_training is not None for entry in entries):
        words.append(
            (
                "Above, in training",
                "Share of the opinions on the training pictures of the weight that the score is above, from "
                "1 to 99&nbsp;%.",
            )
        )
    if any(entry.standing.record.low is not None for entry in entries):
        share = "most" if coverage is None else f"{100 * coverage:g}&nbsp;%"
        words.append(
            (
                "Interval",
                f"Of photographs like those that the weight was calibrated on, the opinions on {share} lie "
                "within.",
            )
        )
    found = Counter(name for entry in entries for name in entry.cautions)
    words += [
        (f"Warning: {text(name)}", f"{text(caution.why)} ({count(found[name], 'picture')})")
        for name, caution in CAUTIONS.items()
        if found[name]
    ]
    items = "".join(f"<dt>{term}</dt><dd>{meaning}</dd>" for term, meaning in words)
    return (
        '<section aria-labelledby="words"><h2 id="words">What the words mean</h2>'
        f"<dl>{items}</dl></section>\n"
    )
