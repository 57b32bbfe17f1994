"""Cells that a spreadsheet would compute are written so that it does not."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqa_cli.cli.eval_columns import csv_text
from iqa_cli.cli.gmad_print import as_csv
from iqa_cli.gmad.session import Competition, Pair, Picture
from iqa_cli.spreadsheet import name_cell, text_cell

STARTS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001


@given(st.text(st.characters(blacklist_characters="/\\\0"), min_size=1) | st.sampled_from(STARTS))
def test_no_name_is_computed_and_each_stays_the_same_file(name: str) -> None:
    assert not name_cell(name).startswith(STARTS)
    assert Path(name_cell(name)) == Path(name)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1"])  # noqa: RUF001
def test_other_text_gets_an_apostrophe_and_harmless_text_nothing(text: str) -> None:
    assert text_cell(text) == f"'{text}"
    assert text_cell(f"a{text}") == f"a{text}"


def test_tables_of_results_keep_their_numbers() -> None:
    assert csv_text(["weight", "srcc", "n"], [["=evil", -0.5, None]]) == "weight,srcc,n\n'=evil,-0.5,\n"


def test_pairs_of_a_competition_are_names_and_not_formulas() -> None:
    sides = [Picture(f"/pool/{name}", name, {"=m": 50.0, "n": 40.0}) for name in ("=a.png", "b.png")]
    pair = Pair("p0001", "=m", "n", "low", 1, *sides, -1.5, 0.5)
    competition = Competition(2, "pool", ("=m", "n"), "rank", "ranks in the pool", (pair,))
    (row,) = csv.DictReader(io.StringIO(as_csv(competition, {})))
    assert [row[key] for key in ("first", "second", "defender", "attacker")] == [
        "./=a.png",
        "b.png",
        "'=m",
        "n",
    ]
    assert float(row["attacker_difference"]) == -1.5
