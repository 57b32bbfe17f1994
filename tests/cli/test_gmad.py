"""`iqa gmad` up to the pairs: pools of every kind, what is printed and written, what is refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_cli.gmad.session import read_competition
from iqa_cli.images.distortions import distort
from tests.cli.conftest import Iqa
from tests.cli.evaldata import teach
from tests.tinyweight import make_tiny_weight


def write_scores(path: Path, scores: dict[str, float]) -> Path:
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file).writerows([("path", "score"), *scores.items()])
    return path


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files of scores for pictures that need not be there."""
    rng = np.random.default_rng(5)
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        write_scores(tmp_path / f"{name}.csv", {f"p{i:03}.png": rng.normal() for i in range(120)})
    return tmp_path


def test_files_of_scores_alone_are_enough_for_pairs(iqa: Iqa, files: Path) -> None:
    arguments = ("gmad", "--a", "a.csv", "--b", "b.csv", "--pairs", 3, "--tolerance", 4)
    result = iqa(*arguments)
    assert result.code == 0
    assert len(result.lines) == 1 + 2 * 2 * 3
    assert "mid-ranks among the 120 pictures" in result.err
    found = json.loads(iqa(*arguments, "--format", "json").out)
    rows = list(csv.DictReader(iqa(*arguments, "--format", "csv").out.decode().splitlines()))
    assert len(found["pairs"]) == len(rows) == 12
    for pair, row in zip(found["pairs"], rows, strict=True):
        assert (row["id"], row["first"]) == (pair["id"], pair["first"]["name"])
        defender = pair["defender"]
        difference = float(row[f"first.{defender}"]) - float(row[f"second.{defender}"])
        assert difference == pytest.approx(pair["defender_difference"], abs=1e-5)
        assert abs(difference) <= 4
    # A model whose scores fall with quality, turned round, is the model again.
    scores = dict(list(csv.reader((files / "b.csv").open()))[1:])
    write_scores(files / "fallen.csv", {name: -float(value) for name, value in scores.items()})
    turned = iqa(
        *("gmad", "--a", "a.csv", "--b", "b=fallen.csv", "--lower-is-better", "b"),
        *("--pairs", 3, "--tolerance", 4, "--format", "csv"),
    )
    assert [row["first"] for row in csv.DictReader(turned.out.decode().splitlines())] == [
        row["first"] for row in rows
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--a", "a.csv", "--b", "a.csv"], 2, "a.csv is given twice"),
        (["--a", "a.csv", "--b", "./a.csv"], 2, "given twice"),
        (["--a", "a.csv", "--b", "x=a.csv"], 2, "given twice"),
        (["--a", "mfenet", "--b", "mfenet"], 2, "mfenet is given twice"),
        (["--a", "a.csv"], 2, "two models compete"),
        (["--a", "mfenet", "--b", "niqe"], 2, "there is no pool"),
        (["--a", "mfenet", "--b", "niqe", "."], 2, "there are no pictures in ."),
        (["--a", "a.csv", "--b", "other.csv"], 4, "has no picture of"),
        (["--a", "a.csv", "--b", "half.csv"], 3, "has no score for 60 of 120 pictures"),
        (["--a", "a.csv", "--b", "cut.csv"], 4, "cut.csv, line 2"),
        (["--a", "a.csv", "--b", "same.csv"], 2, "a and same put all 120 pictures in one order"),
        (["--a", "a.csv", "--b", "b.csv", "--pairs", "40"], 2, "40 pairs need 80 pictures"),
        (
            ["--a", "a.csv", "--b", "b.csv", "--tolerance", "4", "-o", "OUT"],
            3,
            "pictures of pairs are missing",
        ),
        (["--a", "a.csv", "--b", "b.csv", "-o", "a.csv"], 2, "it is no folder"),
        (["--a", "a.csv", "--b", "b.csv", "-o", "no/OUT"], 2, "there is no folder"),
        (["--a", "a.csv", "--b", "b.csv", "--proxy", "--tolerance", "4"], 2, "--proxy"),
        (["--a", "a.csv", "--b", "b.csv", "--split", "test"], 2, "--split says something of a database"),
        (["--a", "a.csv", "--judge", "OUT"], 2, "--judge takes no --a"),
        (["--judge", "OUT", "--verdict", "OUT"], 2, "exclude each other"),
        (["--a", "a.csv", "--b", "b.csv", "--port", "80"], 2, "--port is for --judge"),
        (["--a", "a.csv", "--b", "b.csv", "--held-out"], 2, "there is no weight"),
    ],
)
def test_what_cannot_be_mined_is_one_line(
    iqa: Iqa, files: Path, arguments: list[str], code: int, line: str
) -> None:
    scores = {name: float(value) for name, value in list(csv.reader((files / "a.csv").open()))[1:]}
    write_scores(files / "other.csv", {f"q{i}.png": i for i in range(20)})
    write_scores(files / "half.csv", dict(list(scores.items())[::2]))
    write_scores(files / "same.csv", {name: 3 * value for name, value in scores.items()})
    (files / "cut.csv").write_text("path,score\np000.png")
    result = iqa("gmad", *arguments)
    said = result.err.splitlines()
    assert (result.code, result.out) == (code, b"")
    assert [line in text for text in said if text.startswith("iqa: error: ")] == [True]
    assert not (files / "OUT").exists()


