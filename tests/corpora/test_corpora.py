"""Every file of the image corpora has the outcome that `outcomes.tsv` lists: a score or one clear error.

The corpora are not in the repository; `IQA_CORPORA` names the folder that they were unpacked into
(SECURITY.md).
"""

from __future__ import annotations

import os
from pathlib import Path

import PIL
import pytest

from tests.corpora import looking

OUTCOMES = Path(__file__).with_name("outcomes.tsv")


def listed() -> tuple[str, dict[str, str]]:
    """Version of Pillow that the list was made with, and digest -> outcome."""
    head, *lines = OUTCOMES.read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return head.removeprefix("# Pillow "), {digest: outcome for digest, outcome, _ in rows}


def test_the_list_is_of_hundreds_of_files_with_one_line_each() -> None:
    _, outcomes = listed()
    scored = [outcome for outcome in outcomes.values() if outcome.startswith("scored ")]
    assert len(scored) > 300
    assert len(outcomes) - len(scored) > 100
    assert all(outcome and outcome.isprintable() for outcome in outcomes.values())
    assert not any("unexpected" in outcome or "defect" in outcome for outcome in outcomes.values())


@pytest.mark.slow
@pytest.mark.skipif("IQA_CORPORA" not in os.environ, reason="IQA_CORPORA names no folder of corpora")
def test_every_file_has_its_outcome_in_time_and_memory() -> None:
    version, outcomes = listed()
    looks = list(looking.look(Path(os.environ["IQA_CORPORA"])))
    known = [look for look in looks if look.digest in outcomes]
    assert len(known) > 100, "other corpora than those of the list"
    for look in looks:
        assert look.seconds < looking.SECONDS, look
        assert look.mebibytes < looking.MEBIBYTES, look
    for look in known:
        wanted = outcomes[look.digest]
        if version == PIL.__version__:
            assert look.outcome == wanted, look
        else:  # another version may say it in other words, or read more
            assert look.outcome.startswith("scored") or not wanted.startswith("scored"), look
