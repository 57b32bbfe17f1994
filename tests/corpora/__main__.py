"""Look at every file of the corpora and write their list of outcomes, `outcomes.tsv`.

    python -m tests.corpora FOLDER [-o tests/corpora/outcomes.tsv] [--model mfenet]

FOLDER has a folder for each corpus; how they are fetched is in `SECURITY.md`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import PIL

from tests.corpora import looking


def main() -> None:
    """Look, write, and say what took most."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("outcomes.tsv"))
    parser.add_argument("--model", help="a shipped weight instead of the tiny one of the tests")
    options = parser.parse_args()
    looks = []
    with options.output.open("w", encoding="utf-8") as file:
        file.write(f"# Pillow {PIL.__version__}\n")
        for look in looking.look(options.folder, *(("--model", options.model) if options.model else ())):
            looks.append(look)
            file.write(f"{look.digest}\t{look.outcome}\t{look.path.relative_to(options.folder)}\n")
            file.flush()
            if look.seconds > looking.SECONDS or look.mebibytes > looking.MEBIBYTES:
                print(f"over the limits: {look}")
    scored = sum(look.outcome.startswith("scored") for look in looks)
    print(f"{len(looks)} different files: {scored} scored, {len(looks) - scored} with an error")
    slowest = max(looks, key=lambda look: look.seconds)
    print(f"most seconds: {slowest.seconds} ({slowest.path.name}); memory: {looks[-1].mebibytes} MiB")


if __name__ == "__main__":
    main()