def test_a_pool_that_is_too_small_is_refused_before_it_is_scored(iqa: Iqa, files: Path) -> None:
    (files / "pool").mkdir()
    for number in range(9):  # not pictures, which whoever opened them would tell
        (files / "pool" / f"{number}.png").write_bytes(b"")
    result = iqa("gmad", "--a", "laplacian", "--b", "piqe", "pool")
    assert result.code == 2
    assert "5 pairs need 10 pictures, and the pool has 9" in result.err
    assert "could not be scored" not in result.err
    # So is one of which a level, a quarter of it, is too small.
    for number in range(9, 24):
        (files / "pool" / f"{number}.png").write_bytes(b"")
    result = iqa("gmad", "--a", "laplacian", "--b", "piqe", "pool")
    assert result.code == 2
    assert "5 pairs need 10 pictures, and level low of 24 pictures has 6" in result.err
    assert "could not be scored" not in result.err


def test_pictures_without_a_score_are_left_out_where_that_is_allowed(iqa: Iqa, files: Path) -> None:
    write_scores(files / "half.csv", {f"p{i:03}.png": (i * 37) % 101 for i in range(60)})
    result = iqa(
        *("gmad", "--a", "a.csv", "--b", "half.csv", "--allow-missing", "--tolerance", 9, "--format", "json")
    )
    assert result.code == 0
    assert json.loads(result.out)["pool"]["images"] == 60


def make_synthetic(root: Path, examples: Path) -> dict[str, float]:
    """A database of six photographs with five levels of noise each, and its opinions by name."""
    opinions = {}
    root.mkdir()
    rng = np.random.default_rng(0)
    with Image.open(examples / "cliffs.jpg") as photo:
        whole = np.asarray(photo.convert("RGB"))
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "mos", "ref"])
        for i in range(6):
            crop = whole[60 * i : 60 * i + 80, 90 * i : 90 * i + 80]
            Image.fromarray(crop).save(root / f"r{i}.png")
            for level in range(1, 6):
                name = f"r{i}_{level}.png"
                Image.fromarray(distort(crop, "white_noise", level, rng)).save(root / name)
                opinions[name] = 6 - level - i / 20
                writer.writerow([name, opinions[name], f"r{i}.png"])
    return opinions


