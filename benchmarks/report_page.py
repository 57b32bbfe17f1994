"""How long the page of `iqa report` takes in headless Chromium: loading, another order, a filter, a jump.

python -m benchmarks.report_page [--pictures 10000] [--widths 1280 360]

The records are drawn at random; the small pictures are those of examples/, in a folder beside the page. Needs
`chromium`. Times are of one run, in milliseconds, by the browser's own clock.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from iqa_cli.looking import small_view
from iqa_cli.prediction import Prediction
from iqa_cli.report.frame import write_page
from iqa_cli.report.gallery import Entry, gallery
from iqa_cli.report.previews import PreviewFolder, jpeg
from iqa_cli.standing import standings
from tests.report.browser import CHROMIUM, Tab, chromium

_EXAMPLES = Path(__file__).parents[1] / "examples"
_KINDS = (None, "pristine", "jpeg", "gaussian_blur")
_LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
_CHANGES = (
    ("order", "document.getElementById('order').value = 'best'"),
    ("filter", "document.getElementById('score-low').value = 50"),
    ("name", "document.getElementById('name').value = '77'"),
)
_APPLIED = "document.getElementById('filters').dispatchEvent(new Event('input'))"
_JUMPS = (
    "(() => { const took = []; for (let i = 0; i < 41; i += 1) { const from = performance.now();"
    " scrollTo(0, document.body.scrollHeight * i / 40); dispatchEvent(new Event('scroll'));"
    " took.push(performance.now() - from) } took.sort((a, b) => a - b); return took[20] })()"
)


def make_page(place: Path, number: int) -> int:
    """Write the page; returns its size in bytes."""
    generator = np.random.default_rng(0)
    scores = 100 * generator.beta(5, 2, number)
    records = [
        Prediction(
            path=f"holiday/{i:06}.jpg",
            score=float(score),
            error=None,
            model="mfenet",
            spread=float(generator.uniform(0, 9)),
            width=int(generator.integers(300, 8000)),
            height=int(generator.integers(300, 6000)),
            distortion=_KINDS[i % len(_KINDS)],
            low=max(0.0, float(score) - 15),
            high=min(100.0, float(score) + 12),
        )
        for i, score in enumerate(scores)
    ]
    folder = PreviewFolder(place)
    shown = []
    for path in sorted(_EXAMPLES.glob("*.jpg")):
        view = small_view(path, 320)
        shown.append((folder.add(jpeg(view)), view.shape[1], view.shape[0]))
    entries = [
        Entry(standing, (), *shown[i % len(shown)], original=f"holiday/{i:06}.jpg")
        for i, standing in enumerate(standings(records))
    ]
    return write_page(place, gallery(entries, title="holiday", model="mfenet"))


def times(tab: Tab, page: Path, width: int) -> list[float]:
    """Loading, the changes, the median of 41 jumps: milliseconds."""
    tab.open(page, width)
    took = [tab.evaluate(_LOADED)]
    for _, change in _CHANGES:
        took.append(
            tab.evaluate(
                f"(() => {{ {change}; const from = performance.now(); {_APPLIED};"
                " return performance.now() - from })()"
            )
        )
    tab.open(page, width)
    return [*took, tab.evaluate(_JUMPS)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--widths", type=int, nargs="+", default=[1280, 360])
    given = parser.parse_args()
    if CHROMIUM is None:
        parser.error("needs chromium")
    with tempfile.TemporaryDirectory() as folder, chromium(Path(folder) / "profile") as tab:
        page = Path(folder) / "report.html"
        size = make_page(page, given.pictures)
        print(f"{given.pictures:,} pictures, page of {size / 1e6:.1f} MB\n")
        print("| width | loaded | order | filter | name | jump |\n|--:|--:|--:|--:|--:|--:|")
        for width in given.widths:
            print(f"| {width} | {' | '.join(f'{took:.0f}' for took in times(tab, page, width))} |")


if __name__ == "__main__":
    main()
