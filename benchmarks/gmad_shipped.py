"""gMAD from mining to verdict with weights, on pictures that none of them has met: the run of docs/gmad.md.

    python -m benchmarks.gmad_shipped --pristine PRISTINE/ [--model mfenet --model vcrnet ...]
        [--out runs/gmad] [--precision bf16] [--root BIQ2021/] [--figure docs/gmad.jpg]

1. A pool: the photographs of the part `val` of PRISTINE at 224 pixels, with 27 distortions at levels 1, 3, 5.
2. Scores of every weight, each into a file of its own.
3. Pairs and figure, without what a weight has met; what full-reference metrics say of the pairs.
4. Votes, by a script over HTTP. NO PERSON VOTES: the script looks up which picture it was sent, and votes by
   the full-reference pseudo-MOS of the two, with noise. It shows that the path works, and says again what the
   metrics say; it is no opinion.
5. Verdict, as a table and as a page.
6. With --root, the competition on the part `val` of BIQ2021, where the opinions are known.

Every command is printed before it runs. What is there already is kept: after a break the same command goes
on, and with one --model more only that one is scored. The scores are most of the time (hours on one slow
core with mfenet); --threads takes more cores.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from iqa_cli.datasets.registry import read_database
from iqa_cli.datasets.synth_map import PseudoMos, shipped_map
from iqa_cli.datasets.synth_sources import find_sources
from iqa_cli.evaluation.full_reference import METRICS, Reference, single_thread
from iqa_cli.gmad.session import Competition, Picture, read_competition
from iqa_cli.seen import hash_file, read_seen, seen_path
from iqa_cli.weights import find_several

SIZE, LEVELS = 224, "1,3,5"
OBSERVERS = 5
#: Of the script: standard deviation of what it takes for the pseudo-MOS (0 to 1) of a picture, and the
#: smallest difference that it speaks of.
NOISE, JUST_NOTICED = 0.05, 0.05


def iqa(*arguments: object, into: Path | None = None, fine: Sequence[int] = (0,)) -> None:
    """Print and run a command; its output goes into a file that is there only when it is whole."""
    command = [sys.executable, "-m", "iqa_cli", *map(str, arguments)]
    shown = shlex.join(["iqa", *map(str, arguments)]) + (f" > {into}" if into else "")
    print(f"\n$ {shown}", flush=True)
    began = time.monotonic()
    if into is None:
        done = subprocess.run(command)
    else:
        into.parent.mkdir(parents=True, exist_ok=True)
        part = into.with_name(f"{into.name}.part")
        with part.open("wb") as file:
            done = subprocess.run(command, stdout=file)
    if done.returncode not in fine:
        sys.exit(f"failed with {done.returncode}: {shown}")
    if into is not None:
        part.replace(into)
    print(f"# {time.monotonic() - began:.1f} s", flush=True)


def scored(
    models: Sequence[str], pictures: Sequence[object], folder: Path, how: Sequence[object]
) -> list[str]:
    """Score pictures with each weight that has no file yet; NAME=FILE of each."""
    files = [folder / f"{name}.jsonl" for name in models]
    for name, file in zip(models, files, strict=True):
        if not file.exists():
            iqa("score", *pictures, "--model", name, *how, "--format", "jsonl", "-q", into=file)
    return [f"{name}={file}" for name, file in zip(models, files, strict=True)]


def tell_unseen(pristine: Path, models: Sequence[str]) -> None:
    """Whether a weight has met one of the photographs themselves, at their full size."""
    hashes = [hash_file(source.path) for source in find_sources(pristine, "val")]
    for path, card in find_several(models):
        seen = read_seen(seen_path(path))
        met, near = sum(map(seen.met, hashes)), sum(map(seen.near, hashes))
        found = f"of {len(hashes)} photographs {met} met, {near} resembling one that was"
        print(f"# {card.name}: {len(seen):,} hashes; {found}")


def tell_pairs(competition: Competition) -> None:
    """The pairs by what was done to their pictures, and how often each type stands on either side."""
    print("\n| defender | level | attacker | its better picture | its worse picture | differ by |")
    print("|---|---|---|---|---|---|")
    for pair in competition.mined:
        if pair.rank <= 2:
            better, worse = (
                f"{Path(p.path).parent.name} {Path(p.path).stem}" for p in (pair.first, pair.second)
            )
            names = f"| {pair.defender} | {pair.level} | {pair.attacker} | {better} | {worse} |"
            print(f"{names} {pair.attacker_difference:.1f}, {abs(pair.defender_difference):.2f} |")
    for attacker in competition.models:
        for side in ("first", "second"):
            kinds = Counter(
                Path(getattr(pair, side).path).stem.rpartition("_")[0] or "reference"
                for pair in competition.mined
                if pair.attacker == attacker
            )
            often = ", ".join(f"{kind} {number}" for kind, number in kinds.most_common(5))
            print(f"# attacks of {attacker}, {'better' if side == 'first' else 'worse'} pictures: {often}")


class Script:
    """Somebody who knows the pseudo-MOS of the pictures of a competition and nothing of models."""

    def __init__(self, competition: Competition) -> None:
        self._quality: dict[str, float] = {}
        references: dict[Path, Reference] = {}
        maps, _ = shipped_map()
        with single_thread():
            for pair in competition.pairs:
                for picture, first in ((pair.first, True), (pair.second, False)):
                    # Of a catch trial the first is the better one.
                    value = float(first) if pair.catch else _pseudo_mos(picture, references, maps)
                    self._quality[_digest(Path(picture.path).read_bytes())] = value

    def votes(self, address: str, name: str, seed: int) -> None:
        """Judge all pairs at the address of `iqa gmad --judge`."""
        rng = np.random.default_rng(seed)
        place = urlsplit(address)
        line = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        line.request("GET", f"{place.path}?{place.query}")
        first = line.getresponse()
        cookie = (first.getheader("Set-Cookie") or "").partition(";")[0]
        first.read()

        def ask(path: str, body: object = None) -> bytes:
            headers = {"Cookie": cookie, "Content-Type": "application/json"}
            content = None if body is None else json.dumps(body)
            line.request("GET" if content is None else "POST", path, content, headers)
            answer = line.getresponse()
            said = answer.read()
            if answer.status != 200:
                sys.exit(f"{path}: {answer.status} {said[:200]!r}")
            return said

        state = json.loads(ask("/join", {"name": name}))
        while state["position"] is not None:
            seen = [
                self._quality[_digest(ask(f"/picture/{state['observer']}/{state['position']}/{side}"))]
                + NOISE * rng.normal()
                for side in ("left", "right")
            ]
            apart = seen[0] - seen[1]
            choice = "none" if abs(apart) < JUST_NOTICED else "left" if apart > 0 else "right"
            vote = {"observer": state["observer"], "position": state["position"], "choice": choice}
            state = json.loads(ask("/vote", vote))
        print(f"# {name}: {state['done']} of {state['total']} pairs judged", flush=True)


def judged(folder: Path) -> None:
    """Serve the page and let the script vote on it."""
    script = Script(read_competition(folder))
    command = [sys.executable, "-m", "iqa_cli", "gmad", "--judge", str(folder), "--port", "0"]
    print(f"\n$ iqa gmad --judge {folder} --port 0    # votes are a script's", flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        try:
            for number in range(1, OBSERVERS + 1):
                script.votes(address, f"script {number}", number)
        finally:
            server.terminate()


def opinions(models: Sequence[str], root: Path, out: Path, how: Sequence[object], pairs: int) -> None:
    """The competition on photographs with known opinions, which needs no votes."""
    records = read_database("biq2021", root).part("val")
    listed = out / "biq2021-val.txt"
    listed.write_text("".join(f"{record.path}\n" for record in records))
    files = scored(models, ["--files-from", listed], out / "biq2021-val", how)
    given = [part for file in files for part in ("--model", file)]
    unseen = [part for name in models for part in ("--unseen-by", name)]
    pool = ["--dataset", "biq2021", "--root", root, "--split", "val"]
    iqa("gmad", *given, *pool, *unseen, "--pairs", pairs, "--tolerance", 2)


def main() -> None:
    """Run what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pristine", type=Path, required=True)
    parser.add_argument("--model", action="append", help="all that are shipped")
    parser.add_argument("--out", type=Path, default=Path("runs/gmad"))
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--root", type=Path, help="of BIQ2021")
    parser.add_argument("--figure", type=Path, help="a smaller copy of the figure, JPEG")
    given = parser.parse_args()
    models = given.model or ["mfenet", "vcrnet", "qfm-iqm"]
    how = ["--precision", given.precision, "--threads", given.threads]
    pool = given.out / "pool"
    made = ["--size", SIZE, "--levels", LEVELS, "--pictures-only", "--workers", given.threads]
    iqa("data", "synth", "--from", given.pristine, "--part", "val", *made, "--out", pool)
    files = scored(models, ["-r", pool / "images"], given.out / "scores", how)
    print()
    tell_unseen(given.pristine, models)
    folder = given.out / "+".join(models)
    if not (folder / "votes.sqlite").exists():
        competitors = [part for file in files for part in ("--model", file)]
        unseen = [part for name in models for part in ("--unseen-by", name)]
        further = ["--pairs", given.pairs, "--proxy"]
        iqa("gmad", *competitors, pool, *unseen, *further, "-o", folder)
        judged(folder)
    tell_pairs(read_competition(folder))
    iqa("gmad", "--verdict", folder)
    iqa("gmad", "--report", folder)
    if given.figure is not None:
        # Of the first two; the command writes them in the order given.
        drawn = min(folder.glob("figure-*.png"), key=lambda path: path.stat().st_mtime_ns)
        with Image.open(drawn) as figure:
            figure.convert("RGB").save(given.figure, quality=75, optimize=True, dpi=(300, 300))
    if given.root is not None:
        opinions(models, given.root, given.out, how, given.pairs)


def _pseudo_mos(picture: Picture, references: dict[Path, Reference], maps: PseudoMos) -> float:
    file = Path(picture.reference or "")
    if file not in references:
        references[file] = Reference(_pixels(file))
    found = references[file].compare(_pixels(Path(picture.path)))
    return float(maps({name: [found[name]] for name in METRICS})[0])


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
