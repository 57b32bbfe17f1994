"""Where weights are: by path, or by name in a few folders. No file is opened here."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from iqa_cli.errors import WeightsError
from iqa_cli.text import one_line

SUFFIX = ".safetensors"
SEEN_SUFFIX = ".seen.safetensors"
ENVIRONMENT = "IQA_WEIGHTS"


def search_folders() -> list[Path]:
    """Where weights are looked for by name, first to last: $IQA_WEIGHTS, the installed package, the source
    checkout.

    Raises:
        WeightsError: $IQA_WEIGHTS names something that is no folder. Going on would score with another
            weight than meant.
    """
    folders = []
    for entry in os.environ.get(ENVIRONMENT, "").split(os.pathsep):
        if entry:
            # Of somebody who has no home here it leaves ~ as it stands, where pathlib raises.
            folder = Path(os.path.expanduser(entry))  # noqa: PTH111
            if not folder.is_dir():
                raise WeightsError(f"{ENVIRONMENT} names {one_line(entry)}, which is not a folder")
            folders.append(folder)
    package = Path(__file__).resolve().parent
    folders.append(package / "_weights")
    # Beside an installed package there may be anybody's folder of that name.
    if (package.parent / "pyproject.toml").is_file():
        folders.append(package.parent / "weights")
    return [folder for folder in folders if folder.is_dir()]


def list_weights(*, all_copies: bool = False) -> list[Path]:
    """The weights that can be asked for by name, sorted by name; files of seen pictures are left out.

    Args:
        all_copies: Also those that another of the same name in an earlier folder hides.

    Raises:
        WeightsError: A folder cannot be read, or $IQA_WEIGHTS is no folder.
    """
    found: list[Path] = []
    names: set[str] = set()
    for folder in search_folders():
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise WeightsError(f"{one_line(folder)}: cannot be read: {error.strerror}") from None
        for path in entries:
            if is_weight(path) and (all_copies or weight_name(path) not in names):
                names.add(weight_name(path))
                found.append(path)
    return sorted(found, key=weight_name)  # stable: copies stay in the order of the search


def find_weights(name_or_path: str | os.PathLike[str]) -> Path:
    """The file that a name or a path means.

    A path (with a separator, or an existing file that ends in .safetensors) is taken as it is. A bare word
    is a name, looked for in `search_folders()`; only where there is no such weight may it be a file in the
    working directory. So a folder "mfenet" where one happens to stand changes nothing.

    Raises:
        WeightsError: There is none; with the nearest name and the list of those there are.
    """
    text = os.fspath(name_or_path)
    path = Path(text)
    separators = [os.sep, *([os.altsep] if os.altsep else [])]
    is_path = isinstance(name_or_path, os.PathLike) or any(separator in text for separator in separators)
    if is_path or (text.endswith(SUFFIX) and _exists(path)):
        if not _exists(path):
            raise WeightsError(f"there is no file {one_line(text)}", hint=_names_hint(list_weights()))
        return path
    weights = list_weights()
    by_name = {weight_name(known): known for known in weights}
    name = text.removesuffix(SUFFIX)
    if name in by_name:
        return by_name[name]
    if text and _exists(path):
        return path
    lowered = {known.lower(): known for known in by_name}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    guess = f"; did you mean '{one_line(lowered[close[0]])}'?" if close else ""
    raise WeightsError(f"there is no weight '{one_line(text)}'{guess}", hint=_names_hint(weights))


def weight_name(path: Path) -> str:
    """The name that a weight is asked for by: its file name without .safetensors."""
    return path.name.removesuffix(SUFFIX)


def is_weight(path: Path) -> bool:
    """Whether a file is a weight, by its name."""
    return (
        path.name.endswith(SUFFIX) and not path.name.endswith(SEEN_SUFFIX) and not path.name.startswith(".")
    )


def _exists(path: Path) -> bool:
    """Whether something is there; what cannot be looked at counts, so that opening it tells the reason."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return len(os.fspath(path)) < 4096 and len(path.name) < 256
    return True


def _names_hint(weights: list[Path]) -> str:
    if weights:
        return f"weights: {', '.join(one_line(weight_name(path)) for path in weights)}"
    return f"no weights are installed; put .safetensors files into a folder and name it in {ENVIRONMENT}"
