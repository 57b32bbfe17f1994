"""Time and memory of gMAD mining by the size of the pool, beside brute force where that finishes.

    python -m benchmarks.gmad_mining [--sizes 1000,10000,100000,1000000] [--pairs 10] [--contents] [--command]

Scores are two noisy views of one quality, put on the rank scale; mined is one ordered pair of models over
the whole pool with a tolerance of 1 point. Brute force forms all pairs once, row by row, and so finds only
the first of the pairs; where it ran, the line says whether it is the same. `--contents` keeps four pictures
of one content apart. n log n is the time of the smallest pool from 10,000 pictures on, scaled. `--command`
also runs `iqa gmad --a FILE --b FILE` on the largest pool: reading, joining, both directions at two levels.
Seconds are of the processor (mining is of one thread), so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from iqa_cli.evaluation.gmad import Floats, Ints, mine
from iqa_cli.evaluation.gmad_scale import ranks

#: Forming all pairs takes minutes above.
_BRUTE_FORCE_MAX = 30_000


def brute_force(defender: Floats, attacker: Floats, tolerance: float, apart: Ints | None) -> float:
    """The largest attacker difference of all pairs within the tolerance."""
    best = 0.0
    for row in range(len(defender)):
        near = np.abs(defender - defender[row]) <= tolerance
        if apart is not None:
            near &= apart != apart[row]
        if near.any():
            best = max(best, float(attacker[row] - attacker[near].min()))
    return best


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000,1000000")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--contents", action="store_true")
    parser.add_argument("--command", action="store_true")
    given = parser.parse_args()
    unit = 0.0
    for size in map(int, given.sizes.split(",")):
        rng = np.random.default_rng(size)
        quality = rng.normal(size=size)
        defender, attacker = (ranks(quality + 0.5 * rng.normal(size=size)) for _ in range(2))
        apart = rng.integers(0, max(1, size // 4), size) if given.contents else None
        started = time.process_time()
        found = mine(defender, attacker, given.pairs, 1.0, apart=apart)
        seconds = time.process_time() - started
        if size >= 10_000 and not unit:
            unit = seconds / (size * math.log(size))
        line = f"{size:>9,} pictures: {seconds:8.3f} s for {len(found)} pairs"
        if unit:
            line += f" (n log n: {unit * size * math.log(size):.3f})"
        if size <= _BRUTE_FORCE_MAX:
            started = time.process_time()
            best = brute_force(defender, attacker, 1.0, apart)
            same = "the same" if best == found[0].attacker_difference else "ANOTHER"
            line += f", brute force {time.process_time() - started:.3f} s for one, {same}"
        print(line, flush=True)
    if given.command:
        whole_command(defender, attacker, given.pairs)


def whole_command(defender: Floats, attacker: Floats, pairs: int) -> None:
    """Write the scores, run the command, and print its time and memory."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.csv" for name in "ab"]
        for file, scores in zip(files, (defender, attacker), strict=True):
            rows = (f"pool/p{place:07}.png,{score:.8g}\n" for place, score in enumerate(scores))
            file.write_text("path,score\n" + "".join(rows))
        command = [sys.executable, "-m", "iqa_cli", "gmad", "--a", files[0], "--b", files[1], "-k", pairs]
        subprocess.run([*map(str, command), "--format", "csv", "-q"], check=True, stdout=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime
    print(f"iqa gmad of {len(defender):,}: {seconds:.1f} s, at most {used.ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
