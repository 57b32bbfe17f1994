"""The page says what was measured, and nothing that stands in a name gets out of its place."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from iqa_cli.report import page
from tests.report.results import HOSTILE, made_part, made_result

# Elements that have no end.
_VOID = {"meta", "link", "img", "br"}
_SVG_LEAVES = {"path", "circle", "rect"}


class Reader(HTMLParser):
    """What a browser would see: elements, cells of tables, text. An element left open is a failure."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _SVG_LEAVES
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if self.open and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def row(self, first: str) -> list[str]:
        return next(row for row in self.rows if row[0].startswith(first))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_headline_has_the_figures_and_intervals_that_were_measured() -> None:
    result = made_result(made_part(deviations=np.full(120, 8.0)))
    whole = result.measured.whole
    row = Reader(page([result])).row("scorer")
    assert row[1] == "120"
    for cell, value, interval in (
        (row[2], whole.srcc, whole.srcc_ci),
        (row[4], whole.krcc, whole.krcc_ci),
        (row[5], whole.plcc, whole.plcc_ci),
        (row[6], whole.plcc_fitted, whole.plcc_fitted_ci),
    ):
        assert value is not None
        assert interval is not None
        assert cell == f"{value:.4f} {interval[0]:.3f} to {interval[1]:.3f}"
    assert whole.rmse is not None
    assert row[7].startswith(f"{whole.rmse:.2f} ")
    assert whole.outlier_ratio is not None
    assert row[8] == f"{whole.outlier_ratio:.3f}"


def test_every_distortion_and_level_has_its_row() -> None:
    result = made_result(made_part())
    read = Reader(page([result]))
    for kind in ("distortion", "level"):
        for figures in result.measured.rows[kind]:
            row = read.row(figures.row)
            assert row[1] == str(figures.n_used)
            assert row[2].startswith(f"{figures.srcc:.4f} ")


def test_of_many_references_the_worst_are_shown_and_it_says_so() -> None:
    part = made_part(1000, kinds={"ref": [f"r{i // 10:03d}" for i in range(1000)]})
    result = made_result(part, noise=40.0)
    read = Reader(page([result]))
    shown = [row[0] for row in read.rows if re.fullmatch(r"r\d{3}", row[0])]
    lowest = sorted(result.measured.rows["ref"], key=lambda row: row.srcc or 0)[: len(shown)]
    assert shown == [row.row for row in lowest]
    assert f"the {len(shown)} lowest of 100" in read.text


def test_pictures_without_a_score_and_pictures_met_are_told() -> None:
    part = made_part()
    scores = part.opinions.copy()
    scores[:7] = np.nan
    met = np.arange(120) == 50
    read = Reader(page([made_result(part, scores, met=met, near=np.arange(120) == 60)]))
    assert read.row("scorer")[1] == "113 of 120"
    assert "7 of 120 pictures have no score" in read.text
    assert "1 of 113 pictures was met in training" in read.text
    assert read.row("scorer")[-1].startswith("1")


def test_only_winners_are_bold() -> None:
    part = made_part()
    good, poor = made_result(part, scorer="good"), made_result(part, scorer="poor", noise=90.0)
    text = page([good, poor], best=[{"srcc": {"good"}, "plcc_fitted": set()}])
    assert f"<b>{good.measured.whole.srcc:.4f}</b>" in text
    assert f"<b>{poor.measured.whole.srcc:.4f}</b>" not in text
    assert f"<b>{good.measured.whole.plcc_fitted:.4f}</b>" not in text
    with pytest.raises(ValueError, match="2 parts for 1"):
        page([good, poor], best=[{}, {}])


def test_a_scorer_that_falls_keeps_its_sign_and_says_that_it_falls() -> None:
    result = made_result(made_part(), lambda y: -y)
    assert result.measured.whole.srcc is not None
    assert result.measured.whole.srcc < 0
    read = Reader(page([result]))
    assert read.row("scorer")[2].startswith("-0.")
    assert "it falls" in read.text


@pytest.mark.parametrize("n", [1, 120])
def test_without_figures_the_page_says_why(n: int) -> None:
    """One picture; constant scores."""
    result = made_result(made_part(n), np.full(n, 50.0))
    read = Reader(page([result]))
    assert result.measured.whole.why_not is not None
    assert f"No figures: {result.measured.whole.why_not}" in read.text
    assert read.row("scorer")[2] == "-"
    assert "nan" not in read.text.lower()


def test_no_scores_at_all() -> None:
    read = Reader(page([made_result(made_part(10), np.full(10, np.nan))]))
    assert "0 of 10" in read.row("scorer")[1]
    assert read.all("figure") == []


def test_a_fit_that_did_not_converge_leaves_no_curve() -> None:
    result = made_result(made_part())
    whole = replace(result.measured.whole, fit_converged=False, plcc_fitted=None, rmse=None)
    text = page([replace(result, measured=replace(result.measured, whole=whole))])
    assert "did not converge" in text
    assert 'class="curve"' not in text
    assert "% of the ranks too" in text


def test_hostile_names_stay_text() -> None:
    n = 40
    part = made_part(
        n,
        dataset=HOSTILE,
        name=HOSTILE,
        names=(HOSTILE,) * n,
        kinds={"distortion": [HOSTILE, "b"] * (n // 2)},
    )
    text = page([made_result(part, scorer=HOSTILE)], command=HOSTILE)
    text.encode()
    read = Reader(text)
    assert read.all("script") == []
    assert read.all("img") == []
    assert not any(name.startswith("on") for _, attributes in read.elements for name in attributes)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e]", text)
    assert r"onerror=alert(1)> " in read.text
    assert r"\x1b[31m \u202e \xff" in read.text


def test_nothing_is_loaded_from_elsewhere() -> None:
    text = page([made_result(made_part(), scorer="http://example.org/x.png")])
    for tag, attributes in Reader(text).elements:
        assert tag not in ("script", "iframe", "object", "embed", "base")
        for name in ("src", "href", "srcset", "data", "action"):
            if attributes.get(name) is not None:
                assert str(attributes[name]).startswith(("#", "data:"))
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_the_same_results_give_the_same_page_and_all_ids_differ() -> None:
    part, other = made_part(), made_part(60, name="test")
    results = [made_result(part, scorer="a"), made_result(part, scorer="b"), made_result(other, scorer="a")]
    text = page(results)
    assert text == page(results)
    read = Reader(text)
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in read.elements:
        named = (attributes.get("aria-labelledby") or "").split()
        named += [target[1:] for target in [attributes.get("href") or ""] if target.startswith("#")]
        assert set(named) <= set(ids)


def test_many_pictures_are_drawn_in_part_and_it_says_so() -> None:
    n = 30_000
    result = made_result(made_part(n, kinds={}))
    text = page([result])
    drawn = re.search(r"([\d,]+) of 30,000 pictures are drawn", text)
    assert drawn is not None
    count = int(drawn[1].replace(",", ""))
    assert 1000 < count < 6000
    # Two charts, and each dot once in either.
    assert len(re.findall(r'<path d="M[\d.]+ [\d.]+h0"/>', text)) == 2 * count
    assert len(text) < 1_000_000
    assert "influence" in text


def test_a_page_of_many_scorers_draws_fewer_dots_of_each() -> None:
    result = made_result(made_part(3000, kinds={}))
    assert "pictures are drawn" not in page([result])
    text = page([result] * 30)
    assert text.count("of 3,000 pictures are drawn") == 30
    assert len(text) < 4_000_000
