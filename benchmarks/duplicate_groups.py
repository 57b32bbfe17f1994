"""How well near-duplicates are found: against the groups of a database, and on copies that are made here.

    python -m benchmarks.duplicate_groups groups FILE DATABASE ROOT
    python -m benchmarks.duplicate_groups copies FOLDER [--part PART] [--limit 100]

`groups` compares a NAME-duplicates.json of `iqa data split NAME --group-duplicates` with the groups that the
labels give, by pairs of pictures in one group, as a whole and by subset. `copies` copies photographs in
different ways; each kind of copy is searched together with the originals alone, so that a copy has to be
found by itself and not through another one. It counts as found where it is in the group of its original.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from iqa_cli.datasets.duplicatefile import load_duplicates
from iqa_cli.datasets.duplicates import find_duplicates
from iqa_cli.datasets.grouping import agreement
from iqa_cli.datasets.registry import read_database
from iqa_cli.datasets.synth_sources import find_sources

Photo = Image.Image


def without(photo: Photo, left: float, top: float, right: float, bottom: float) -> Photo:
    """The photograph without these shares of its width and height."""
    width, height = photo.size
    return photo.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )


def scaled(photo: Photo, width: float, height: float) -> Photo:
    """The photograph with both sides multiplied."""
    return photo.resize((round(photo.width * width), round(photo.height * height)), Image.Resampling.LANCZOS)


#: What is done, ending of the file, change, options of the encoder.
COPIES: tuple[tuple[str, str, Callable[[Photo], Photo], dict[str, int]], ...] = (
    ("JPEG, quality 50", ".jpg", lambda p: p, {"quality": 50}),
    ("JPEG, quality 10", ".jpg", lambda p: p, {"quality": 10}),
    ("WebP, quality 30", ".webp", lambda p: p, {"quality": 30}),
    ("half the size", ".png", lambda p: scaled(p, 0.5, 0.5), {}),
    ("a quarter of the size", ".png", lambda p: scaled(p, 0.25, 0.25), {}),
    ("twice the size, JPEG 80", ".jpg", lambda p: scaled(p, 2, 2), {"quality": 80}),
    ("squeezed to 9/10 of the height", ".png", lambda p: scaled(p, 1, 0.9), {}),
    ("cropped by 5 % all around", ".png", lambda p: without(p, 0.05, 0.05, 0.05, 0.05), {}),
    ("cropped by 10 % on the left and above", ".png", lambda p: without(p, 0.1, 0.1, 0, 0), {}),
    ("cropped by 20 % on one side", ".png", lambda p: without(p, 0, 0, 0.2, 0), {}),
    ("cropped by 20 % on two sides", ".png", lambda p: without(p, 0.2, 0.2, 0, 0), {}),
    ("cropped by 30 % on two sides", ".png", lambda p: without(p, 0.3, 0.3, 0, 0), {}),
    (
        "cropped by 5 % all around, half the size, JPEG 40",
        ".jpg",
        lambda p: scaled(without(p, 0.05, 0.05, 0.05, 0.05), 0.5, 0.5),
        {"quality": 40},
    ),
    ("mirrored", ".png", lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT), {}),
)


def compare_groups(file: Path, name: str, root: Path) -> None:
    """Print a row of pairwise precision and recall for the database, and one for each subset."""
    database = read_database(name, root)
    number = {picture: place for place, names in enumerate(load_duplicates(file).groups) for picture in names}
    subsets = sorted({record.subset for record in database.records if record.subset})
    print("| pictures | pairs given | pairs found | of these given | precision | recall |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for subset in ("all", *subsets):
        records = [r for r in database.records if subset in ("all", r.subset)]
        found = [number.get(record.name, -1 - place) for place, record in enumerate(records)]
        result = agreement(found, [record.group for record in records])
        print(
            f"| {subset}: {len(records):,} | {result.pairs_given:,} | {result.pairs_found:,} "
            f"| {result.pairs_common:,} | {result.pair_precision:.3f} | {result.pair_recall:.3f} |"
        )
    found = [number.get(record.name, -1 - place) for place, record in enumerate(database.records)]
    sizes = Counter(Counter(found).values())
    given = Counter(Counter(record.group for record in database.records).values())
    print(f"\ngroups by size, found: {_sizes(sizes)}; given: {_sizes(given)}")


def _sizes(sizes: Counter[int]) -> str:
    return ", ".join(f"{number:,} of {size}" for size, number in sorted(sizes.items()) if size > 1)


def copied(folder: Path, part: str | None, limit: int, threads: int) -> None:
    """Print for each kind of copy how many are found, and how many groups hold two photographs."""
    originals = [source.path for source in find_sources(folder, part, limit)]
    alone = find_duplicates(originals, threads)
    joined = len(originals) - len(set(alone.groups))
    print(f"{len(originals)} photographs; {joined} of them are joined to another without any copy\n")
    print("| copy | found | share | groups with two photographs |")
    print("| --- | ---: | ---: | ---: |")
    for kind, ending, change, options in COPIES:
        with tempfile.TemporaryDirectory(prefix="iqa-copies-") as place:
            copies = [Path(place) / f"{number:04d}{ending}" for number in range(len(originals))]
            for original, copy in zip(originals, copies, strict=True):
                with Image.open(original) as photo:
                    change(photo.convert("RGB")).save(copy, **options)
            groups = find_duplicates([*originals, *copies], threads).groups
        count = len(originals)
        found = sum(groups[i] == groups[i + count] for i in range(count))
        # A group should hold one photograph and its copy.
        wrong = sum(
            len({i % count for i, own in enumerate(groups) if own == group}) > 1 for group in set(groups)
        )
        print(f"| {kind} | {found} of {count} | {found / count:.3f} | {wrong} |", flush=True)


def main() -> None:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    groups = commands.add_parser("groups", help="against the groups of a database")
    groups.add_argument("file", type=Path)
    groups.add_argument("database")
    groups.add_argument("root", type=Path)
    copies = commands.add_parser("copies", help="on copies made of photographs")
    copies.add_argument("folder", type=Path)
    copies.add_argument("--part", help="part of sources.csv")
    copies.add_argument("--limit", type=int, default=100)
    copies.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.command == "groups":
        compare_groups(options.file, options.database, options.root)
    else:
        copied(options.folder, options.part, options.limit, options.threads)


if __name__ == "__main__":
    main()
