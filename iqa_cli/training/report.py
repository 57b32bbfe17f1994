"""The report that ends a pre-training: a text for people, and the same as JSON, whose presence says that the
run has ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from iqa_cli.training.checkpoint import write_text

REPORT_JSON, REPORT_TEXT = "report.json", "report.md"


def write_report(folder: Path, report: dict[str, Any], text: str) -> None:
    """Write both; the result of the run must have been written before.

    Raises:
        WeightsError: A file cannot be written.
    """
    write_text(folder / REPORT_TEXT, text)
    write_text(folder / REPORT_JSON, json.dumps(report, indent=1) + "\n")  # last: it marks the end


def finished_report(folder: Path, result: str) -> dict[str, Any] | None:
    """The report of a run that has ended, None where it has not.

    Args:
        folder: Of the run.
        result: Name of the file that the run makes.
    """
    try:
        report = json.loads((folder / REPORT_JSON).read_text(encoding="utf-8"))
        return report if (folder / result).is_file() and isinstance(report, dict) else None
    except (OSError, ValueError):
        return None
