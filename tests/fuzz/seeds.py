"""Small valid inputs that fuzzing begins with: every format and structure that a target knows, made on the
spot."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openpyxl
from PIL import Image
from scipy.io import savemat

from iqa_cli.card import LADDER

_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
_DEEP = ("I;16", "I", "F")
_SEEN = (("pixels", 0), ("perceptual", 8))


def decoding(examples: Path) -> Iterator[bytes]:
    """A cutting of a photograph in every format and colour mode."""
    with Image.open(examples / "dog.jpg") as photo:
        cutting = photo.convert("RGB").resize((40, 33))
    exif = Image.Exif()
    exif[0x0112] = 6
    for form in _FORMATS:
        yield _encoded(cutting, form)
    for mode in ("1", "L", "LA", "P", "RGBA", "I;16"):
        yield _encoded(cutting.convert("L").convert(mode), "PNG")
    for mode in ("L", "CMYK", "LAB", "YCbCr", "RGBA", *_DEEP):
        grey = cutting.convert("LAB") if mode == "LAB" else cutting.convert("L").convert(_by_rgb(mode))
        yield _encoded(grey if grey.mode == mode else grey.convert(mode), "TIFF", exif=exif)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "group4"):
        yield _encoded(
            cutting.convert("1" if compression == "group4" else "RGB"), "TIFF", compression=compression
        )
    yield _encoded(cutting, "JPEG", exif=exif, progressive=True)
    yield _encoded(cutting.convert("CMYK"), "JPEG")
    yield _encoded(cutting.convert("P"), "GIF", transparency=3)
    yield _encoded(cutting, "WEBP", lossless=True)
    yield _encoded(cutting, "PNG", save_all=True, append_images=[cutting.rotate(90)])
    yield b"P3 20 20 255\n" + b"1 2 3 " * 400


def weights(examples: Path) -> Iterator[bytes]:
    """Headers, cards, and the smallest networks."""
    card = {
        "card_version": 1,
        "name": "tiny",
        "network": "mfenet",
        "config": {"van": "tiny"},
        "input": {"crop": 224, "kernel": "lanczos", "backgrounds": [32, 224], "native_weight": 0.5},
        "output": {
            "range": [0, 100],
            "direction": "higher is better",
            "scale": "none",
            "calibration": {"kind": "logistic", "b1": 100.0, "b2": 0.0, "b3": 0.5, "b4": 0.2},
            "ladder": LADDER,
            "percentiles": {"1": 10.0, "50": 52.5, "99": 90.0},
        },
        "training": [{"dataset": "csv"}],
        "results": [{"srcc": 0.9}],
        "notes": ["a"],
        "seen": {"file": "x"},
    }
    kinds = (
        {"kind": "isotonic", "x": [0.0, 1.0], "y": [0.0, 100.0]},
        {"kind": "linear", "slope": 100.0, "intercept": 0.0},
    )
    header = {
        "__metadata__": {"iqa_card": json.dumps(card)},
        "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "b": {"dtype": "F16", "shape": [1, 2], "data_offsets": [8, 12]},
    }
    text = json.dumps(header).encode()
    yield b"f" + struct.pack("<Q", len(text)) + text + bytes(12)
    yield b"h" + text + b"\n" + bytes(12)
    seen = {name: {"dtype": "U64", "shape": [1], "data_offsets": [at, at + 8]} for name, at in _SEEN}
    yield b"h" + json.dumps(seen).encode() + b"\n" + bytes(16)
    yield b"c" + json.dumps(card).encode()
    for kind in kinds:
        output = {**card["output"], "calibration": kind, "interval": _interval()}  # type: ignore[dict-item]
        yield b"c" + json.dumps({**card, "output": output}).encode()
    yield b'nmfenet {"van": "tiny", "dan": "none", "hfen": "octave", "head_width": 16}'
    yield b"f\x80\x02}q\x00."
    yield b"fPK\x03\x04"


def readers(examples: Path) -> Iterator[bytes]:
    """A file for each reader."""
    yield b"cimage,mos,ref,level,split,sd\na.png,3.5,r.png,1,train,0.5\nb.png,1,r.png,2,test,0.4\n"
    yield b"cimage,dmos,group\n\"a,b.png\",3e1,g\n'c.png',-1,h\n"
    yield b"spath,score,error\na.png,51.2,\nb.png,,no such file\n"
    yield b's[{"path": "a.png", "score": 1.5}, {"path": "b.png", "score": null}]'
    yield b's{"a.png": 1, "b.png": 2.5}'
    yield b's{"path": "a", "score": 1, "scores": {"x": 2}}\n{"path": "b", "score": null}\n'
    yield b"wa.png 3.5\nb.png 4\n"
    yield b"la.png\nsub/b.png\r\n\n"
    yield b"0a.png\0b\nc.png\0"
    parts = {"train": ["a"], "test": ["b"]}
    split = {"iqa_split": 1, "database": "x", "names_hash": "", "split_hash": "", "parts": parts}
    split |= {"origin": "drawn", "seed": 1, "fractions": {"train": 0.5}, "joined": [["a"]], "grouped_by": ""}
    yield b"p" + json.dumps(split).encode()
    yield b'd{"iqa_duplicates": 1, "groups": [["a", "b"]], "unreadable": {}}'
    stream = io.BytesIO()
    savemat(stream, {"mos": np.ones((1, 3)), "names": np.array([["a.png"], ["b.png"]], dtype=object)})
    yield b"m" + stream.getvalue()
    stream = io.BytesIO()
    savemat(stream, {"mos": np.ones((2, 1), np.float32)}, do_compression=True)
    yield b"m" + stream.getvalue()
    book = openpyxl.Workbook()
    for row in (("image", "mos", "group"), ("a.png", 1, "x"), ("1600", 2.5, None)):
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    yield b"x" + stream.getvalue()


SEEDS = {"decoding": decoding, "weights": weights, "readers": readers}


def _encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def _by_rgb(mode: str) -> str:
    """A mode that grey pictures can be brought to on the way to `mode`."""
    return mode if mode in ("L", "I", "F", "RGBA", "YCbCr") else "I" if mode == "I;16" else "RGB"


def _interval() -> dict[str, object]:
    ends = {"scores": [0.0, 100.0], "scale": [1.0, 1.0], "below": 2.0, "above": 2.0}
    power = {"least": 0.0, "middle": 1.0, "most": 9.0, "power": 0.1}
    return {"coverage": 0.9, **ends, "powers": {"spread": power}}