def test_a_database_gives_a_verdict_and_its_references_another(
    iqa: Iqa, tmp_path: Path, examples: Path
) -> None:
    opinions = make_synthetic(tmp_path / "data", examples)
    rng = np.random.default_rng(0)
    a = write_scores(tmp_path / "a.csv", opinions)
    b = write_scores(tmp_path / "b.csv", {name: rng.normal() for name in opinions})
    arguments = (
        *("gmad", "--a", a, "--b", b, "--dataset", "csv", "--root", tmp_path / "data", "--level", "all"),
        *("--tolerance", 25, "--pairs", 6),
    )
    found = json.loads(iqa(*arguments, "--proxy", "--format", "json").out)
    verdicts = {row["defender"]: row for row in found["opinions"]}
    # a says what people say, b anything: what a sees in the pairs that b holds for equal is there.
    assert verdicts["b"]["share"] == 1
    assert verdicts["b"]["falsified"] == "b"
    proxies = {row["defender"]: row for row in found["proxy"]["rows"]}
    assert proxies["b"]["share"] == 1
    assert "not opinions" in found["proxy"]["text"]
    table = iqa(*arguments)
    assert any("Do opinions (MOS) see" in line for line in table.lines)
    for content, same in (("same", True), ("different", False)):
        pairs = json.loads(iqa(*arguments, "--content", content, "--format", "json").out)["pairs"]
        kept = {pair["first"]["reference"] == pair["second"]["reference"] for pair in pairs}
        assert kept == {same}


