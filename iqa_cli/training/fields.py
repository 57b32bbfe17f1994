"""Typed fields of a config: what they may hold is declared once, beside the default, and checked when made.

A dataclass believes whatever it is given. A misspelt or senseless setting should be told before hours of
training, not after them. Importing this module imports no torch.
"""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from iqa_cli.errors import UsageError
from iqa_cli.text import one_line

_KINDS = {
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    str: "a text",
    list: "a list",
    tuple: "a list",
    dict: "a table",
    type(None): "none",
}


@dataclass(frozen=True)
class Checked:
    """A config that is checked when it is made.

    Raises:
        ValueError: A field is of the wrong type or out of its range.
    """

    def __post_init__(self) -> None:
        check_fields(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `config.json` and the record of what is made."""
        return asdict(self)


def number(
    default: float,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> Any:
    """A field of a dataclass with a default and the range that `check_fields` holds it to."""
    limits = {"at least": at_least, "above": above, "at most": at_most, "below": below}
    return field(default=default, metadata={k: v for k, v in limits.items() if v is not None})


def check_fields(config: Any) -> None:
    """Check every field of a dataclass against its type and range; call it in `__post_init__`.

    A whole number given for a float becomes one, so that equal settings are written equally.

    Raises:
        ValueError: Of the wrong type, not finite, or out of range; the message is one line.
    """
    hints = get_type_hints(type(config))
    for entry in fields(config):
        value = getattr(config, entry.name)
        check_type(entry.name, hints[entry.name], value)
        if hints[entry.name] is float:
            object.__setattr__(config, entry.name, float(value))
        for word, limit in entry.metadata.items():
            outside = {
                "at least": value < limit,
                "above": value <= limit,
                "at most": value > limit,
                "below": value >= limit,
            }
            if outside[word]:
                raise ValueError(f"{entry.name} must be {word} {limit:g}, not {value:g}")


def check_type(name: str, hint: Any, value: Any) -> None:
    """Check one value against int, float (finite), bool, str, dict, a Literal or a choice of these.

    Raises:
        ValueError: Of another type; true and false are no numbers.
    """
    if get_origin(hint) is Literal:
        allowed = get_args(hint)
        if value not in allowed or isinstance(value, bool):
            raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}, not {_shown(value)}")
        return
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if any(_fits(kind, value) for kind in kinds):
        return
    wanted = " or ".join(_KINDS.get(get_origin(kind) or kind, str(kind)) for kind in kinds)
    raise ValueError(f"{name} must be {wanted}, not {_shown(value)}")


def from_options(config: type, values: Mapping[str, Any], option: str) -> Any:
    """Make a config of the values of an option such as `--set KEY=VALUE`.

    Args:
        config: A dataclass; its own checks apply as well.
        values: Field -> value.
        option: Name of the option, for messages.

    Raises:
        UsageError: Unknown key (with the nearest one as hint), or a value that does not fit.
    """
    check_known(config, values, option)
    try:
        return config(**values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{option}: {one_line(str(error))}") from None


def from_preset(
    config: type, presets: Mapping[str, Mapping[str, Any]], preset: str, values: Mapping[str, Any]
) -> Any:
    """Make a config of a preset, changed by what is given with `--set`.

    Args:
        config: A dataclass; its own checks apply as well.
        presets: Name -> what it says differently from the defaults.
        preset: Name of one of them.
        values: Field -> value.

    Raises:
        UsageError: There is no such preset or setting, or a value does not fit.
    """
    if preset not in presets:
        raise UsageError(f"--preset: there is no preset {preset!r}", hint=nearest(preset, presets))
    return from_options(config, {**presets[preset], **values}, "--set")


def check_known(config: type, values: Mapping[str, Any], option: str) -> None:
    """See that values are of fields of a config, and of their types; they may be a part of it.

    Args:
        config: A dataclass.
        values: Field -> value.
        option: Name of the option, for messages.

    Raises:
        UsageError: Unknown key (with the nearest one as hint), or a value of another type.
    """
    known = [entry.name for entry in fields(config)]
    hints = get_type_hints(config)
    for key in values:
        if key not in known:
            raise UsageError(f"{option}: there is no field {one_line(key)!r}", hint=nearest(key, known))
    try:
        for key, value in values.items():
            check_type(key, hints[key], value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{option}: {one_line(str(error))}") from None


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a word that is not known: the nearest one, else all."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"


def _fits(kind: Any, value: Any) -> bool:
    if kind in (int, float):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return isinstance(value, int) if kind is int else math.isfinite(value)
    if kind is type(None):
        return value is None
    return isinstance(value, get_origin(kind) or kind)


def _shown(value: Any) -> str:
    """A value as the user wrote it, or nearly so."""
    return str(value).lower() if isinstance(value, bool) else one_line(repr(value))
