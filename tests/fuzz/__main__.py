"""Coverage-guided fuzzing of one target with atheris (the extra `fuzz`: Linux, x86, Python 3.11 to 3.13).

    python -m tests.fuzz decoding --seconds 3600 --folder /tmp/fuzz

The folder gets `corpus/` (inputs that reached new code; the same command goes on with them) and, for a
finding, a file `crash-...`, `timeout-...` or `oom-...`, with which `--replay FILE` shows what is wrong. A
finding ends the run. Atheris sees branches of Python only, ours and those of Pillow and openpyxl: the
decoders in C are reached, and not guided through.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).parent / "corpus"
# Wrong beyond an exception: an input that takes so long, or so much memory (torch has 400 MB of it).
_LIMITS = ["-timeout=10", "-rss_limit_mb=1500", "-max_len=32768"]


def main() -> None:
    """Fuzz or replay."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=["decoding", "weights", "readers"])
    parser.add_argument("--seconds", type=int, default=60, help="More than 0.")
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--folder", type=Path, default=Path("fuzzing"))
    parser.add_argument("--replay", type=Path, nargs="+")
    options, further = parser.parse_known_args()
    if options.replay:
        from tests.fuzz.targets import TARGETS

        for path in options.replay:
            print(f"{path}: {TARGETS[options.target](path.read_bytes()) or 'fine'}")
        return
    import atheris

    with atheris.instrument_imports(include=["iqa_cli", "PIL", "openpyxl"]):
        from tests.fuzz.targets import TARGETS, remove_folders
    from tests.fuzz.seeds import SEEDS

    seeds, corpus = options.folder / "seeds" / options.target, options.folder / "corpus" / options.target
    for folder in (seeds, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    target = TARGETS[options.target]
    for number, content in enumerate(SEEDS[options.target](ROOT / "examples")):
        (seeds / f"{number:03}").write_bytes(content)
        # Whatever is imported on the way is so now, and not within the time of an input.
        target(content)

    ends, done = time.monotonic() + options.seconds, 0

    def once(data: bytes) -> None:
        nonlocal done
        if time.monotonic() >= ends:
            # Not by -max_total_time: atheris 3.0.0 sometimes takes its own exit there for a finding.
            print(f"{done} inputs in {options.seconds} s, no finding", file=sys.stderr, flush=True)
            remove_folders()
            os._exit(0)
        target(data)
        done += 1

    artifacts = f"-artifact_prefix={options.folder}/{options.target}-"
    places = [str(corpus), str(seeds), str(KEPT / options.target)]
    atheris.Setup([sys.argv[0], *_LIMITS, f"-runs={options.runs}", artifacts, *further, *places], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
