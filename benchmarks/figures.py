"""Measures the shipped weights again and writes what was measured wherever it is shown.

python -m benchmarks.figures --root BIQ2021/ [--only mfenet] [--store scores.db]

1. docs/results.md: the table that its own command gives, and the checksums as they are after step 3.
2. README.md: the tables behind the commands of `README_TABLES`.
3. `iqa eval --split val --record` of each weight in `weights/`: the figures on its card, and its checksum.
4. Figures of README.md that no card has are named, since sentences are not written by a program.

`--only` names the weights of step 3 (the others have not changed); `--only none` leaves it out. The commands
share a store, so that each weight scores the 740 photographs once: five to twenty minutes on two cores. It
comes last because a card with other figures is another file, of which the store knows nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from iqa_cli.weights import read_card

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "weights"
#: As the pages call the given copy of the database.
CALLED = "../shared/data/biq2021"
#: Columns of the terminal that the README shows.
WIDTH = 110
#: Commands of the README whose output stands in the next block.
README_TABLES = (
    "iqa score examples/*.jpg --sort score",
    f"iqa eval --root {CALLED} --split val",
    f"iqa eval --root {CALLED} --split val --baseline brisque --baseline niqe --baseline piqe "
    "--baseline laplacian",
)


def printed(command: str, root: Path, store: Path) -> str:
    """What a command of a page prints, as a table without colours; weights score what the store lacks."""
    words = [
        part
        for word in shlex.split(command.replace(CALLED, shlex.quote(str(root))))[1:]
        for part in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
    ]
    if "--format" not in words:
        words += ["--format", "table"]
    if words[0] == "score" or "--model" in words or "--baseline" not in words:
        words += ["--store", str(store)]
    env = {**os.environ, "COLUMNS": str(WIDTH), "NO_COLOR": "1"}
    made = subprocess.run(
        [sys.executable, "-m", "iqa_cli", *words], capture_output=True, text=True, check=True, env=env
    )
    return "\n".join(line.rstrip() for line in made.stdout.strip("\n").splitlines())


def with_output(page: str, command: str, output: str) -> str:
    """A page with another content of the first block of text behind a command.

    Raises:
        ValueError: The command is not on the page, or no block follows.
    """
    begin = page.find(command)
    found = re.compile(r"```text\n.*?\n```", re.DOTALL).search(page, max(begin, 0))
    if begin < 0 or found is None:
        raise ValueError(f"no block behind: {command}")
    return f"{page[: found.start()]}```text\n{output}\n```{page[found.end() :]}"


def checksums(root: Path) -> str:
    """Those of the weights, and of the opinions."""
    labels = hashlib.sha256((root / "labels.csv").read_bytes()).hexdigest()
    return f"{(WEIGHTS / 'SHA256SUMS').read_text().strip()}\n{labels}  labels.csv"


def results(page: str, sums: str, table: str) -> str:
    """docs/results.md with other checksums and another table, which is all behind them."""
    head, _, rest = page.partition("```text\n")
    _, _, behind = rest.partition("\n```")
    sentence, _, _ = behind.partition(".\n")
    return f"{head}```text\n{sums}\n```{sentence}.\n\n{table.strip()}\n"


def unknown_figures(page: str, srcc: Mapping[str, float]) -> list[str]:
    """SRCC that a page's sentences state and no card has."""
    known = {f"{value:.4f}" for value in srcc.values()}
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    return sorted({found for found in re.findall(r"SRCC (0\.\d{4})\b", prose) if found not in known})


def write_pages(root: Path, store: Path, only: Sequence[str] | None) -> None:
    """Steps 1 to 3."""
    page, readme = ROOT / "docs" / "results.md", ROOT / "README.md"
    text, tour = page.read_text(encoding="utf-8"), readme.read_text(encoding="utf-8")
    (command,) = re.findall(r"```sh\n(iqa eval .*?) -o results.md\n```", text, re.DOTALL)
    table = printed(command.replace("\\\n", " "), root, store)
    print(table, flush=True)
    for command in README_TABLES:
        tour = with_output(tour, command, printed(command, root, store))
    for path in sorted(path for path in WEIGHTS.glob("*.safetensors") if ".seen." not in path.name):
        if only is None or path.name.removesuffix(".safetensors") in only:
            printed(f"iqa eval --root {CALLED} --split val --model {path} --record", root, store)
            print(f"{path.name}: figures on its card", flush=True)
    page.write_text(results(text, checksums(root), table), encoding="utf-8")
    readme.write_text(tour, encoding="utf-8")


def main() -> None:
    """Write the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--only", nargs="+", help="weights to measure for their cards; default: all")
    parser.add_argument("--store", type=Path, help="scores of the same weights, of iqa eval --store before")
    given = parser.parse_args()
    root = given.root.resolve()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        write_pages(root, given.store or Path(folder) / "scores.db", given.only)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    cards = [read_card(path) for path in WEIGHTS.glob("*.safetensors") if ".seen." not in path.name]
    srcc = {
        f"{c.name} {i}": entry["srcc"]
        for c in cards
        for i, entry in enumerate([*c.results, *c.training])
        if "srcc" in entry
    }
    for figure in unknown_figures(text, srcc):
        print(f"README.md: SRCC {figure} is on no card")


if __name__ == "__main__":
    main()
