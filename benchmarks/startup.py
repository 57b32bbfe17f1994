"""Seconds from the shell to `iqa --help`, beside a bare interpreter and a bare `import torch`, in one run.

python benchmarks/startup.py [--runs 9]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "iqa --version": ["-m", "iqa_cli", "--version"],
    "iqa --help": ["-m", "iqa_cli", "--help"],
    "iqa models": ["-m", "iqa_cli", "models"],
    "import torch, timm": ["-c", "import torch, timm"],
}


def main() -> None:
    """Measure in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=9)
    found: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(parser.parse_args().runs + 1):
        for name, arguments in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            # The first turn fills the disk cache.
            if turn:
                found[name].append(time.perf_counter() - started)
    print("| command | median, s |\n| --- | --- |")
    for name, seconds in found.items():
        print(f"| `{name}` | {statistics.median(seconds):.2f} |")


if __name__ == "__main__":
    main()
