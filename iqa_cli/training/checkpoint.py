"""What a training run keeps on the disk: checkpoints, the log, and the record of what the run is.

A run may be ended at any moment, by a full disk too. What stands under its name is therefore always whole:
it is written beside it first, forced to the disk and then renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import save

from iqa_cli.errors import UsageError, WeightsError
from iqa_cli.replacing import replacing
from iqa_cli.text import one_line

_KEPT = "the checkpoint before it is kept: with room on the disk, the same command resumes"


def save_checkpoint(path: Path, state: Any) -> None:
    """Write what `torch.save` can write, so that a failure leaves the file that was there.

    Raises:
        WeightsError: No space, no permission, ...
    """
    with _replacing(path) as file:
        torch.save(state, file)


def load_checkpoint(path: Path) -> Any:
    """Read what `save_checkpoint` wrote; nothing in it is run.

    Raises:
        WeightsError: It cannot be read, is damaged, or is something else.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged zip or pickle raises whatever its reader happens to
        raise _unusable(path, error) from None


@contextlib.contextmanager
def checkpoint_fits(path: Path) -> Iterator[None]:
    """Turns what a module says of a state that is not its own into one line."""
    try:
        yield
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise _unusable(path, error) from None


def write_text(path: Path, text: str) -> None:
    """Write a small file, or leave the one that was there.

    Raises:
        WeightsError: No space, no permission, ...
    """
    with _replacing(path) as file:
        file.write(text.encode())


def save_start(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Write a starting point as safetensors, or leave the one that was there.

    Raises:
        WeightsError: No space, no permission, ...
    """
    data = save(tensors, metadata)
    # safetensors writes several entries of the metadata in an order that differs from call to call; the same
    # start should be the same bytes. The offsets in the header count from its end.
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with _replacing(path) as file:
        file.write(b"".join((len(text).to_bytes(8, "little"), text, memoryview(data)[end:])))


def append_log(folder: Path, line: dict[str, Any]) -> None:
    """Add one line to `folder/log.jsonl`.

    Raises:
        WeightsError: It cannot be written.
    """
    path = folder / "log.jsonl"
    try:
        with path.open("a+b") as file:
            # A line cut short by a crash must not swallow this one.
            if file.tell() and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n":
                file.write(b"\n")
            file.write(json.dumps(line).encode() + b"\n")
    except OSError as error:
        raise _unwritable(path, error) from None


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of `folder/log.jsonl`, none where there is no log yet."""
    found = []
    with contextlib.suppress(OSError):
        for text in (folder / "log.jsonl").read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                line = json.loads(text)
                if isinstance(line, dict):
                    found.append(line)
    return found


def check_folder(folder: Path) -> None:
    """Make the folder of a run, and see that it can be written, before anything takes long.

    Raises:
        UsageError: It is a file, or cannot be made or written.
    """
    probe = folder / f".iqa-{os.getpid()}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"can be written")
        finally:
            probe.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        what = "is a file" if folder.is_file() else f"cannot be written: {_reason(error)}"
        raise UsageError(
            f"-o: {one_line(folder)} {what}", hint="name another folder for the run with -o/--output"
        ) from None


def claim_folder(
    folder: Path,
    record: dict[str, Any],
    log: Callable[[str], None],
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Record in `folder/config.json` what a run is, or check that the run that is there is the same.

    Args:
        folder: Of the run; made when it is missing.
        record: Sections ("settings", "network", "data", "starts") of plain values; all of them must agree
            when a run is resumed.
        log: Takes a line where an earlier version left a record that says less.
        defaults: For sections of plain values, what a key stands for that the record there lacks: it was
            written before there was such a key.

    Raises:
        UsageError: The folder holds another run; the message says what differs. Or it cannot be written.
    """
    check_folder(folder)
    path = folder / "config.json"
    if not path.exists():
        if (folder / "last.pt").exists():
            raise UsageError(
                f"{one_line(folder)} holds checkpoints without their config.json",
                hint="name another folder for the run with -o/--output",
            )
        write_text(path, _json(record))
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no object")
        older = not isinstance(found.get("settings"), dict)
        if older:
            found = _of_earlier_version(found, record)
        found = _completed(found, record, defaults or {})
    except (OSError, ValueError, TypeError, WeightsError) as error:
        raise UsageError(
            f"{one_line(path)} cannot be read: {_reason(error)}", hint="name another folder with -o/--output"
        ) from None
    differences = list(_differences(found, record))
    if differences:
        more = f" and {len(differences) - 4} more" if len(differences) > 4 else ""
        raise UsageError(
            f"{one_line(folder)} holds another run: {', '.join(differences[:4])}{more}",
            hint="name another folder with -o/--output, or give the options of that run to resume it",
        )
    if older:
        log(f"{path} is of an earlier version and does not name data and starts: taken to be those given now")
        write_text(path, _json(record))


def _completed(
    found: dict[str, Any], record: dict[str, Any], defaults: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The record that is there with the keys that have been added since, at their defaults."""
    added = {
        section: {key: values[key] for key in record.get(section, {}) if key in values}
        for section, values in defaults.items()
    }
    return {**found, **{section: {**values, **found.get(section, {})} for section, values in added.items()}}


def _of_earlier_version(found: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """The flat settings of the first runs of version 0.1, completed by what they do not say."""
    settings = {key: value for key, value in found.items() if key != "network_config"}
    completed = {**record, "settings": settings}
    if "network" in record:
        from iqa_cli.networks.registry import config_class

        network = config_class(str(found.get("network")))
        completed["network"] = network.from_dict(dict(found.get("network_config", {}))).to_dict()
    return completed


def _differences(found: dict[str, Any], record: dict[str, Any]) -> Iterator[str]:
    there, now = json.loads(json.dumps(found)), json.loads(json.dumps(record))
    for section in sorted({*there, *now}):
        one, other = there.get(section), now.get(section)
        if not isinstance(one, dict) or not isinstance(other, dict):
            one, other = {"": one}, {"": other}
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                name = one_line(f"{section} {key}".strip())
                yield f"{name} ({_short(one.get(key))} there, {_short(other.get(key))} now)"


def _short(value: Any) -> str:
    text = one_line("none" if value is None else str(value))
    return text if len(text) <= 40 else f"{text[:16]}..."


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=1, sort_keys=True) + "\n"


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that becomes `path` when all went well and is gone when not."""
    try:
        with replacing(path, alone=True) as file:
            yield file
    except (OSError, RuntimeError) as error:  # torch tells of a full disk in its own words
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{one_line(path)}: cannot be written: {_reason(error)}", hint=_KEPT)


def _unusable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"{one_line(path)}: is damaged, or no checkpoint of this run: {_reason(error)}",
        hint="remove it to begin again, or name another folder with -o/--output",
    )


def _reason(error: BaseException) -> str:
    # torch tells of a full disk by positions in its archive; what the system said of it is behind that.
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, OSError):
        behind = behind.__cause__ or behind.__context__
    error = behind or error
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return one_line(text.splitlines()[0])[:200]
