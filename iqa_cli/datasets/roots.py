"""Where the databases lie: an option, a config file, or one folder above all of them.

The config file is `~/.config/iqa/config.toml` (under `XDG_CONFIG_HOME` where that is set; another file by
`IQA_CONFIG`) and has a line for each database:

    [data]
    koniq10k = "/data/KonIQ-10k"
    kadid10k = "~/kadid10k"
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from iqa_cli.errors import UsageError
from iqa_cli.text import one_line, reason_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def find_root(name: str, root: Path | None = None) -> Path:
    """The folder of a database: `root`, else that of the config file, else `$IQA_DATA/name`.

    Args:
        name: Key of the database.
        root: What `--root` gave, where it was given.

    Returns:
        The folder; whether it is there is not looked at.

    Raises:
        UsageError: Nothing says where it is, or the config file cannot be used.
    """
    if root is not None:
        return root
    configured = read_config().get(name)
    if configured is not None:
        return configured
    above = os.environ.get("IQA_DATA")
    if above:
        return Path(above) / name
    raise UsageError(
        f"where is {name}?",
        hint="give --root DIR, or set IQA_DATA to the folder above it, or name it in "
        f"{one_line(config_path())}",
    )


def config_path() -> Path:
    """The config file, be it there or not."""
    given = os.environ.get("IQA_CONFIG")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else _expanded("~/.config")) / "iqa" / "config.toml"


def read_config() -> dict[str, Path]:
    """The table `[data]` of the config file: name -> folder, relative ones seen from the file; empty where
    there is no file.

    Raises:
        UsageError: The file named by `IQA_CONFIG` is missing, the file cannot be read or is no TOML, or an
            entry is no path.
    """
    path = config_path()
    shown = one_line(path)
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError:
        if os.environ.get("IQA_CONFIG"):
            raise UsageError(f"IQA_CONFIG names '{shown}', which is not there") from None
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the config file '{shown}': {reason_of(error)}") from None
    except RecursionError:
        raise UsageError(f"cannot read the config file '{shown}': its lists are nested too deeply") from None
    table: Any = content.get("data", {})
    if not isinstance(table, dict):
        raise UsageError(f"{shown}: data is no table", hint='write [data], then lines NAME = "FOLDER"')
    folders = {}
    for name, folder in table.items():
        if not isinstance(folder, str) or not folder or "\0" in folder:
            raise UsageError(f"{shown}: the folder of {one_line(name)!r} is no path in quotes")
        folders[name] = path.parent / _expanded(folder)
    return folders


def _expanded(text: str) -> Path:
    """A path with `~` resolved; where there is no such home, as it stands."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)
