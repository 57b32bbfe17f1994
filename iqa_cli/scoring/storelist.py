"""What a store holds, as the records that `iqa score` gave, filtered and in order; and what it holds of each
way of scoring."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from iqa_cli.prediction import Prediction
from iqa_cli.scoring.storefile import StoreError, is_sound, open_store, place_of, told
from iqa_cli.text import one_line

# The largest number that SQLite takes.
_MOST = 2**63 - 1


@dataclass(frozen=True)
class Wanted:
    """Which records, and in which order.

    Attributes:
        models: Names of weights; () for all.
        settings: As of `ScorerKey.settings`; None for all.
        scorer: Of this way of scoring alone, `ScorerSummary.number`; None for all.
        below, above: Only scores under (not under) this, in points.
        pattern: Only paths that match it whole, as SQLite's GLOB: * also takes slashes.
        failed: Only pictures that could not be scored.
        order: By path, best first or worst first; pictures without a score come last.
        limit: At most so many; None for all.
    """

    models: tuple[str, ...] = ()
    settings: str | None = None
    scorer: int | None = None
    below: float | None = None
    above: float | None = None
    pattern: str | None = None
    failed: bool = False
    order: Literal["path", "best", "worst"] = "path"
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A record of a store.

    Attributes:
        prediction: As `iqa score` gave it, under the absolute path at which the content was last met.
        sha256: Of the picture's file, in hex.
        weight: SHA-256 of the weight, in hex.
        settings: As of `ScorerKey.settings`.
    """

    prediction: Prediction
    sha256: str
    weight: str
    settings: str


@dataclass(frozen=True)
class ScorerSummary:
    """What a store holds of one way of scoring; `mean` is of the scores, None without any; `number` is higher
    for a later way; `policy` is the size policy as JSON, with the version of the scoring."""

    model: str
    settings: str
    weight: str
    scored: int
    failed: int
    mean: float | None
    number: int
    policy: str


class StoreReader:
    """A store opened for listing. A context manager.

    Raises:
        StoreError: As of `open_store`; there is none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = place_of(path)
        self._connection = open_store(self.path, make=False)

    def __enter__(self) -> StoreReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def rows(self, wanted: Wanted) -> Iterator[Stored]:
        """The records, one by one: a million of them take no more memory than one.

        Raises:
            StoreError: No scorer is called so, or the file is damaged or holds what is no score.
        """
        try:
            for row in self._connection.execute(*self._query(wanted)):
                yield self._stored(row)
        except sqlite3.Error as error:
            raise told(self.path, error) from None

    def summary(self) -> list[ScorerSummary]:
        """One entry for each way of scoring, by name.

        Raises:
            StoreError: The file is damaged.
        """
        try:
            found = self._connection.execute(
                "SELECT c.id, c.model, c.settings, c.weight, count(s.score),"
                " count(s.picture) - count(s.score), avg(s.score), c.policy"
                " FROM scorers c LEFT JOIN scores s ON s.scorer = c.id"
                " GROUP BY c.id ORDER BY c.model, c.settings, c.id"
            )
            return [
                ScorerSummary(
                    str(model), str(settings), str(weight), scored, failed, mean, number, str(policy)
                )
                for number, model, settings, weight, scored, failed, mean, policy in found
            ]
        except sqlite3.Error as error:
            raise told(self.path, error) from None

    def _query(self, wanted: Wanted) -> tuple[str, list[object]]:
        scorers = self._scorers(wanted)
        # Few scorers, so that their numbers may stand in the text; one alone lets the index give the order.
        conditions = [f"s.scorer IN ({', '.join(map(str, scorers))})"]
        values: list[object] = []
        if wanted.failed:
            conditions.append("s.score IS NULL")
        if wanted.below is not None:
            conditions.append("s.score < ?")
            values.append(wanted.below)
        if wanted.above is not None:
            conditions.append("s.score >= ?")
            values.append(wanted.above)
        if wanted.pattern is not None:
            conditions.append("CAST(f.path AS TEXT) GLOB ?")
            values.append(wanted.pattern)
        by_score = wanted.order != "path"
        tables = ("scores s", "files f") if by_score else ("files f", "scores s")
        order = {"path": "f.path, s.scorer", "best": "s.score DESC, f.path", "worst": "s.score, f.path"}
        if wanted.order == "worst":
            conditions.append("s.score IS NOT NULL")
        values.append(-1 if wanted.limit is None else min(wanted.limit, _MOST))
        sql = (
            "SELECT f.path, p.sha256, c.model, c.weight, c.settings, s.error, s.score, s.spread, s.raw,"
            " s.crops, s.width, s.height, s.distortion, s.distortion_level, s.low, s.high"
            f" FROM {tables[0]} CROSS JOIN {tables[1]} ON f.picture = s.picture"
            " JOIN scorers c ON c.id = s.scorer JOIN pictures p ON p.id = s.picture"
            f" WHERE {' AND '.join(conditions)} ORDER BY {order[wanted.order]} LIMIT ?"
        )
        return sql, values

    def _scorers(self, wanted: Wanted) -> list[int]:
        found = self._connection.execute("SELECT id, model, settings FROM scorers ORDER BY id").fetchall()
        models = {str(model) for _, model, _ in found}
        for model in wanted.models:
            if model not in models:
                there = ", ".join(sorted(models)) or "none"
                raise StoreError(f"the store has no scores of '{model}'", hint=f"it has those of: {there}")
        return [
            number
            for number, model, settings in found
            if (not wanted.models or model in wanted.models)
            and wanted.settings in (None, settings)
            and wanted.scorer in (None, number)
        ]

    def _stored(self, row: tuple[object, ...]) -> Stored:
        path, sha256, model, weight, settings, error, *scored = row
        if (
            not isinstance(path, (str, bytes))
            or not isinstance(sha256, bytes)
            or not isinstance(error, (str, type(None)))
            or not is_sound(scored)
        ):
            raise StoreError(
                f"{one_line(self.path)}: the store is damaged (a value of another kind than its column)"
            )
        name = str(model)
        score, spread, raw, crops, width, height, distortion, level, low, high = scored
        known: dict[str, object] = {
            "path": os.fsdecode(path),
            "score": score,
            "error": error,
            "model": name,
            "spread": spread,
            "width": width,
            "height": height,
            "raw": raw,
            "crops": crops,
            "distortion": distortion,
            "distortion_level": level,
            "low": low,
            "high": high,
            "scores": {name: score},
            "errors": {} if error is None else {name: error},
            "intervals": {name: None if low is None or high is None else (low, high)},
        }
        return Stored(Prediction(**known), sha256.hex(), str(weight), str(settings))  # type: ignore[arg-type]
