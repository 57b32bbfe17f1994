"""Makes iqa_cli/baselines/niqe.safetensors: NIQE's model of undistorted photographs.

    python benchmarks/niqe_model.py shared/data/pristine

From the part train of a folder of pristine photographs (`sources.csv` beside `images/`), none of them a
picture of BIQ2021. Of each picture the patches count whose sharpness is above 0.75 of its sharpest one, as in
the paper.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from iqa_cli.baselines.niqe import MIN_SIDE, patches
from iqa_cli.datasets.pristine import read_pristine

ROOT = Path(__file__).resolve().parent.parent
SHARP = 0.75


def main(root: str) -> None:
    kept, pictures = [], 0
    for path in read_pristine(Path(root), "train"):
        with Image.open(path) as picture:
            rgb = np.array(picture.convert("RGB"))
        if min(rgb.shape[:2]) < MIN_SIDE:
            continue
        features, sharpness = patches(rgb)
        sharp = features[sharpness > SHARP * sharpness.max()]
        kept.append(sharp[np.isfinite(sharp).all(axis=1)])
        pictures += 1
    found = np.concatenate(kept)
    tensors = {"mean": found.mean(axis=0), "covariance": np.cov(found, rowvar=False)}
    about = {
        "what": "NIQE: Gaussian over the statistics of sharp patches of undistorted photographs",
        "source": f"{len(found):,} patches of {pictures} photographs of CID22, CLIC2025 and gb82",
        "licence": "Apache-2.0",
    }
    target = ROOT / "iqa_cli" / "baselines" / "niqe.safetensors"
    save_file(tensors, target, {"about": json.dumps(about)})
    print(f"{target}: {len(found):,} patches of {pictures} pictures")


if __name__ == "__main__":
    main(*sys.argv[1:])
