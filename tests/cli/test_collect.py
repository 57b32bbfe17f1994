"""All records of a command line at once: scored, or read back from what `iqa score` has written."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from iqa_cli.cli.collect import Collected, collect
from iqa_cli.cli.context import Environment
from iqa_cli.cli.run import ScoreOptions
from iqa_cli.errors import DatasetError, ExitCode, IqaError, UsageError
from iqa_cli.prediction import Prediction
from iqa_cli.scoring.group import ScorerGroup
from iqa_cli.scoring.recorded import read_records
from tests.cli.conftest import Iqa
from tests.tinyweight import make_tiny_weight

Photos = Callable[..., Path]
HERE = ScoreOptions(paths=(".",), recursive=True)


def world(stdin: bytes = b"") -> Environment:
    return Environment(stdin=io.BytesIO(stdin), stdout=io.BytesIO(), stderr=io.StringIO())


def said(env: Environment) -> str:
    assert isinstance(env.stderr, io.StringIO)
    return env.stderr.getvalue()


def back(name: str, env: Environment | None = None, **options: object) -> Collected:
    return collect(replace(ScoreOptions(paths=()), **options), env or world(), scores=name)  # type: ignore[arg-type]


@pytest.fixture
def folder(iqa: Iqa, photos: Photos) -> Path:
    """Three pictures, one of a name that means harm, and one that is none."""
    made = photos("b.jpg", '=a<b>\udcff"\n.jpg', "sub/c.jpg")
    (made / "broken.jpg").write_bytes(b"no photo at all")
    return made


def test_what_is_read_back_is_what_was_scored(iqa: Iqa, folder: Path) -> None:
    env = world()
    found = collect(HERE, env)
    assert [record.score is None for record in found.records].count(True) == 1
    assert (found.exit_code, found.interrupted) == (ExitCode.SOME_FAILED, False)
    assert found.card is not None
    assert "1 of 4 pictures could not be scored" in said(env)
    places = ("rows.jsonl", "rows.json", "rows.csv")
    for name in places:
        assert iqa("score", "-r", ".", "-o", name, "--store", "s.db").code == 3
        again = back(name)
        assert again.card == found.card
        assert again.exit_code == ExitCode.SOME_FAILED
        for one, other in zip(again.records, found.records, strict=True):
            assert one.path.removeprefix("./") == other.path.removeprefix("./")
            for field in ("score", "spread", "raw", "low"):
                assert getattr(one, field) == pytest.approx(getattr(other, field), abs=1e-4)
            for field in ("error", "model", "width", "height", "crops", "distortion"):
                assert getattr(one, field) == getattr(other, field)
    piped = back("-", world((folder / "rows.jsonl").read_bytes()))
    assert piped.records == back("rows.jsonl").records
    stored = {Path(record.path).name: record.score for record in back("s.db").records}
    assert stored == {Path(record.path).name: record.score for record in found.records}


def test_of_a_store_the_way_of_scoring_has_to_be_plain(iqa: Iqa, photos: Photos, examples: Path) -> None:
    folder = photos("a.jpg")
    make_tiny_weight(folder, examples, "second", seed=12)
    for options in (["--fast"], [], ["--model", "second.safetensors"]):
        assert iqa("score", "a.jpg", "--store", "s.db", *options).code == 0
    with pytest.raises(UsageError, match=r"several kinds: mfenet .*second") as several:
        back("s.db")
    assert "--model NAME chooses one" in (several.value.hint or "")
    assert len(back("s.db", models=("second",)).records) == 1
    env = world()
    back("s.db", env, models=("mfenet",))
    assert "s.db: scores of mode default; 1 more are of mode fast (--fast)" in said(env)
    fast = back("s.db", fast=True).records
    assert [record.model for record in fast] == ["mfenet"]
    with pytest.raises(UsageError, match="has no scores of any weight, mode native") as missing:
        back("s.db", native=True)
    assert "mode fast (--fast)" in (missing.value.hint or "")
    with pytest.raises(UsageError, match="exclude each other"):
        back("s.db", paths=("a.jpg",))


def test_of_a_weight_that_was_replaced_the_scores_of_the_new_one_are_meant(
    iqa: Iqa, photos: Photos, examples: Path
) -> None:
    folder = photos("a.jpg")
    (folder / "old").mkdir()
    old = make_tiny_weight(folder / "old", examples, seed=13)
    for options in (["--model", old], []):
        assert iqa("score", "a.jpg", "--store", "s.db", *options).code == 0
    (record,) = back("s.db").records
    assert record.score == collect(ScoreOptions(paths=("a.jpg",)), world()).records[0].score


def test_of_a_release_that_scores_otherwise_the_scores_are_meant(
    iqa: Iqa, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were two kinds of one name, between which no option chose."""
    photos("a.jpg", "b.jpg")
    assert iqa("score", "a.jpg", "b.jpg", "--store", "s.db").code == 0
    monkeypatch.setattr("iqa_cli.scoring.storekey.SCORING", 2)
    assert iqa("score", "b.jpg", "--store", "s.db").code == 0
    assert [Path(record.path).name for record in back("s.db").records] == ["b.jpg"]


