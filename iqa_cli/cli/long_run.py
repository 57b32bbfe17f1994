"""What commands that run for hours have in common: the command as given, settings, Ctrl-C."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.interrupt import second_interrupt_exits
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line, printable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


@contextmanager
def interruptible(
    env: Environment, otherwise: str = "interrupted; the same command goes on from the last checkpoint"
) -> Iterator[None]:
    """Ctrl-C says what becomes of the run, a second one ends it at once.

    Args:
        env: For the note.
        otherwise: What is said where the interrupt itself carries no line; empty for nothing.
    """
    with second_interrupt_exits():
        try:
            yield
        except KeyboardInterrupt as interrupt:
            if said := str(interrupt) or otherwise:
                env.note(said)
            raise


def command_line(context: typer.Context) -> str:
    """The command with the options that were given, quoted for a shell; those of `iqa` itself left out.

    It is for cards and records, which are Unicode: a name in other bytes is escaped.
    """
    words = context.command_path.split()
    given = given_flags(context)
    for parameter in context.command.params:
        if parameter.name not in given:
            continue
        value = given[parameter.name]
        if parameter.param_type_name == "argument":
            words += map(str, value) if isinstance(value, list | tuple) else [str(value)]
            continue
        option = next((opt for opt in parameter.opts if opt.startswith("--")), parameter.opts[0])
        if isinstance(value, bool):
            words.append(option if value else max(parameter.secondary_opts, key=len, default=option))
            continue
        if parameter.nargs > 1:  # several values behind one flag
            words += [option, *map(_shown, value)]
            continue
        for entry in value if isinstance(value, list | tuple) else [value]:
            words += [option, _shown(entry)]
    line = shlex.join(words)
    return line if all(unicodedata.category(c) != "Cs" for c in line) else printable(line)


def _shown(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(getattr(value, "value", value))


def given_flags(context: typer.Context) -> dict[str, Any]:
    """Name of a parameter -> its value, of those that were given on the command line."""
    given = {}
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            given[name] = context.params[name]
    return given


def pairs(entries: list[str] | None, option: str) -> dict[str, Any]:
    """KEY=VALUE with values read as true, false, a number, numbers parted by commas (a list; a comma alone is
    an empty one), or a text.

    Raises:
        UsageError: Not of that form, or a key is given twice.
    """
    found: dict[str, Any] = {}
    for entry in entries or []:
        key, equals, text = entry.partition("=")
        if not equals or not key:
            raise UsageError(f"{option}: {one_line(entry)!r} is not of the form KEY=VALUE")
        if key in found:
            raise UsageError(f"{option}: {one_line(key)!r} is given twice")
        found[key] = _value(text)
    return found


def check_name(name: str, option: str = "--name") -> None:
    """See that a weight can be called so, as an option asks.

    Raises:
        UsageError: It is no plain name of a file.
    """
    if not _NAME.fullmatch(name) or name.endswith((".safetensors", ".seen")):
        raise UsageError(
            f"{option}: {one_line(name)!r} cannot name a weight",
            hint="letters, digits and . _ + - after the first; no folder and no ending",
        )


def limit_threads(threads: int | None) -> None:
    """Have torch compute on this number of threads; None leaves it as it is."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def set_up(device: str, threads: int | None) -> tuple[Any, int]:
    """Prepare a pre-training that distorts pictures on the CPU while the network computes.

    Args:
        device: As of `--device`.
        threads: As of `--threads`.

    Returns:
        The `torch.device`, and how many crops are made at a time.
    """
    import cv2
    import torch

    from iqa_cli.scoring.device import choose_device

    limit_threads(threads)
    cv2.setNumThreads(1)  # several crops are distorted at a time, each by one thread
    return choose_device(device), threads or torch.get_num_threads()


def check_pristine_folder(folder: Path | None, option: str) -> list[Path]:
    """The photographs of a folder of undistorted ones, each of which is there; none without a folder.

    Raises:
        DatasetError: The folder is not of its layout, or a photograph is missing.
    """
    if folder is None:
        return []
    from iqa_cli.datasets.pristine import read_pristine
    from iqa_cli.training.crops import check_pictures

    paths = read_pristine(folder)
    check_pictures(paths, option)
    return paths


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    found = _number(text)
    if found is None and "," in text:
        several = [_number(entry) for entry in text.removesuffix(",").split(",")] if text != "," else []
        found = None if None in several else several
    return text if found is None else found


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
