"""What the configs of all networks check and read in the same way."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Config = TypeVar("Config", bound=DataclassInstance)


def check_choices(config: DataclassInstance) -> None:
    """Refuse a field whose type lists its values and that has another one.

    Raises:
        ValueError: The first such field, and what it may be.
    """
    for name, hint in get_type_hints(type(config)).items():
        allowed, value = get_args(hint), getattr(config, name)
        if get_origin(hint) is Literal and value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def from_known_fields(kind: type[Config], title: str, values: dict[str, Any]) -> Config:
    """The config of a card.

    Args:
        kind: Its class.
        title: What the network is called in the error.
        values: Field -> value.

    Raises:
        ValueError: A field is unknown, or what the class itself refuses.
    """
    unknown = sorted(set(values) - {entry.name for entry in fields(kind)})
    if unknown:
        raise ValueError(f"unknown {title} option: {', '.join(unknown)}")
    return kind(**values)
