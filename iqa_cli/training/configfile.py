"""The config file of `iqa train`: read, and written for every run.

It is TOML with three tables. Every run leaves one in its folder that repeats it.

    [run]
    data = ["csv"]
    root = ["my-photos"]
    choose_share = 0.2

    [network]
    name = "mfenet"
    van = "b0"

    [train]
    epochs = 4

Imports no torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli.errors import UsageError
from iqa_cli.text import one_line, reason_of
from iqa_cli.training.fields import nearest

if TYPE_CHECKING:
    from iqa_cli.training.config import TrainConfig
    from iqa_cli.training.options import RunOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLES = ("run", "network", "train")


def read_config_file(path: Path) -> dict[str, dict[str, Any]]:
    """The tables of a config file.

    Raises:
        UsageError: It cannot be read, is no TOML, or has something besides the tables.
    """
    shown = one_line(path)
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"--config: cannot read '{shown}': {reason_of(error)}") from None
    except RecursionError:
        raise UsageError(f"--config: cannot read '{shown}': its lists are nested too deeply") from None
    for key, value in content.items():
        if key not in TABLES:
            raise UsageError(
                f"--config {shown}: there is no table [{one_line(key)}]", hint=nearest(key, TABLES)
            )
        if not isinstance(value, dict):
            raise UsageError(
                f"--config {shown}: {key} is no table", hint=f"write [{key}], then lines KEY = VALUE"
            )
    return content


def config_text(run: RunOptions, config: TrainConfig, network: Mapping[str, Any]) -> str:
    """A config file that `read_config_file` reads.

    TOML is Unicode. A text that is not (a name of a file in other bytes) cannot be written; its key is left
    out, and a comment says so.

    Args:
        run: The table `[run]`; what is None is left out.
        config: The settings.
        network: All fields of the network's config.
    """
    settings = config.to_dict()
    del settings["network_config"]
    tables = {
        "run": asdict(run),
        "network": {"name": settings.pop("network"), **network},
        "train": settings,
    }
    lines = ["# Written by iqa train. iqa train --config FILE -o FOLDER does the same again."]
    for name, values in tables.items():
        lines += ["", f"[{name}]"]
        for key, value in values.items():
            if value is not None:
                line = f"{key} = {_toml(value)}"
                lines.append(line if _is_unicode(line) else _left_out(key, value))
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        # A JSON text is a TOML text, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _is_unicode(text: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def _left_out(key: str, value: Any) -> str:
    shown = " ".join(map(one_line, value)) if isinstance(value, list | tuple) else one_line(value)
    return f"# Left out, since it is no Unicode: --{key.replace('_', '-')} {shown}"
