"""What a weight has met in training, for `iqa eval`: figures on such pictures say little."""

from __future__ import annotations

from pathlib import Path

from iqa_cli.card import Card
from iqa_cli.cli.context import Environment
from iqa_cli.errors import WeightsError
from iqa_cli.finding import SEEN_SUFFIX
from iqa_cli.seen import Seen, read_seen, seen_path
from iqa_cli.text import one_line


def seen_of(path: Path, card: Card, env: Environment) -> Seen | None:
    """The hashes that belong to a weight; None, with a note, where there are none.

    Raises:
        WeightsError: There is a file of hashes, but it is damaged or belongs to another weight.
    """
    if card.seen is None:
        env.note(f"the card of {card.name} keeps no hashes: what it has met in training is not known")
        return None
    candidates = [seen_path(path)]
    named = card.seen.get("file")
    # A name, not a path: a card should not choose what is read elsewhere on the disk.
    if isinstance(named, str) and named.endswith(SEEN_SUFFIX) and Path(named).name == named:
        # Second: beside a renamed weight, that name may be the file of another one by now.
        candidates.append(path.with_name(named))
    file = next((candidate for candidate in candidates if candidate.exists()), None)
    if file is None:
        env.note(f"{one_line(candidates[0])} is missing: what the weight has met in training is not known")
        return None
    seen = read_seen(file)
    expected = card.seen.get("pictures")
    if isinstance(expected, int) and expected != len(seen):
        raise WeightsError(
            f"{one_line(file)}: holds {len(seen)} pictures, but the card of the weight says {expected}",
            hint="it belongs to another weight; the two files travel together",
        )
    return seen
