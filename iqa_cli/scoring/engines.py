"""Programs that compute an exported network in place of torch: ONNX Runtime and OpenVINO, both extras.

No torch in here: what `iqa export` has written is scored without it.
"""

from __future__ import annotations

from abc import abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from iqa_cli.errors import UsageError, WeightsError
from iqa_cli.onnxfile import is_exported, read_graph
from iqa_cli.scoring.network import CPU_BATCH, Network
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.card import Card

Engine = Literal["auto", "torch", "onnxruntime", "openvino"]

_EXTRAS = {"onnxruntime": "onnx", "openvino": "openvino"}


def choose_engine(name: str, path: Path) -> str:
    """The engine that computes a weight: "torch", "onnxruntime" or "openvino".

    Args:
        name: One of `Engine`; "auto" takes torch for a weight, and for an exported one ONNX Runtime, or
            OpenVINO where only that is installed.
        path: The weight, or the ONNX file of `iqa export`.

    Raises:
        UsageError: There is no such engine, it is not installed, or torch is to compute an exported network.
    """
    if name not in get_args(Engine):
        raise UsageError(
            f"there is no engine '{one_line(name[:40])}'", hint=f"one of {', '.join(get_args(Engine))}"
        )
    exported = is_exported(path)
    if name == "auto":
        name = "torch" if not exported else "onnxruntime"
        if name == "onnxruntime" and find_spec(name) is None and find_spec("openvino") is not None:
            name = "openvino"
    if name == "torch":
        if exported:
            raise UsageError(
                f"{one_line(path)} is an exported network, which torch does not compute",
                hint="leave --engine out, or give the weight that it was made of",
            )
        return name
    if find_spec(name) is None:
        raise UsageError(
            f"the engine {name} is not installed", hint=f"pip install 'iqa-cli[{_EXTRAS[name]}]'"
        )
    return name


def exported_network(
    path: Path, card: Card, engine: str, *, batch_size: int | None = None, threads: int | None = None
) -> Network:
    """A network on an engine other than torch.

    Args:
        path: The ONNX file; or a weight, which is then exported in memory (seconds, and it takes torch).
        card: Its card.
        engine: "onnxruntime" or "openvino".
        batch_size: Crops of a batch; None for the usual number.
        threads: CPU threads; None leaves the engine's choice.

    Raises:
        WeightsError: The file is damaged, or the engine cannot read it.
        UsageError: A weight cannot be exported, for lack of an extra.
    """
    if is_exported(path):
        content = read_graph(path)[1]
    else:
        from iqa_cli.exporting import export_network

        content = export_network(path)
    names = tuple(card.config.get("distortions", ()))
    kind = OnnxRuntimeNetwork if engine == "onnxruntime" else OpenVinoNetwork
    try:
        return kind(content, names, batch_size or CPU_BATCH, threads)
    except WeightsError:
        raise
    except Exception as error:  # each engine has exceptions of its own, without a common base
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = one_line(lines[0][:200])
        raise WeightsError(f"{one_line(path)}: {engine} cannot read it ({reason})") from None


class _ExportedNetwork(Network):
    """What both have in common: pictures as float32 [N, 3, S, S] in 0 to 1, outputs side by side."""

    def forward(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        rgb = crops.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        said = self.compute(np.ascontiguousarray(rgb))
        columns = [np.asarray(part, dtype=np.float32).reshape(len(crops), -1) for part in said]
        return np.concatenate(columns, axis=1)

    @abstractmethod
    def compute(self, rgb: npt.NDArray[np.float32]) -> list[Any]:
        """The outputs of the graph in their order."""


class OnnxRuntimeNetwork(_ExportedNetwork):
    """An exported network by ONNX Runtime, in float32 on the CPU."""

    def __init__(self, content: bytes, names: tuple[str, ...], batch_size: int, threads: int | None) -> None:
        super().__init__(names, batch_size)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3  # what it warns of is no matter of a user's
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def compute(self, rgb: npt.NDArray[np.float32]) -> list[Any]:
        outputs: list[Any] = self._session.run(None, {"rgb": rgb})
        return outputs


class OpenVinoNetwork(_ExportedNetwork):
    """An exported network by OpenVINO, in float32 on the CPU."""

    def __init__(self, content: bytes, names: tuple[str, ...], batch_size: int, threads: int | None) -> None:
        super().__init__(names, batch_size)
        import openvino

        core = openvino.Core()
        # By itself it computes in bfloat16 where a processor can, which moves scores.
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._model = core.compile_model(core.read_model(content), "CPU", settings)

    def compute(self, rgb: npt.NDArray[np.float32]) -> list[Any]:
        found = self._model(rgb)
        return [found[output] for output in self._model.outputs]
