"""Mean PSNR, SSIM and CIEDE2000 of every distortion and level over photographs, as a Markdown table.

python -m benchmarks.distortion_severity [FOLDER] [--side 128]

By default over the `val` part of the pristine photographs; for distortions of colour alone without those in
greys. Needs the extra `dev`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from iqa_cli.images.distortions import DISTORTIONS
from tests.images.distortion_severity import centre, held_out, ladders


def main() -> None:
    """Print a row per distortion; out of order: pictures not worse at some level, by each metric in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--side", type=int, default=128)
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*.[jp][pn]g")) if options.folder else held_out()
    pictures = [centre(path, options.side) for path in paths]
    print(f"{len(pictures)} pictures, {options.side} x {options.side}\n")
    print("| distortion | pictures | PSNR, dB | SSIM | CIEDE2000 | pictures out of order |")
    print("| --- | ---: | --- | --- | --- | --- |")
    for name in DISTORTIONS:
        found = ladders(name, pictures)
        psnr, ssim, colour = found.mean(0).T
        broken = (np.diff(found, axis=1) >= 0).any(1).sum(0)
        cells = [
            f"`{name}`",
            str(len(found)),
            " ".join(f"{value:.1f}" for value in psnr),
            " ".join(f"{value:.3f}" for value in ssim),
            " ".join(f"{-value:.1f}" for value in colour),
            " ".join(map(str, broken)),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