def test_a_weight_that_is_not_here_or_has_changed_gives_no_card(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg")
    record = json.loads(iqa("score", "a.jpg", "--format", "jsonl").out)
    for change, reason in (
        ({"model": "gone"}, "there is no weight 'gone' here"),
        ({"raw": record["raw"] + 0.5}, "another one than that of these scores"),
    ):
        Path("rows.jsonl").write_text(json.dumps({**record, **change}))
        env = world()
        assert back("rows.jsonl", env).card is None
        assert reason in said(env)


def test_an_interrupt_keeps_what_is_done(iqa: Iqa, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = ScorerGroup.score_many

    def interrupted(*args: object, **kwargs: object) -> Iterator[Prediction]:
        predictions = usual(*args, **kwargs)  # type: ignore[arg-type]
        yield next(predictions)
        raise KeyboardInterrupt

    monkeypatch.setattr(ScorerGroup, "score_many", interrupted)
    env = world()
    found = collect(HERE, env)
    assert (len(found.records), found.interrupted, found.exit_code) == (1, True, ExitCode.INTERRUPTED)
    assert "interrupted; 1 picture done\n" in said(env)
    # With a store it is said that nothing is lost, also by `iqa score`.
    collect(replace(HERE, store="s.db"), env := world())
    kept = "interrupted; 1 picture done; the store keeps them, and the same command goes on\n"
    assert kept in said(env)
    assert kept in iqa("score", "-r", ".", "--store", "s.db").err


def read(content: bytes) -> list[Prediction]:
    return read_records(io.BufferedReader(io.BytesIO(content)), "rows")[0]


def test_the_last_row_of_a_picture_counts() -> None:
    rows = b'{"path": "a", "score": 1}\n{"path": "b", "score": 2}\n\n{"path": "a", "score": 3}\n'
    assert [(record.path, record.score) for record in read(rows)] == [("a", 3.0), ("b", 2.0)]


def test_a_file_of_another_tool_needs_but_path_and_score() -> None:
    (one, other) = read(b"\xef\xbb\xbfscore,path,note\r\n50,a.jpg,\r\n,b.jpg,x\r\n")
    assert (one.score, one.path, one.width, one.model) == (50.0, "a.jpg", None, "")
    assert (other.score, other.error) == (None, "there is no score in the file")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "lacks the column 'path'"),
        (b"path,score\n", "has no records"),
        (b"path,score\na.jpg\n", "line 2: has 1 cells for 2 columns"),
        (b"path,score\na.jpg,much\n", "line 2: 'score' is 'much', which is no number"),
        (b"path,score\na.jpg,101\n", "line 2: 'score' is 101, not from 0 to 100"),
        (b"path,score,width\na.jpg,1,inf\n", "'width' is 'inf', which is no number"),
        (b"path,score\n,1\n", "line 2: names no picture"),
        (b'{"path": "a", "score": 1}\n{"path": "b", "sco', "line 2: is damaged or truncated JSON"),
        (b'{"path": "a"}\n', "line 1: lacks the field 'score'"),
        (b'[{"path": "a", "score": 1}, 7]', "record 2: is no record"),
        (b'{"path": "a", "score": 1, "intervals": {"m": [1]}}', "an interval has two ends"),
        (b'{"path": "a", "score": 1, "width": 10.5}', "'width' is '10.5', which is no number"),
        (b'{"path": "a", "score": true}', "'score' is 'True', which is no number"),
        (b"[" * 100_000, "nested too deeply"),
        ("path,score\n".encode("utf-16"), "is not UTF-8"),
    ],
)
def test_damage_is_told_with_its_place(content: bytes, reason: str) -> None:
    with pytest.raises(DatasetError) as refused:
        read(content)
    assert reason in refused.value.message


def test_a_score_that_is_no_number_is_none() -> None:
    (record,) = read(b'{"path": "a", "score": NaN, "low": 3, "high": null}')
    assert (record.score, record.low, record.high) == (None, None, None)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(IqaError, match="cannot read"):
            back(str(name))
