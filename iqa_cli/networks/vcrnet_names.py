"""The published parameter names of VCRNet and ours.

The published ones are those of the quality checkpoints: the restoration network under "VCR.", the trunk
under "efficient." by the names of the package efficientnet_pytorch. A checkpoint of the restoration network
alone has its names without "VCR.".
"""

from __future__ import annotations

from collections.abc import Iterable

# Ours -> published.
_WHOLE = {
    "restoration.activation": "VCR.relu",
    "restoration.stem": "VCR.conv",
    "restoration.last": "VCR.deconv5",
    "head.activation": "prelu",
    "head.fc1": "fc1",
    "head.fc2": "fc2",
    "head.fc3": "fc3",
    "backbone.net.conv_stem": "efficient._conv_stem",
    "backbone.net.bn1": "efficient._bn0",
    "backbone.net.conv_head": "efficient._conv_head",
    "backbone.net.bn2": "efficient._bn1",
}
# The parts of a module, ours -> published.
_REDUCTION = {
    "point": "conv1_2",
    "single": "conv3_1",
    "twice.0": "conv3_2",
    "twice.1": "conv3_3",
    "norm": "bn",
    "activation": "prelu",
}
_SQUEEZE = {"se.conv_reduce": "_se_reduce", "se.conv_expand": "_se_expand"}
# The first group of blocks has no expansion.
_PLAIN_BLOCK = {
    "conv_dw": "_depthwise_conv",
    "bn1": "_bn1",
    "conv_pw": "_project_conv",
    "bn2": "_bn2",
} | _SQUEEZE
_BLOCK = {
    "conv_pw": "_expand_conv",
    "bn1": "_bn0",
    "conv_dw": "_depthwise_conv",
    "bn2": "_bn1",
    "conv_pwl": "_project_conv",
    "bn3": "_bn2",
} | _SQUEEZE
#: Blocks in each group of EfficientNet-B0; the package counts them through.
_REPEATS = (1, 2, 2, 3, 3, 4, 1)
#: Published parameters that nothing here depends on: the 1000 classes of ImageNet.
UNUSED = ("efficient._fc.weight", "efficient._fc.bias")
#: What our names of the restoration network begin with in the whole network.
RESTORATION = "restoration."


def _modules() -> dict[str, str]:
    """Published name of every module -> ours."""
    pairs = {theirs: ours for ours, theirs in _WHOLE.items()}
    for level in range(5):
        ours = f"restoration.levels.{level}"
        for part, number in (("first", 2 * level + 1), ("second", 2 * level + 2)):
            pairs |= {
                f"VCR.conv{number}": f"{ours}.{part}.square",
                f"VCR.conv{number}_2": f"{ours}.{part}.vertical",
                f"VCR.conv{number}_3": f"{ours}.{part}.horizontal",
                f"VCR.bn{number}": f"{ours}.{part}.norm",
            }
        if level:
            pairs[f"VCR.resconv{2 * level}"] = f"{ours}.shortcut"
    for i in range(3):
        pairs[f"VCR.GP_conv{i}"] = f"restoration.compensation.lifts.{i}"
    for i in range(4):
        pairs[f"VCR.deconv{i + 1}"] = f"restoration.ups.{i}.conv"
        pairs[f"VCR.deconv_bn{i + 1}"] = f"restoration.ups.{i}.norm"
        for ours, theirs in (("backbone_reductions", "_1"), ("decoder_reductions", "_11")):
            for mine, part in _REDUCTION.items():
                pairs[f"inception{i + 1}{theirs}.{part}"] = f"{ours}.{i}.{mine}"
    number = 0
    for group, repeats in enumerate(_REPEATS):
        for block in range(repeats):
            for mine, part in (_BLOCK if group else _PLAIN_BLOCK).items():
                pairs[f"efficient._blocks.{number}.{part}"] = f"backbone.net.blocks.{group}.{block}.{mine}"
            number += 1
    return pairs


_OURS = _modules()


def our_name(published: str) -> str | None:
    """Our name of a published parameter or buffer of the whole network, None where there is no such one."""
    module, _, leaf = published.rpartition(".")
    ours = _OURS.get(module)
    return None if ours is None else f"{ours}.{leaf}"


def is_restoration_alone(names: Iterable[str]) -> bool:
    """Whether the names are those of a published checkpoint of the restoration network, without "VCR."."""
    names = set(names)
    return not any(name.startswith("VCR.") for name in names) and {"deconv5.weight", "conv.weight"} <= names