def test_a_folder_with_a_table_has_references_and_metrics_are_not_called_people(
    iqa: Iqa, tmp_path: Path, examples: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("dog.jpg", "cliffs.jpg", "palace.jpg", "lunch.jpg"):
        shutil.copy(examples / name, tmp_path / "photos")
    made = iqa(
        *("data", "synth", "--from", tmp_path / "photos", "--out", tmp_path / "pool", "--size", 64),
        *("--types", "jpeg,white_noise", "--levels", "2,4", "--workers", 1),
    )
    assert made.code == 0, made.err
    rows = list(csv.DictReader((tmp_path / "pool" / "labels.csv").open()))
    a = write_scores(tmp_path / "a.csv", {row["image"]: float(row["mos"]) for row in rows})
    rng = np.random.default_rng(0)
    b = write_scores(tmp_path / "b.csv", {row["image"]: rng.normal() for row in rows})
    mining = ("gmad", "--a", a, "--b", b, "--level", "all", "--tolerance", 30, "--pairs", 3)
    of_folder = json.loads(iqa(*mining, tmp_path / "pool", "--proxy", "--format", "json").out)
    # Its opinions are no people's: they are not asked, and the metrics are only where they are asked for.
    assert of_folder["opinions"] == []
    assert {row["share"] for row in of_folder["proxy"]["rows"] if row["defender"] == "b"} == {1}
    assert of_folder["proxy"]["votes"].keys() == {pair["id"] for pair in of_folder["pairs"]}
    assert all(pair["first"]["reference"].endswith("reference.png") for pair in of_folder["pairs"])
    kept = iqa(*mining, tmp_path / "pool", "--content", "different", "--format", "json")
    assert all(
        pair["first"]["reference"] != pair["second"]["reference"] for pair in json.loads(kept.out)["pairs"]
    )
    # Copies of a photograph that was met leave with it, however little they resemble it.
    weight = Path(shutil.copy(tiny_weights / "mfenet.safetensors", tmp_path / "taught.safetensors"))
    teach(weight, tmp_path / "pool" / "images" / "dog" / "reference.png")
    unseen = iqa(*mining, tmp_path / "pool", "--unseen-by", weight, "--format", "json")
    assert json.loads(unseen.out)["pool"]["images"] == 15
    of_database = iqa(*mining, "--dataset", "csv", "--root", tmp_path / "pool", "--split", "all")
    assert "nobody has given them" in of_database.err
    (tmp_path / "pool").rename(tmp_path / "csv")
    monkeypatch.setenv("IQA_DATA", str(tmp_path))
    assert "nobody has given them" in iqa(*mining, "--dataset", "csv", "--split", "all").err
    assert any("of metrics and not of people" in line for line in of_database.lines)


def test_a_folder_is_scored_once_and_becomes_a_competition(
    iqa: Iqa, tmp_path: Path, examples: Path, tiny_weights: Path
) -> None:
    folder, out = tmp_path / "photos", tmp_path / "OUT"
    folder.mkdir()
    photos = sorted(examples.glob("*.jpg"))
    rng = np.random.default_rng(1)
    for i in range(16):
        with Image.open(photos[i % len(photos)]) as photo:
            x, y = (int(rng.integers(0, side - 220)) for side in photo.size)
            crop = photo.convert("RGB").crop((x, y, x + 220, y + 220))
        crop.rotate(90 * (i % 4)).save(folder / (os.fsdecode(b"bad\xff.png") if i == 0 else f"p{i:02}.png"))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    second = make_tiny_weight(tmp_path, examples, "second", seed=5)
    result = iqa(
        *("gmad", "--a", "mfenet", "--b", second, folder, "--level", "all", "--pairs", 2),
        *("--tolerance", 40, "--catch", 1, "-o", out),
    )
    # The broken picture is left out, said, and told by the exit code.
    assert result.code == 3
    assert "broken.png: left out" in result.err
    competition = read_competition(out)
    assert (competition.images, competition.models) == (16, ("mfenet", "second"))
    assert [pair.catch for pair in competition.pairs][-1:] == [True]
    assert len(competition.mined) == 4
    for pair in competition.pairs:
        assert all(Path(side.path).is_file() for side in (pair.first, pair.second))
    for name in ("figure-mfenet-second.png", "figure-mfenet-second.pdf"):
        assert (out / name).stat().st_size > 10_000
    # Scores are kept, so that other pairs cost no scoring.
    kept = iqa(
        *("gmad", "--a", out / "scores-mfenet.csv", "--b", out / "scores-second.csv", "--level", "all"),
        *("--pairs", 2, "--tolerance", 40, "--format", "json"),
    )
    assert [pair["first"]["name"] for pair in json.loads(kept.out)["pairs"]] == [
        pair.first.path for pair in competition.mined
    ]
    # On a terminal with the colours, the pictures of the first pairs; elsewhere no escape code at all.
    again = ("gmad", "--a", out / "scores-mfenet.csv", "--b", out / "scores-second.csv", "--level", "all")
    iqa.environ["COLORTERM"] = "truecolor"
    shown = iqa(*again, "--pairs", 2, "--tolerance", 40, terminal="stdout")
    assert sum("prefers the left one" in line for line in shown.lines) == 2
    assert sum(line.count("\u2580") == 64 for line in shown.lines) == 24
    plain = [
        iqa(*again, "--pairs", 2, "--tolerance", 40),
        iqa("--no-color", *again, "-k2", terminal="stdout"),
    ]
    assert all(b"\x1b" not in each.out for each in plain)
    # What a weight has met in training is left out.
    teach(second, *sorted(folder.glob("p*.png"))[:5])
    teach(Path(shutil.copy(tiny_weights / "mfenet.safetensors", tmp_path / "mfenet.safetensors")))
    held = iqa(
        *("gmad", "--a", tmp_path / "mfenet.safetensors", "--b", second, folder, "--held-out"),
        *("--allow-missing", "--level", "all", "--pairs", 1, "--tolerance", 50, "--format", "json"),
    )
    assert held.code == 0
    assert json.loads(held.out)["pool"]["images"] <= 11
    # Of a file of its scores too, where the weight is named; the record says what was compared.
    files = ("--a", out / "scores-mfenet.csv", "--b", out / "scores-second.csv", folder, "--allow-missing")
    unseen = iqa(
        *("gmad", *files, "--unseen-by", second),
        *("--level", "all", "--pairs", 1, "--tolerance", 50, "--format", "json"),
    )
    assert unseen.code == 0, unseen.err
    found = json.loads(unseen.out)
    compared = found["settings"]["held_out"]
    assert (compared["pictures"], compared["not_compared"]) == (17, 1)
    assert compared["weights"]["second"]["hashes"] == compared["weights"]["second"]["met"] == 5
    assert found["pool"]["images"] == json.loads(held.out)["pool"]["images"]
    assert f"{compared['left_out']} of 17 pictures left out as met in training by second" in unseen.err
    assert "what scores-mfenet, scores-second learned from is not known" in unseen.err
    # Votes on these pairs would be lost.
    (out / "votes.sqlite").touch()
    refused = iqa("gmad", "--a", "mfenet", "--b", second, folder, "-o", out)
    assert refused.code == 2
    assert "has votes on its pairs" in refused.err
