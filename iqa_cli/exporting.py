"""A weight as an ONNX file: the network as it scores, with everything on it that a score needs.

The graph takes `rgb`, float32 [N, 3, S, S] in 0 to 1, any N, and gives `raw` [N], and of a network that names
distortions `types` and `levels` (`iqa_cli.networks.said`). What turns these into a score is in the metadata
of the file: `iqa_card` is the card (size policy, calibration, what it was trained on), `iqa_weight` the name
and SHA-256 of the weight that it was made of.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

import iqa_cli
from iqa_cli.errors import UsageError, WeightsError
from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.networks.said import Said
from iqa_cli.networks.same_padding import pad_by_parity
from iqa_cli.text import one_line
from iqa_cli.weights import CARD_KEY, find_weights, load_network

WEIGHT_KEY = "iqa_weight"
#: What the outputs may differ by from those of torch, MOS in 0 to 1: a hundredth of a point before the
#: calibration.
TOLERANCE = 1e-4

_INPUT = "rgb"
_ABOUT = (
    "rgb: float32 [N, 3, S, S], sRGB in 0 to 1. raw: predicted MOS of each crop, 0 to 1, not bounded, higher "
    "is better. A score is made of the crops of a picture by the size policy (input) and the calibration "
    "(output.calibration) of the card in the metadata entry iqa_card. iqa score FILE.onnx does all of it."
)


def export_network(name_or_path: str | Path, *, any_size: bool = False) -> bytes:
    """A weight as the content of an ONNX file.

    Batch norms are folded. Where ONNX Runtime is installed, the graph is computed by it on noise and compared
    with torch.

    Args:
        name_or_path: What `find_weights` takes.
        any_size: Leave height and width free, not only the batch. Scoring needs no other size than that of
            the crops; freeing it takes the exporter minutes.

    Raises:
        UsageError: The packages that export are not installed.
        WeightsError: As `load_network`; or the network cannot be exported; or the graph gives other numbers.
    """
    if find_spec("onnx") is None or find_spec("onnxscript") is None:
        raise UsageError("exporting needs ONNX", hint="pip install 'iqa-cli[onnx]'")
    path = find_weights(name_or_path)
    card, network = load_network(path)
    said = Said(fold_batchnorms(network)).eval().requires_grad_(False)
    pad_by_parity(said)
    side = card.policy().crop
    # A batch of 1 would be taken for a constant, and equal sides, where they are free, for one and the same.
    example = torch.rand(2, 3, side, side + 32 * any_size, generator=torch.Generator().manual_seed(1))
    free = dict.fromkeys((0, 2, 3) if any_size else (0,), torch.export.Dim.DYNAMIC)
    try:
        with warnings.catch_warnings(), _quiet(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(said, (example,), dynamic_shapes=(free,))
            made: Any = torch.onnx.export(
                program, dynamo=True, input_names=[_INPUT], output_names=list(said.outputs), verbose=False
            )
    except Exception as error:  # of many kinds, and thousands of characters long
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(
            f"{one_line(path)}: the network '{card.network}' cannot be exported ({one_line(lines[0][:200])})"
        ) from error
    model = made.model_proto
    model.producer_name, model.producer_version = "iqa", iqa_cli.__version__
    model.doc_string = _ABOUT
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for key, value in ((CARD_KEY, card.to_json()), (WEIGHT_KEY, f"{path.name} {digest}")):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    content: bytes = model.SerializeToString()
    if find_spec("onnxruntime") is not None:
        sizes = [(3, side, side), (1, side, side)]
        _compare(path, said, content, [*sizes, (2, side + 17, side + 1)] if any_size else sizes)
    return content


def _compare(path: Path, said: Said, content: bytes, sizes: list[tuple[int, int, int]]) -> None:
    """WeightsError where the graph gives other numbers than the network."""
    from iqa_cli.scoring.engines import OnnxRuntimeNetwork

    graph = OnnxRuntimeNetwork(content, said.names, 3, None)
    generator = torch.Generator().manual_seed(2)
    for number, height, width in sizes:
        rgb = torch.rand((number, 3, height, width), generator=generator)
        with torch.inference_mode():
            wanted = said(rgb)[0]
        difference = (torch.from_numpy(graph.compute(rgb.numpy())[0]).reshape(-1) - wanted).abs().max().item()
        if not difference <= TOLERANCE:
            raise WeightsError(
                f"{one_line(path)}: exported, it gives other numbers than torch (by {difference:.2g})",
                hint="this is a defect of iqa or of the exporter",
            )


class _quiet:
    """The exporter's log, which tells of its steps, is not of interest to who exports."""

    def __enter__(self) -> None:
        self._level = logging.getLogger("torch.onnx").level
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("torch.onnx").setLevel(self._level)
