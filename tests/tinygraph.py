"""An exported "network" of one node, for tests of everything around the graph: its raw score is the mean of
the pixels."""

from __future__ import annotations

from typing import Any

from iqa_cli.card import LADDER, Card
from iqa_cli.images.policy import SizePolicy


def mean_graph() -> bytes:
    """The content of its file. Needs onnx."""
    import onnx

    helper: Any = onnx.helper
    rgb = helper.make_tensor_value_info("rgb", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])
    raw = helper.make_tensor_value_info("raw", onnx.TensorProto.FLOAT, ["n"])
    nodes = [helper.make_node("ReduceMean", ["rgb"], ["raw"], axes=[1, 2, 3], keepdims=0)]
    graph = helper.make_graph(nodes, "mean", [rgb], [raw])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    output = {
        "range": [0, 100],
        "direction": "higher is better",
        "scale": "none",
        "calibration": {"kind": "logistic", "b1": 100.0, "b2": 0.0, "b3": 0.5, "b4": 0.2},
        "ladder": LADDER,
    }
    card = Card(name="mean", network="mfenet", config={}, input=SizePolicy().to_dict(), output=output)
    helper.set_model_props(model, {"iqa_card": card.to_json()})
    content: bytes = model.SerializeToString()
    return content
