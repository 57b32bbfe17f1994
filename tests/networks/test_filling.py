"""Networks are built once, and what no file brings is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from iqa_cli.card import LADDER, Card
from iqa_cli.finding import find_weights
from iqa_cli.networks import filling
from iqa_cli.networks.registry import build
from iqa_cli.weights import load_network, save_weights, shipped_state
from tests.conftest import ROOT
from tests.scoring.conftest import SHIPPED

# What each network can be made of at its smallest, one with constants of a backbone (positions of a ViT).
SMALL = {
    "mfenet": {"van": "tiny", "dan": "none", "hfen": "laplacian", "head_width": 8},
    "vcrnet": {"backbone": "tiny", "restoration": "tiny", "head_width": 8},
    "qfm-iqm": {"backbone": "test_efficientnet", "width": 12, "heads": 2, "queries": 2, "memory": 8},
}


def save(folder: Path, name: str, network: torch.nn.Module) -> Path:
    """A weight of a network with random values."""
    output = {
        "range": [0, 100],
        "direction": "higher is better",
        "scale": "none",
        "calibration": {"kind": "logistic", "b1": 100.0, "b2": 0.0, "b3": 0.5, "b4": 0.1},
        "ladder": LADDER,
    }
    card = Card(name="small", network=name, config=network.config.to_dict(), input={}, output=output)  # type: ignore
    path = folder / "small.safetensors"
    save_weights(path, shipped_state(network), card, half=False)
    return path


def make_branched(folder: Path) -> Path:
    """A weight of an MFE-Net with a distortion branch, never trained, that names nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = {"van": "tiny", "hfen": "none", "ffm": False, "head_width": 8}
        return save(folder, "mfenet", build("mfenet", config).eval())


@pytest.mark.parametrize("name", SMALL)
def test_a_loaded_network_is_complete_and_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = build(name, SMALL[name]).eval()
    path = save(tmp_path, name, network)
    built = []

    def counted(*arguments: object) -> torch.nn.Module:
        built.append(arguments)
        return build(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(filling, "build", counted)
    again = load_network(path)[1]
    assert not any(value.is_meta for value in (*again.parameters(), *again.buffers()))
    picture = torch.rand(2, 3, 64, 80)
    with torch.no_grad():
        assert torch.equal(again(picture), network(picture))
    # The Laplacian of the ablation is a constant that no file has; everything else is built once.
    assert len(built) == (2 if name == "mfenet" else 1)


def test_a_first_score_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """timm takes as long to import as torch, and so does torch's compiler, which a single random fill of a
    tensor without memory brings in."""
    van = build("mfenet", {"van": "tiny", "head_width": 8, "distortions": ["white_noise"]})
    files = [str(find_weights(name)) for name in SHIPPED] + [str(save(tmp_path, "mfenet", van))]
    code = f"""
import sys
import numpy as np
from iqa_cli import load
for path in {files!r}:
    load(path, device="cpu", threads=1).predict_crops(np.zeros((1, 64, 64, 3), np.uint8))
heavy = ("timm", "torchvision", "sympy", "torch._dynamo", "cv2", "scipy")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
