"""A folder of files through one real `iqa score`: what came of each, in what time and memory.

One process for all of them, as a user would run it: what a bad file leaves behind would show in the next. The
network is the tiny one of the tests with small crops, since it is the decoders that are tried.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iqa_cli.images.policy import SizePolicy
from tests.conftest import ROOT
from tests.tinyweight import make_tiny_weight

#: What no file may take: seconds of the processor, and MiB beyond the imports.
SECONDS, MEBIBYTES = 10.0, 1024.0
_POLICY = SizePolicy(crop=64, near_side=128, reduced_side=128, native_crops=2)
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Look:
    """What came of a file.

    Attributes:
        path: The file.
        digest: The first 16 hex digits of its SHA-256.
        outcome: "scored WxH", or the error of its row.
        seconds: Of the processor, from the row before to this one.
        mebibytes: Peak memory of the process at this row, beyond that at the first row.
    """

    path: Path
    digest: str
    outcome: str
    seconds: float
    mebibytes: float


def different_files(folder: Path) -> dict[Path, str]:
    """All regular files below a folder, sorted, each content once; with their digests."""
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        found.setdefault(hashlib.sha256(path.read_bytes()).hexdigest()[:16], path)
    return {path: digest for digest, path in found.items()}


def look(folder: Path, *options: str) -> Iterator[Look]:
    """Score all files below a folder. Linux only.

    Args:
        folder: The files.
        options: Further ones of `iqa score`, such as the model; the tiny network by default.

    Raises:
        AssertionError: The process died, said something on stderr that it should not, or left a file out.
    """
    files = different_files(folder)
    with tempfile.TemporaryDirectory() as scratch:
        environ = {**os.environ, "OMP_NUM_THREADS": "1"}
        if not options:
            make_tiny_weight(Path(scratch), ROOT / "examples", policy=_POLICY)
            environ["IQA_WEIGHTS"] = scratch
        listed = Path(scratch) / "list"
        # The first file is read and scored before memory is counted.
        listed.write_bytes(b"\0".join(os.fsencode(path) for path in [ROOT / "examples/dog.jpg", *files]))
        command = [sys.executable, "-m", "iqa_cli", "score", "--files-from", str(listed), "-0"]
        command += ["--format", "jsonl", "--threads", "1", "--batch-size", "1", *options]
        with (Path(scratch) / "stderr").open("w+") as errors:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=errors, text=True
            )
            yield from _rows(process, files)
            code = process.wait()
            errors.seek(0)
            # libtiff in Pillow's wheels says on its own that it was built without WebP.
            said = [line for line in errors.read().splitlines() if not line.startswith("tempfile.tif: ")]
    # One line that counts the failed files is what there should be.
    assert code in (0, 3), f"exit code {code}: {said[-3:]}"
    assert len(said) <= 1, f"on stderr: {said}"


def _rows(process: subprocess.Popen[str], files: dict[Path, str]) -> Iterator[Look]:
    assert process.stdout is not None
    wanted = iter(files.items())
    before, beginning = 0.0, None
    for line in process.stdout:
        row = json.loads(line)
        seconds, peak = _seconds(process.pid), _peak(process.pid)
        if beginning is None:
            before, beginning = seconds, peak
            continue
        path, digest = next(wanted)
        assert row["path"] == str(path), f"{row['path']} instead of {path}"
        outcome = row["error"] or f"scored {row['width']}x{row['height']}"
        assert row["error"] or 0 <= row["score"] <= 100, f"{path}: {row}"
        assert outcome.isprintable(), f"{path}: {outcome!r}"
        # Addresses in messages of Pillow differ from run to run.
        outcome = re.sub(r"\b0x[0-9a-f]{6,}", "0x...", outcome)
        yield Look(path, digest, outcome, round(seconds - before, 2), round(peak - beginning, 1))
        before = seconds
    left = next(wanted, None)
    assert left is None, f"the process ended at or before {left}"


def _seconds(process: int) -> float:
    """Seconds that a process has computed, in all its threads; 0 where it has ended."""
    try:
        cells = Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1].split()
    except OSError:
        return 0.0
    return (int(cells[11]) + int(cells[12])) / _TICKS


def _peak(process: int) -> float:
    """Peak memory of a process in MiB; 0 where it has ended."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0
