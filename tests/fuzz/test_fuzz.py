"""Short runs of what is fuzzed at length by `python -m tests.fuzz`: all that it begins with, all that it has
found, and some damage to both."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fuzz.__main__ import KEPT
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_what_fuzzing_begins_with_is_read(target: str, examples: Path) -> None:
    said = [TARGETS[target](content) for content in SEEDS[target](examples)]
    # Else the harness would be fuzzing the refusals only.
    assert said.count("") >= len(said) * 0.7


@pytest.mark.parametrize("target", TARGETS)
def test_what_fuzzing_has_found_gives_no_finding(target: str) -> None:
    kept = sorted((KEPT / target).iterdir())
    assert kept
    for path in kept:
        TARGETS[target](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_random_damage_gives_no_finding(target: str, examples: Path) -> None:
    chance = random.Random(target)
    seeds = [seed for seed in SEEDS[target](examples) if not seed.startswith(b"n")]
    said = set()
    for _ in range(200):
        damaged = bytearray(chance.choice(seeds))
        for _ in range(chance.choice([1, 2, 8])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        said.add(TARGETS[target](bytes(damaged[: chance.choice([len(damaged), chance.randrange(1, 4000)])])))
    assert len(said) > 3


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
@pytest.mark.parametrize("target", TARGETS)
def test_a_minute_of_coverage_guided_fuzzing(target: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", target, "--seconds", "60", "--folder", str(tmp_path)]
    # By a shell: a child of this process counts the memory that this one has had as its own.
    shell = ["sh", "-c", 'timeout 500 "$@"; exit $?', "sh", *command]
    done = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
