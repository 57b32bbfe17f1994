"""What a run tells while it goes on: `log.jsonl`, `metrics.csv`, TensorBoard, lines and progress.

`metrics.csv` and the progress hold nothing that `log.jsonl` does not; the CSV is written anew after each
epoch from the log, so that it is whole after a kill and a resume too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from iqa_cli.text import one_line
from iqa_cli.training.checkpoint import append_log, read_log, write_text

Log = Callable[[str], None]


class Progress(Protocol):
    """Shows how far a run is; a command gives one that draws on a terminal."""

    def update(self, phase: str, done: int, total: int, text: str = "") -> None:
        """Tell how far it is.

        Args:
            phase: "decoding", "training" or "validating".
            done: Pictures, or steps of training.
            total: Of how many.
            text: A few figures.
        """
        ...


class RunLog:
    """The log of a run.

    Args:
        folder: Of the run.
        log: Takes a line for a person.
        progress: Told how far the run is.
        active: Whether this process writes and speaks at all.
    """

    def __init__(
        self,
        folder: Path,
        log: Log,
        progress: Progress | None = None,
        active: bool = True,
    ) -> None:
        self.folder, self.active = folder, active
        self._log, self._progress = log, progress
        self._writer: Any = None

    def open_tensorboard(self, step: int) -> None:
        """Write event files into `folder/tensorboard` from now on, where the package is installed.

        Args:
            step: At which the run goes on; what the files of a killed run have of later steps is dropped.
        """
        if not self.active:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(self.folder / "tensorboard", purge_step=step + 1 if step else None)
        except ImportError:
            self._log("tensorboard is not installed: no event files (pip install tensorboard)")
        except OSError as error:
            self._log(f"no event files: {one_line(str(error))}")

    def say(self, line: str) -> None:
        """A line for a person."""
        if self.active:
            self._log(line)

    def show(self, phase: str, done: int, total: int, text: str = "") -> None:
        """Progress; see `Progress.update`."""
        if self.active and self._progress is not None:
            self._progress.update(phase, done, total, text)

    def record(self, line: dict[str, Any], scalars: Mapping[str, float]) -> None:
        """A line of `log.jsonl`; it has "step".

        Args:
            line: Plain values.
            scalars: What TensorBoard shows of it, by tag.

        Raises:
            WeightsError: The log cannot be written.
        """
        if not self.active:
            return
        append_log(self.folder, line)
        self._guarded(lambda w: [w.add_scalar(tag, v, line["step"]) for tag, v in scalars.items()])

    def lines(self) -> list[dict[str, Any]]:
        """What `log.jsonl` holds."""
        return read_log(self.folder)

    def write_metrics(self) -> None:
        """Write `metrics.csv`: a row for each epoch that was validated.

        Raises:
            WeightsError: It cannot be written.
        """
        if self.active:
            write_text(self.folder / "metrics.csv", metrics_csv(self.lines()))
            self._guarded(lambda w: w.flush())

    def close(self) -> None:
        """End the event file."""
        self._guarded(lambda w: w.close())
        self._writer = None

    def _guarded(self, write: Callable[[Any], object]) -> None:
        """Event files are a convenience: a failure ends them and not the run."""
        if self._writer is None:
            return
        try:
            write(self._writer)
        except Exception as error:  # its writer thread hands on whatever it met
            self._writer = None
            self._log(f"no more event files: {one_line(str(error))}")


def metrics_csv(lines: list[dict[str, Any]]) -> str:
    """`metrics.csv` of the lines of `log.jsonl`.

    Returns:
        A row for each epoch, of the last line that tells of it: epoch from 1, step, means of the losses over
        its steps, SRCC and PLCC on the part that chooses, SRCC of further databases, images
        a second of its steps, and the share of the time that steps waited for the loader.
    """
    epochs = {line["epoch"]: line for line in lines if isinstance(line.get("epoch"), int)}
    losses = list(dict.fromkeys(name for line in epochs.values() for name in line.get("train", {})))
    others = list(dict.fromkeys(name for line in epochs.values() for name in line.get("others", {})))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    speeds = ("images_per_second", "waited")
    writer.writerow(["epoch", "step", *losses, "srcc", "plcc", *(f"srcc {n}" for n in others), *speeds])
    for epoch in sorted(epochs):
        line = epochs[epoch]
        row = [epoch + 1, line.get("step"), *(line.get("train", {}).get(name) for name in losses)]
        row += [line.get("srcc"), line.get("plcc"), *(line.get("others", {}).get(name) for name in others)]
        row += [line.get("speed", {}).get(name) for name in speeds]
        writer.writerow(["" if value is None else value for value in row])
    return text.getvalue()
