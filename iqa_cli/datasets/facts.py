"""What is published about a database: counts, scale, direction, split, layout, terms; no file is opened."""

from __future__ import annotations

from dataclasses import dataclass

from iqa_cli.errors import DatasetError


@dataclass(frozen=True)
class DatabaseFacts:
    """The facts of one database, which stand at the head of its reader.

    Attributes:
        name: Key on the command line.
        title: Name in the literature.
        images: Published number of pictures with an opinion score.
        references: Published number of reference pictures; 0 where there are none.
        low: Lowest score of the declared range, as the label file prints scores.
        high: Highest score of the declared range.
        higher_is_better: Direction of the printed score.
        split: How the field splits it: "reference" (no reference picture in two parts), "random", "official"
            (a split that its authors publish) or "group" (near-duplicates stay together).
        citation: Authors, title, place, year.
        layout: What must lie under the root, an entry a line.
        licence: The terms under which it is given, as far as they are stated.
        score: The column, variable or place of the score.
        page: Where its authors give it away, by the name of the page.
    """

    name: str
    title: str
    images: int
    references: int
    low: float
    high: float
    higher_is_better: bool
    split: str
    citation: str
    layout: tuple[str, ...]
    licence: str
    score: str
    page: str

    def scaled(self, score: float, place: str) -> float:
        """A printed score on the scale of `ImageRecord.mos`: 0 to 1, higher is better.

        Args:
            score: As the label file prints it.
            place: File and line, for the message.

        Raises:
            DatasetError: The score is outside of the declared range (NaN is).
        """
        # A score that was computed and printed may miss an end of the scale by a rounding error.
        slack = 1e-9 * (self.high - self.low)
        if not self.low - slack <= score <= self.high + slack:
            raise DatasetError(
                f"{place}: the score {score:g} lies outside of {self.low:g} to {self.high:g}",
                hint=f"the scale of {self.title}: {self.score}",
            )
        share = min(1.0, max(0.0, (score - self.low) / (self.high - self.low)))
        return share if self.higher_is_better else 1 - share

    def scaled_deviation(self, deviation: float | None, place: str) -> float | None:
        """A printed standard deviation of opinions on the scale of `ImageRecord.deviation`.

        None stays None, and what MATLAB files mark as not known (NaN) becomes None.

        Args:
            deviation: In units of the printed score.
            place: File and line, for the message.

        Raises:
            DatasetError: It is negative or infinite.
        """
        if deviation is None or deviation != deviation:
            return None
        if not 0 <= deviation < float("inf"):
            raise DatasetError(f"{place}: {deviation:g} is no standard deviation")
        return deviation / (self.high - self.low)

    @property
    def expected(self) -> str:
        """The layout as one line for a hint."""
        return f"expected there: {'; '.join(self.layout)}"
