"""The pictures of the worst misses travel inside of the page."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_cli.report import page
from iqa_cli.report.misses import SIDE, Thumbnails
from tests.report.results import made_part, made_result


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Forty files, of which number 35 is red and number 6 is missing; those two are missed by most."""
    paths = [tmp_path / f"picture {i}.png" for i in range(40)]
    for path in paths:
        Image.new("RGB", (40, 30), (200, 30, 20) if path.stem.endswith(" 35") else (90, 90, 90)).save(path)
    paths[6].unlink()
    return paths


def _scores(opinions: np.ndarray) -> np.ndarray:
    scores = opinions.copy()
    scores[35], scores[6] = 10, 95
    return scores


def test_thumbnails_are_the_pictures_missed_and_one_that_is_gone_is_named(pictures: list[Path]) -> None:
    part = made_part(40, opinions=np.linspace(0, 100, 40))
    text = page([made_result(part, _scores(part.opinions), paths=pictures)])
    items = re.findall(r"<li>.*?</li>", text)
    low, high = items[:2] if "picture 35.png" in items[0] else items[1::-1]
    found = re.search(r'src="data:image/jpeg;base64,([^"]+)" width="(\d+)" height="(\d+)"', low)
    assert found is not None
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as picture:
        assert picture.size == (int(found[2]), int(found[3])) == (40, 30)
        red, green, _ = picture.convert("RGB").getpixel((20, 15))  # type: ignore[misc]
        assert red > 150 > green
    assert 'alt="picture picture 35.png"' in low
    assert f"opinion <b>{part.opinions[35]:.1f}</b>" in low
    assert "too low" in low
    assert "<img" not in high
    assert "no such file" in high
    assert "too high" in high


def test_without_files_the_misses_are_named() -> None:
    part = made_part(40)
    text = page([made_result(part, _scores(part.opinions))])
    assert "<img" not in text
    assert "picture 35.png" in text


def test_a_large_photograph_becomes_small_and_loses_its_metadata(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    exif[0x0112] = 6
    Image.effect_noise((1600, 900), 60).convert("RGB").save(path, exif=exif)
    uri, width, height = Thumbnails().of(path)
    assert (width, height) == (SIDE * 9 // 16, SIDE)  # turned as its orientation says
    data = base64.b64decode(uri.partition(",")[2])
    assert b"secret" not in data
    assert len(data) < 40_000


def test_a_picture_that_two_scorers_miss_is_decoded_once(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from iqa_cli.report import misses

    decoded: list[Path] = []
    original = misses.thumbnail
    monkeypatch.setattr(misses, "thumbnail", lambda path: (decoded.append(path), original(path))[1])
    part = made_part(40)
    first, second = (
        made_result(part, _scores(part.opinions), scorer=name, paths=pictures) for name in ("a", "b")
    )
    page([first, second])
    assert len(decoded) == len(set(decoded))
    assert decoded
