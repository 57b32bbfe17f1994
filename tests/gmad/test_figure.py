"""The four-panel figure: what is on it, and that it is written whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_cli.errors import ImageError, UsageError
from iqa_cli.gmad.figure import DPI, draw_figure, panels, save_figure
from iqa_cli.gmad.session import Competition, Pair, Picture

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30)]
COLOURS += [(30, 200, 200), (200, 30, 200), (120, 60, 10), (10, 60, 120)]


def picture(folder: Path, number: int, size: tuple[int, int], name: str) -> Picture:
    path = folder / f"{number}.png"
    Image.new("RGB", size, COLOURS[number]).save(path)
    return Picture(str(path), path.name, {name: 50.0, "b": 60.0}, 40.0)


def competition(folder: Path, name: str = "a", size: tuple[int, int] = (90, 60)) -> Competition:
    """Four pairs, every picture of one colour."""
    pairs: list[Pair] = []
    for defender, attacker in ((name, "b"), ("b", name)):
        for level in ("low", "high"):
            sides = [picture(folder, 2 * len(pairs) + side, size, name) for side in range(2)]
            pairs.append(Pair(f"p{len(pairs)}", defender, attacker, level, 1, sides[0], sides[1], 10.0, 0.0))
    return Competition(8, "test", (name, "b"), "rank", "ranks", tuple(pairs))


def test_four_panels_hold_eight_pictures_in_their_places(tmp_path: Path) -> None:
    made = competition(tmp_path)
    shown = panels(made, "a", "b")
    assert [(pair.defender, pair.level) for pair in shown] == [
        ("a", "low"),
        ("a", "high"),
        ("b", "low"),
        ("b", "high"),
    ]
    pixels = np.asarray(draw_figure(shown, "ranks"))[::4, ::4]
    places = []
    for colour in COLOURS:
        rows, columns = np.nonzero((np.abs(pixels.astype(int) - colour) <= 2).all(axis=2))
        assert len(rows) > 100_000 / 16
        places.append((int(columns.mean()), int(rows.mean())))
    across = [x for x, _ in places]
    # A panel's two pictures stand one above the other, the attacker's choice above; panels go to the right.
    assert across == sorted(across)
    for first, second in zip(places[::2], places[1::2], strict=True):
        assert first[0] == second[0]
        assert first[1] < second[1]


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3)])
def test_odd_pictures_and_names_are_drawn(tmp_path: Path, size: tuple[int, int]) -> None:
    name = "x" * 300 + "\x1b[31m\udcff名"
    figure = draw_figure(panels(competition(tmp_path, name, size), name, "b"), "ranks " * 99)
    assert figure.width / DPI == pytest.approx(7.3, abs=0.1)  # inches: the width of a page


def test_png_and_pdf_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    figure = draw_figure(panels(competition(tmp_path), "a", "b"), "ranks")
    save_figure(figure, tmp_path / "f.png")
    save_figure(figure, tmp_path / "f.pdf")
    with Image.open(tmp_path / "f.png") as back:
        assert back.info["dpi"] == pytest.approx((DPI, DPI), abs=0.1)
        assert np.array_equal(np.asarray(back), np.asarray(figure))
    content = (tmp_path / "f.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content.rstrip().endswith(b"%%EOF")
    with pytest.raises(UsageError, match="cannot write"):
        save_figure(figure, tmp_path / "none" / "f.png")
    with pytest.raises(UsageError, match=r"\.png or \.pdf"):
        save_figure(figure, tmp_path / "f.jpg")
    assert not list(tmp_path.glob(".*"))


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    made = competition(tmp_path)
    (tmp_path / "3.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"3\.png"):
        draw_figure(panels(made, "a", "b"), "ranks")
