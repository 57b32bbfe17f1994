"""All databases at once: their published facts, and that none is taken for what it is not."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from iqa_cli.cli.app import run
from iqa_cli.cli.context import Environment
from iqa_cli.datasets.record import split_hash
from iqa_cli.datasets.registry import DATABASES, FACTS, read_database
from iqa_cli.errors import DatasetError, UsageError
from tests.datasets import trees

#: Name -> published pictures, references, lowest and highest score, whether higher is better, split.
PUBLISHED = {
    "live": (779, 29, -3, 112, False, "reference"),
    "csiq": (866, 30, 0, 1, False, "reference"),
    "tid2013": (3000, 25, 0, 9, True, "reference"),
    "kadid10k": (10125, 81, 1, 5, True, "reference"),
    "livec": (1162, 0, 0, 100, True, "random"),
    "koniq10k": (10073, 0, 1, 100, True, "official"),
    "spaq": (11125, 0, 0, 100, True, "random"),
    "flive": (39810, 0, 0, 100, True, "official"),
    "biq2021": (12000, 0, 0, 1, True, "group"),
}
every_database = pytest.mark.parametrize("name", PUBLISHED)


def _eval(*args: object) -> tuple[int, str]:
    """`iqa eval` up to where it would score: exit code and stderr."""
    err = io.StringIO()
    env = Environment(stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=err)
    return run(["eval", *map(str, args)], env), err.getvalue()


def test_the_facts_are_those_published() -> None:
    assert set(DATABASES) == {*FACTS, "csv"}
    shown = {
        name: (f.images, f.references, f.low, f.high, f.higher_is_better, f.split)
        for name, f in FACTS.items()
    }
    assert shown == PUBLISHED
    for name, facts in FACTS.items():
        assert facts.name == name
        assert all((facts.title, facts.citation, facts.layout, facts.licence, facts.score, facts.page))
        assert facts.expected.isprintable()


def test_the_facts_are_had_without_loading_numpy() -> None:
    code = """
import sys
import iqa_cli.datasets.registry
print(sorted({"numpy", "scipy", "openpyxl", "torch", "cv2", "PIL"} & set(sys.modules)))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_what_multiplies_does_so() -> None:
    assert FACTS["tid2013"].images == FACTS["tid2013"].references * 24 * 5
    assert FACTS["kadid10k"].images == FACTS["kadid10k"].references * 25 * 5


@every_database
def test_an_empty_folder_is_refused_with_the_layout(name: str, tmp_path: Path) -> None:
    failure = trees.refusal(lambda root: read_database(name, root), tmp_path)
    assert failure.message.startswith(f"no {FACTS[name].title} under '{tmp_path}'")
    assert failure.hint == FACTS[name].expected
    assert FACTS[name].layout[0] in failure.hint


@every_database
def test_a_missing_folder_is_refused_with_the_layout(name: str, tmp_path: Path) -> None:
    failure = trees.refusal(lambda root: read_database(name, root), tmp_path / "nowhere")
    assert failure.message == f"no such folder: '{tmp_path / 'nowhere'}'"
    assert failure.hint == FACTS[name].expected


@every_database
def test_a_file_is_refused(name: str, tmp_path: Path) -> None:
    file = trees.picture(tmp_path / "a.png")
    trees.refusal(lambda root: read_database(name, root), file)


@every_database
def test_the_tree_of_no_other_database_is_taken_for_it(name: str, tmp_path: Path) -> None:
    trees.BUILDERS[name](tmp_path)
    for other in PUBLISHED:
        if other != name:
            trees.refusal(lambda root, other=other: read_database(other, root), tmp_path)


@every_database
def test_records_are_whole_sorted_and_can_be_decoded(name: str, tmp_path: Path) -> None:
    facts = FACTS[name]
    database = read_database(name, trees.BUILDERS[name](tmp_path))
    records = database.records
    assert (database.name, database.low, database.high) == (name, facts.low, facts.high)
    assert [r.name for r in records] == sorted({r.name for r in records})
    for record in records:
        assert 0 <= record.mos <= 1
        share = (record.raw - facts.low) / (facts.high - facts.low)
        assert record.mos == pytest.approx(share if facts.higher_is_better else 1 - share)
        assert (record.ref is not None) == bool(facts.references)
        assert record.group == (record.ref or record.name)
        assert (record.distortion is not None) == bool(facts.references)
    for record in records[:: max(1, len(records) // 5)]:
        with Image.open(record.path) as picture:
            assert picture.convert("RGB").size == (12, 8)


@every_database
def test_names_and_split_do_not_depend_on_where_the_tree_is(name: str, tmp_path: Path) -> None:
    """An archive unpacked one folder deeper, on another disk, gives the same records but for the paths."""
    trees.BUILDERS[name](tmp_path / "here")
    if name == "biq2021":  # has no folder of its own in the archive
        trees.BUILDERS[name](tmp_path / "there")
    else:
        trees.BUILDERS[name](tmp_path / "there" / "unpacked")
    here, there = (read_database(name, tmp_path / place).records for place in ("here", "there"))
    assert split_hash(here) == split_hash(there)
    assert [(r.name, r.mos, r.group) for r in here] == [(r.name, r.mos, r.group) for r in there]


@every_database
def test_the_command_line_knows_it_and_tells_what_it_expected(name: str, tmp_path: Path) -> None:
    code, err = _eval("--dataset", name, "--root", tmp_path)
    assert code == 4
    assert err.splitlines()[0].startswith(f"iqa: error: no {FACTS[name].title} under")
    assert FACTS[name].layout[0] in err.splitlines()[1]
    assert len(err.splitlines()) == 2


def test_an_unknown_name_gets_the_list_or_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_database("imagenet", tmp_path)
    assert caught.value.hint == f"databases: {', '.join(DATABASES)}"
    for wrong, right in (("koniq", "koniq10k"), ("tid2031", "tid2013"), ("kadid-10k", "kadid10k")):
        with pytest.raises(UsageError) as caught:
            read_database(wrong, tmp_path)
        assert caught.value.hint == f"did you mean {right}?"


def test_a_range_is_not_taken_where_the_scale_is_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the range of scores of spaq is known"):
        read_database("spaq", tmp_path, (0, 100))


@every_database
def test_a_score_on_the_edge_of_the_range_fits_and_none_beyond(name: str) -> None:
    facts = FACTS[name]
    ends = (facts.scaled(facts.low, "here"), facts.scaled(facts.high, "here"))
    assert ends == ((0, 1) if facts.higher_is_better else (1, 0))
    assert {facts.scaled(1.0000000000000002 * facts.high, "here")} <= {0, 1}
    for score in (facts.low - 0.01, facts.high + 0.01, float("nan"), float("inf")):
        with pytest.raises(DatasetError, match=r"here: the score .* lies outside of"):
            facts.scaled(score, "here")
