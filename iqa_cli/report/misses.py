"""The pictures that a scorer misses by most, with the pictures themselves where they are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from iqa_cli.errors import ImageError
from iqa_cli.evaluation.part import Part, Result
from iqa_cli.looking import small_view
from iqa_cli.report.fitted import View, rank_differences, worst
from iqa_cli.report.markup import score, text
from iqa_cli.report.previews import data_uri, jpeg

#: Longer side of a thumbnail.
SIDE = 256


class Thumbnails:
    """Small pictures as data URIs; one that several scorers miss is decoded once."""

    def __init__(self) -> None:
        self._made: dict[Path, tuple[str, int, int] | ImageError] = {}

    def of(self, path: Path) -> tuple[str, int, int]:
        """The URI, width and height of a picture no larger than `SIDE`.

        Raises:
            ImageError: It is missing or cannot be decoded.
        """
        if path not in self._made:
            try:
                self._made[path] = thumbnail(path)
            except ImageError as error:
                self._made[path] = error
        made = self._made[path]
        if isinstance(made, ImageError):
            raise made
        return made


def thumbnail(path: Path) -> tuple[str, int, int]:
    """A picture as the data URI of a JPEG, with its width and height; nothing of its metadata goes along.

    Raises:
        ImageError: It is missing or cannot be decoded.
    """
    pixels = small_view(path, SIDE)
    return data_uri(jpeg(pixels)), pixels.shape[1], pixels.shape[0]


def misses(result: Result, view: View, thumbnails: Thumbnails, *, limit: int) -> str:
    """A list of the worst misses; nothing where there are no figures.

    Args:
        result: Whose.
        view: Its numbers.
        thumbnails: Of the pictures.
        limit: So many at most.
    """
    found = worst(result, view, limit)
    if not len(found):
        return ""
    items = [
        f"<li>{_picture(result.paths, int(view.places[at]), thumbnails)}"
        f'<p><span class="miss">{number}</span> {_verdict(view, int(at))}</p>'
        f'<p class="pair">opinion <b>{view.opinions[at]:.1f}</b>, score <b>{score(view.scores[at])}</b>'
        f"{_fitted(view, int(at))}</p>"
        f'<p class="file">{_named(result.part, int(view.places[at]))}</p></li>'
        for number, at in enumerate(found, start=1)
    ]
    by = "residual" if view.residuals is not None else "difference of ranks, since there is no fit"
    return (
        f'<h4>Worst misses</h4><p class="note">The {len(items)} greatest by {by}.</p>'
        f'<ol class="misses">{"".join(items)}</ol>\n'
    )


def _picture(paths: Sequence[Path] | None, place: int, thumbnails: Thumbnails) -> str:
    if paths is None:
        return ""
    try:
        uri, width, height = thumbnails.of(paths[place])
    except ImageError as error:
        return f'<p class="gone">no picture: {text(error.message)}</p>'
    # The name stands below; what the picture shows, nobody has told this program.
    return f'<img src="{uri}" width="{width}" height="{height}" alt="picture {text(paths[place].name)}">'


def _verdict(view: View, at: int) -> str:
    if view.residuals is None:
        missed, unit = float(rank_differences(view)[at]), "% of the ranks"
    else:
        missed, unit = float(view.residuals[at]), "points"
    return f"{abs(missed):.1f} {unit} too {'low' if missed > 0 else 'high'}"


def _fitted(view: View, at: int) -> str:
    return "" if view.fitted is None else f", fitted {float(np.float64(view.fitted[at])):.1f}"


def _named(part: Part, place: int) -> str:
    facts = [text(part.names[place])]
    for kind in ("distortion", "level"):
        label = part.kinds[kind][place] if kind in part.kinds else None
        if label is not None:
            facts.append(f"{kind} {text(label)}")
    return ", ".join(facts)
