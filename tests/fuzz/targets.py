"""What is fuzzed: each target takes any bytes, and nothing but the expected errors may come of them.

A target raises for a finding: an exception that is no `IqaError` passes through, and a message that is not
one printable line is an AssertionError. What an expected error says is returned, for tests.
"""

from __future__ import annotations

import io
import json
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from iqa_cli.card import Card, percentile_of, word_for
from iqa_cli.cli.context import Environment
from iqa_cli.cli.inputs import gather
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.duplicatefile import load_duplicates
from iqa_cli.datasets.matfile import numbers, read_mat, texts
from iqa_cli.datasets.splitfile import load_split
from iqa_cli.datasets.table import read_words
from iqa_cli.datasets.workbook import read_sheet
from iqa_cli.errors import IqaError
from iqa_cli.evaluation.scorefile import read_scores
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy
from iqa_cli.seen import read_seen
from iqa_cli.tensorfile import read_file
from iqa_cli.text import printable
from iqa_cli.weights import CARD_KEY, load_network, load_state, read_card

#: Pictures with more pixels are refused, so that a run takes milliseconds.
MAX_PIXELS = 2**19
_POLICY = SizePolicy(crop=32, near_side=96, reduced_side=64, native_crops=2, glance_weight=0.2)


def decoding(data: bytes) -> str:
    """A picture: opened, and all that a scorer asks of it."""
    return _said(lambda: _look(data))


def weights(data: bytes) -> str:
    """A weight. The first byte tells what the rest is: a whole file, a header with the tensors behind its
    first line, a card, or a network and its configuration."""
    kind, rest = data[:1], data[1:]
    if kind == b"h":
        header, _, tensors = rest.partition(b"\n")
        return _of_file(struct.pack("<Q", len(header)) + header + tensors, _read_weight)
    if kind == b"c":
        return _said(lambda: _use_card(_text(rest)))
    if kind == b"n":
        return _of_file(_with_network(rest), load_network)
    return _of_file(rest, _read_weight)


def readers(data: bytes) -> str:
    """Labels and scores. The first byte tells the reader, the rest is its file."""
    kind, rest = data[:1], data[1:]
    if kind == b"l":
        return _said(lambda: _listed(rest, null=False))
    if kind == b"0":
        return _said(lambda: _listed(rest, null=True))
    return _of_file(rest, _READERS.get(kind, _read_labels))


TARGETS: dict[str, Callable[[bytes], str]] = {"decoding": decoding, "weights": weights, "readers": readers}


def _said(action: Callable[[], object]) -> str:
    """The message of an expected error; nothing where there was none."""
    try:
        action()
    except IqaError as error:
        for text in (error.message, error.hint or ""):
            _require(printable(text) == text, f"not one harmless line: {text!r}")
        _require(bool(error.message), "an error without a message")
        return error.message
    return ""


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise AssertionError(what)


def remove_folders() -> None:
    """For a process that ends without its own clean-up."""
    for folder in _folders:
        folder.cleanup()


@cache
def _place() -> Path:
    """A file in memory where the system has such a folder, for what is read by its name."""
    shared = Path("/dev/shm")
    folder = tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None)
    _folders.append(folder)
    return Path(folder.name) / "fuzzed"


# Removed when the process ends.
_folders: list[tempfile.TemporaryDirectory[str]] = []


def _of_file(content: bytes, read: Callable[[Path], object]) -> str:
    _place().write_bytes(content)
    return _said(lambda: read(_place()))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _look(data: bytes) -> None:
    draft = _POLICY.reduced_side if len(data) % 2 else None
    with open_photo(data, max_pixels=MAX_PIXELS, draft_side=draft) as photo:
        modes = ("fast",) if photo.is_reduced else ("default", "native", "fast")
        for mode in modes:
            for crop in iter_crops(photo, _POLICY, mode):
                assert crop.pixels.shape == (_POLICY.crop, _POLICY.crop, 3)
                assert crop.pixels.dtype == np.uint8


def _read_weight(path: Path) -> None:
    for action in (read_seen, read_file, read_card, load_state):
        _said(lambda action=action: action(path))  # type: ignore[misc]


def _use_card(text: str) -> None:
    try:
        card = Card.from_json(text)
    except ValueError as error:
        _require("\n" not in str(error), f"not one line: {error}")
        return
    score = float(card.calibration(0.5))
    assert 0 <= score <= 100, f"a score of {score}"
    word_for(score, card)
    percentile_of(score, card)
    assert Card.from_json(card.to_json()) == card, "a card that changes when it is written"
    card.policy()


def _with_network(text: bytes) -> bytes:
    """A weight of one number, whose card asks for the network and configuration of a text such as
    `mfenet {"van": "tiny"}`."""
    name, _, config = _text(text).partition(" ")
    card = {
        "card_version": 1,
        "name": "x",
        "network": name,
        "config": _json_or_text(config),
        "input": {},
        "output": {
            "range": [0, 100],
            "direction": "higher is better",
            "scale": "",
            "calibration": {"kind": "linear", "slope": 100.0, "intercept": 0.0},
            "ladder": [[0, "bad"]],
        },
    }
    header = {
        "__metadata__": {CARD_KEY: json.dumps(card)},
        "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
    }
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + bytes(4)


def _json_or_text(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _listed(data: bytes, *, null: bool) -> None:
    env = Environment(stdin=io.BytesIO(data), stdout=io.BytesIO(), stderr=io.StringIO())
    inputs = gather(["-"], env, null=null)
    assert all(inputs.paths), "an empty name"
    for line in inputs.notes():
        assert printable(line) == line, f"not one harmless line: {line!r}"


def _read_labels(path: Path) -> None:
    read_csv(path)


def _read_matlab(path: Path) -> None:
    content = read_mat(path)
    for name, value in content.items():
        for read in (numbers, texts):
            _said(lambda read=read, name=name, value=value: read(value, "file"))  # type: ignore[misc]


_READERS: dict[bytes, Callable[[Path], object]] = {
    b"c": _read_labels,
    b"s": read_scores,
    b"m": _read_matlab,
    b"x": lambda path: read_sheet(path, "image", "mos", optional=("group",)),
    b"p": load_split,
    b"d": load_duplicates,
    b"w": lambda path: read_words(path, ("name", "score")),
}
