"""`iqa doctor`: whether this installation can do what it should, in one look."""

from __future__ import annotations

import io
import platform
import time
from collections.abc import Iterator
from importlib import metadata
from typing import Annotated, Any

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.options import TextFormat
from iqa_cli.errors import ExitCode, ImageError, IqaError
from iqa_cli.text import one_line

_HELP = """\b
Look whether this installation works.

\b
Examples:
  iqa doctor
  iqa doctor --format json

\b
Versions, devices, the formats of pictures that decode here, every weight
with its checksum, and a self-test: each weight scores a picture that the
program makes itself, and the score is compared with the one it is known to
give. Exit code 4 when a weight or the self-test fails, or a format that
always comes with Pillow does not decode.
"""

PACKAGES = ("torch", "timm", "pillow", "opencv-python", "numpy", "scipy", "safetensors", "typer")
EXTRAS = ("pillow-heif", "onnxruntime", "openvino", "ray", "pyarrow", "accelerate")
#: Format -> what Pillow calls it when it writes one, and whether every build of Pillow has it.
FORMATS = {
    "JPEG": ("JPEG", True),
    "PNG": ("PNG", True),
    "TIFF": ("TIFF", True),
    "BMP": ("BMP", True),
    "GIF": ("GIF", True),
    "PPM": ("PPM", True),
    "WebP": ("WEBP", False),
    "JPEG 2000": ("JPEG2000", False),
    "AVIF": ("AVIF", False),
    "HEIC": ("HEIF", False),
}


def doctor(
    context: typer.Context,
    output: Annotated[
        TextFormat, typer.Option("--format", help="Text for a reader, or JSON.")
    ] = TextFormat.text,
    record: Annotated[
        bool,
        typer.Option("--record", help="Keep today's scores as the known ones, beside the weights."),
    ] = False,
) -> None:
    """Look, print, and say by the exit code whether all is well."""
    from iqa_cli.cli.data_print import print_json, print_lines

    env: Environment = context.obj
    facts = {
        "versions": _versions(),
        "devices": _devices(),
        "formats": {name: _decodes(name) for name in FORMATS},
        "weights": _weights(env, record),
    }
    facts["troubles"] = troubles = list(_troubles(facts))
    if output is TextFormat.json:
        print_json(env, facts)
    else:
        print_lines(env, list(_lines(facts)))
    if troubles:
        raise typer.Exit(ExitCode.NOT_AVAILABLE)


def _versions() -> dict[str, str | None]:
    from iqa_cli import __version__

    found: dict[str, str | None] = {"iqa": __version__, "python": platform.python_version()}
    for name in (*PACKAGES, *EXTRAS):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    if found["opencv-python"] is None:  # another build, without windows
        import cv2

        found["opencv-python"] = cv2.__version__
    return found


def _devices() -> list[dict[str, Any]]:
    import torch

    facts = torch.backends.cpu.get_cpu_capability()
    devices: list[dict[str, Any]] = [
        {"device": "cpu", "name": f"{platform.machine()}, {facts}", "threads": torch.get_num_threads()}
    ]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        devices.append({"device": f"cuda:{index}", "name": torch.cuda.get_device_name(index)})
    return devices


def _decodes(name: str) -> str | None:
    """None where a picture of the format, written here, is read back; else why not."""
    import numpy as np
    from PIL import Image

    from iqa_cli.images.decode import open_photo

    writer = FORMATS[name][0]
    if writer == "HEIF":
        try:
            import pillow_heif

            pillow_heif.register_heif_opener()
        except ImportError:
            return "pip install 'iqa-cli[heif]'"
    slope = np.linspace(0, 255, 96 * 96).reshape(96, 96).astype(np.uint8)
    content = io.BytesIO()
    try:
        Image.fromarray(slope).convert("RGB").save(content, writer)
        with open_photo(content.getvalue()) as photo:
            return None if (photo.width, photo.height) == (96, 96) else "decodes to another size"
    except ImageError as error:
        return error.message
    except Exception as error:  # a codec that Pillow was built without: KeyError, OSError, ValueError
        return one_line(str(error)) or type(error).__name__


def _weights(env: Environment, record: bool) -> list[dict[str, Any]]:
    """A row for each weight: file, checksum, score of the picture and the known one."""
    from iqa_cli import load
    from iqa_cli.checksums import listed_checksum
    from iqa_cli.finding import list_weights, weight_name
    from iqa_cli.selftest import TOLERANCE, known_answer, picture, record_answers

    rows = []
    answers: dict[Any, dict[Any, float]] = {}
    for path in list_weights():
        row: dict[str, Any] = {"name": weight_name(path), "file": str(path), "error": None}
        rows.append(row)
        try:
            row["known"] = known_answer(path)
            scorer = load(path)  # compares the checksum, where one is listed
            row["checksum"] = "not listed in a SHA256SUMS" if listed_checksum(path) is None else "verified"
            began = time.perf_counter()
            score = scorer.score(picture()).score
            row["seconds"] = round(time.perf_counter() - began, 2)
        except IqaError as error:
            row["error"] = error.message
            continue
        row["score"] = None if score is None else round(score, 3)
        if score is None:
            row["error"] = "the picture got no score"
            continue
        answers.setdefault(path.parent, {})[path] = score
        if record:
            row["known"] = row["score"]
        elif row["known"] is not None and abs(score - row["known"]) > TOLERANCE:
            row["error"] = f"scores {score:.2f}, and is known to score {row['known']:.2f}"
    for scores in answers.values() if record else ():
        env.note(f"wrote {one_line(record_answers(scores))}")
    return rows


def _troubles(facts: dict[str, Any]) -> Iterator[str]:
    for name, reason in facts["formats"].items():
        if reason is not None and FORMATS[name][1]:
            yield f"{name} does not decode: {reason}"
    if not facts["weights"]:
        yield "there is no weight; put .safetensors files into a folder named by IQA_WEIGHTS"
    for row in facts["weights"]:
        if row["error"] is not None:
            yield f"{row['name']}: {row['error']}"


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    versions = facts["versions"]
    yield "versions  " + ", ".join(f"{name} {versions[name] or '-'}" for name in ("iqa", "python", *PACKAGES))
    yield "extras    " + ", ".join(f"{name} {versions[name] or '-'}" for name in EXTRAS)
    for device in facts["devices"]:
        threads = f", {device['threads']} threads" if "threads" in device else ""
        yield f"device    {device['device']}: {device['name']}{threads}"
    yield "decodes   " + ", ".join(name for name, reason in facts["formats"].items() if reason is None)
    for name, reason in facts["formats"].items():
        if reason is not None:
            yield f"          not {name}: {reason}"
    for row in facts["weights"]:
        if row["error"] is None:
            known = "no known answer" if row["known"] is None else f"known {row['known']:.2f}"
            said = f"self-test {row['score']:.2f}, {known}, {row['seconds']:.2f} s"
            yield f"weight    {row['name']}: checksum {row['checksum']}; {said}"
    yield from (f"trouble   {line}" for line in facts["troubles"])
    if not facts["troubles"]:
        yield "all is well"


doctor.__doc__ = _HELP
