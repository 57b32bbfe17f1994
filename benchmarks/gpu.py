"""Scoring of JPEGs end to end beside the bare network on prepared tensors; prints a Markdown table.

    python -m benchmarks.gpu [WEIGHT] [--device cuda] [--precision fp16] [--number 2000] [--processes 8]

The pictures are JPEGs of 512x512 pixels, cut out of the examples. "Bare" is the network alone on a batch
that lies on the device, as many crops as the pictures have; "threads" is `score_many` of the files, which
decodes in threads; "processes" the same of arrays that a pool of processes has decoded. Clock, pictures a
second, the best of the turns; a GPU is waited for. "Of bare" is what the rest leaves of the network's rate.
On a CPU, where the network and the decoders share the cores, it says no more than that the script runs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from iqa_cli import load
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.scoring.scorer import Scorer

# torch is imported where it is needed only: the processes that decode import this file too.

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SIDE = 512


def pictures(folder: Path, number: int) -> list[Path]:
    """So many JPEGs of 512x512, each at another place of an example."""
    whole = []
    for path in sorted(EXAMPLES.glob("*.jpg")):
        with Image.open(path) as image:
            picture = image.convert("RGB")
        scale = max(1.0, 1.2 * SIDE / min(picture.size))
        whole.append(picture.resize((round(scale * picture.width), round(scale * picture.height))))
    rng = np.random.default_rng(0)
    files = []
    for i in range(number):
        picture = whole[i % len(whole)]
        x, y = (int(rng.integers(0, side - SIDE + 1)) for side in picture.size)
        files.append(folder / f"{i:06}.jpg")
        picture.crop((x, y, x + SIDE, y + SIDE)).save(files[-1], quality=90)
    return files


def decoded(path: Path) -> np.ndarray:
    """RGB [H, W, 3] as it is displayed."""
    with open_photo(path) as photo:
        return photo.region(0, 0, photo.width, photo.height)


def bare(scorer: Scorer, crops: int, number: int) -> Callable[[], object]:
    """The network on a batch that is on the device, until so many pictures' crops are done."""
    import torch

    from iqa_cli.scoring.cropnet import CropNetwork

    network = scorer._network
    assert isinstance(network, CropNetwork)
    side, batch = scorer.policy.crop, network.batch_size
    x = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8).to(network.device)
    turns = -(-crops * number // batch)

    def run() -> None:
        for _ in range(turns):
            found = network._columns(x)
        found.cpu()  # waits

    return run


def in_processes(files: list[Path], processes: int) -> Iterator[np.ndarray]:
    """The files decoded, in their order."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(decoded, files, chunksize=4)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("weight", nargs="?", default="mfenet")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", default="fp16", choices=("fp32", "bf16", "fp16"))
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--number", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    scorer = load(
        options.weight, device=options.device, precision=options.precision, batch_size=options.batch_size
    )
    with tempfile.TemporaryDirectory() as name:
        files = pictures(Path(name), options.number)
        with open_photo(files[0]) as photo:
            crops = sum(1 for _ in iter_crops(photo, scorer.policy, quick=True))
        ways: dict[str, Callable[[], object]] = {
            "bare": bare(scorer, crops, len(files)),
            "threads": lambda: list(scorer.score_many(files)),
            "processes": lambda: list(scorer.score_many(in_processes(files, options.processes))),
        }
        rates = dict.fromkeys(ways, 0.0)
        for way in ways.values():  # what is done once: kernels chosen, memory taken, the disk's cache filled
            way()
        for _ in range(options.turns):
            for way, run in ways.items():
                began = time.perf_counter()
                run()
                rates[way] = max(rates[way], len(files) / (time.perf_counter() - began))
    print(f"{options.weight}, {scorer.device}, {scorer.precision}, {len(files)} pictures of {crops} crops\n")
    print("| way | pictures a second | of bare |\n| --- | --: | --: |")
    for way, rate in rates.items():
        print(f"| {way} | {rate:.1f} | {rate / rates['bare']:.0%} |")


if __name__ == "__main__":
    main()
