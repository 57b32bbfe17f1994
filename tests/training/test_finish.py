"""From the best epoch to a weight: the choice of the epoch."""

import json
from pathlib import Path

from iqa_cli.training.finish import chosen_epoch, code_version


def test_the_epoch_on_the_card_is_the_best_of_the_log(tmp_path: Path) -> None:
    lines = [
        {"step": 1, "opinion": 0.2},
        {"step": 2, "epoch": 0, "srcc": 0.7},
        {"step": 4, "epoch": 1, "srcc": 0.6},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert chosen_epoch(tmp_path)["step"] == 2


def test_the_code_version_begins_with_the_package_s() -> None:
    from iqa_cli import __version__

    assert code_version().split(" ")[0] == __version__
