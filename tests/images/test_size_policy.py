"""The size policy: it survives the card, refuses nonsense and says in words what it does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iqa_cli.images.policy import SizePolicy


def test_through_json_and_back() -> None:
    policy = SizePolicy(native_crops=12, native_weight=0.25, kernel="bicubic", backgrounds=(0, 255))
    assert SizePolicy.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    # A card from before the middle counted more, and the sharpest crops, means what it meant then.
    before = {"centre_sigma": 0.0, "native_places": 0, "native_crops": 9, "native_best": 1 / 3}
    assert SizePolicy.from_dict({}) == SizePolicy(**before)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"size": 3}, "unknown key size"),
        ({"crop": 0}, "crop"),
        ({"crop": 224.0}, "crop"),
        ({"crop": True}, "crop"),
        ({"near_side": 100}, "near_side"),
        ({"reduced_side": 900}, "reduced_side"),
        ({"native_crops": -1}, "native_crops"),
        ({"native_places": -1}, "native_places"),
        ({"native_places": 3}, "native_places"),
        ({"native_places": 40.0}, "native_places"),
        ({"native_weight": 1.5}, "native_weight"),
        ({"native_weight": float("nan")}, "native_weight"),
        ({"native_weight": "half"}, "native_weight"),
        ({"native_best": 0}, "native_best"),
        ({"native_best": True}, "native_best"),
        ({"centre_sigma": -1}, "centre_sigma"),
        ({"centre_sigma": 0.01}, "centre_sigma"),
        ({"centre_sigma": float("inf")}, "centre_sigma"),
        ({"kernel": "nearest"}, "kernel"),
        ({"backgrounds": [1]}, "backgrounds"),
        ({"backgrounds": [1, 256]}, "backgrounds"),
        ({"backgrounds": 7}, "backgrounds"),
    ],
)
def test_nonsense_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SizePolicy.from_dict(values)


@pytest.mark.parametrize(
    ("size", "whole"),
    [
        ((512, 512), (512, 512)),
        ((720, 720), (720, 720)),
        ((1440, 360), (1440, 360)),
        ((721, 720), (512, 512)),
        ((4000, 3000), (591, 443)),
        ((3000, 4000), (443, 591)),
        ((12_000, 1000), (2688, 224)),
    ],
)
def test_whole_view(size: tuple[int, int], whole: tuple[int, int]) -> None:
    assert SizePolicy().whole_size(*size) == whole
    assert SizePolicy().is_near(*size) == (size == whole)


def test_words_follow_the_numbers() -> None:
    text = " ".join(SizePolicy(near_side=640, native_weight=0.25, kernel="box", min_side=20).describe())
    for words in (
        "640x640",
        "25%",
        "75%",
        "4 crops at its own resolution, the sharpest of about 40",
        "best-scored 75%",
        "0.45 half sides",
        "box",
        "under 20",
        "224",
        "grey 32",
        "--native",
    ):
        assert words in text
    assert "best-scored" not in " ".join(SizePolicy(native_best=1).describe())
    assert "sharpest" not in " ".join(SizePolicy(native_places=0).describe())
    assert "one more crop" not in " ".join(SizePolicy(centre_sigma=0).describe())
    for line in SizePolicy().describe():
        assert line.endswith(".")
        assert line.isprintable()
