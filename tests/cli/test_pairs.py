"""`iqa pairs`: partners are those of a literal search, in a table, CSV, JSON and on a sheet."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image

from iqa_cli.card import LADDER, Card
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.record import ImageRecord
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.qfm_iqm import QFMIQM, QFMIQMConfig
from iqa_cli.training.matching import find_pairs, picture_features
from iqa_cli.weights import save_weights
from tests.cli.conftest import Iqa, MakeData

NET = {"backbone": "test_efficientnet", "width": 16, "heads": 2, "memory": 8, "tolerance": 0.15}


@pytest.fixture(scope="module")
def qfm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight of random numbers."""
    torch.manual_seed(4)
    network = QFMIQM(QFMIQMConfig.from_dict(NET)).eval()
    card = Card(
        name="qfm",
        network="qfm-iqm",
        config=NET,
        input=SizePolicy(crop=64).to_dict(),
        output={
            "range": [0, 100],
            "direction": "higher is better",
            "scale": "random weights: for tests only",
            "calibration": {"kind": "linear", "slope": 100.0, "intercept": 0.0},
            "ladder": LADDER,
        },
    )
    path = tmp_path_factory.mktemp("qfm") / "qfm.safetensors"
    unshipped = network.unshipped()
    save_weights(path, {k: v for k, v in network.state_dict().items() if k not in unshipped}, card)
    return path


def expected(qfm: Path, data: Path) -> dict[str, tuple[str | None, float | None]]:
    """Picture -> partner and similarity, by comparing each picture with every other."""
    from iqa_cli.weights import load_network

    network = load_network(qfm)[1]
    assert isinstance(network, QFMIQM)
    records = read_csv(data).records
    features = picture_features(network, records, SizePolicy(crop=64))
    found: dict[str, tuple[str | None, float | None]] = {}
    for i, record in enumerate(records):
        best: tuple[str | None, float] = (None, math.inf)
        for j, other in enumerate(records):
            if i != j and abs(record.mos - other.mos) < 0.15:
                similarity = float(torch.cosine_similarity(features[i], features[j], dim=0))
                best = min(best, (other.name, similarity), key=lambda entry: entry[1])
        found[record.name] = (best[0], None if best[0] is None else best[1])
    return found


def test_the_csv_has_the_partner_of_every_picture(iqa: Iqa, qfm: Path, make_eval_data: MakeData) -> None:
    data = make_eval_data(9)
    place = data.parent / "pairs.csv"
    result = iqa("pairs", qfm, "--data", "csv", "--root", data, "-o", place)
    assert (result.code, result.out) == (0, b""), result.err
    wanted = expected(qfm, data)
    with place.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["image"] for row in rows} == set(wanted)
    assert len({row["partner"] for row in rows}) > 1
    for row in rows:
        partner, similarity = wanted[row["image"]]
        assert row["partner"] == (partner or "")
        if similarity is not None:
            assert float(row["similarity"]) == pytest.approx(similarity, abs=1e-3)


def test_table_and_json_say_the_same(iqa: Iqa, qfm: Path, make_eval_data: MakeData) -> None:
    data = make_eval_data(9)
    place = data.parent / "pairs.json"
    assert iqa("pairs", qfm, "--data", "csv", "--root", data, "-o", place).code == 0
    rows = json.loads(place.read_text())
    result = iqa("pairs", qfm, "--data", "csv", "--root", data, "--count", "3", columns=200)
    assert result.lines[0].split() == ["image", "partner", "score", "partner_score", "similarity"]
    shown = [line.split() for line in result.lines[1:]]
    assert [cells[0] for cells in shown] == [rows[0]["image"], rows[4]["image"], rows[8]["image"]]
    assert [cells[1] for cells in shown] == [rows[i]["partner"] or "-" for i in (0, 4, 8)]
    assert [row["score"] for row in rows] == sorted(row["score"] for row in rows)
    assert "9 pictures matched" in result.err


def test_a_sheet_has_each_picture_beside_its_partner(iqa: Iqa, qfm: Path, make_eval_data: MakeData) -> None:
    data = make_eval_data(5)
    place = data.parent / "pairs.png"
    result = iqa("pairs", qfm, "--data", "csv", "--root", data, "-o", place, "--columns", "2")
    assert result.code == 0, result.err
    with Image.open(place) as sheet:
        assert sheet.width > 4 * 160
        assert sheet.height > 3 * 160
        assert len(sheet.convert("L").getcolors(256) or [0] * 257) > 50


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "pairs.txt"], ".csv or .json"),
        (["-o", "nowhere/pairs.csv"], "no such folder"),
        (["--part", "test"], "no part"),
        (["--root", "nowhere"], "no such folder"),
        (["--data", "koniq"], "koniq10k"),
        (["--count", "0"], "count"),
    ],
)
def test_a_wrong_command_is_one_line(
    iqa: Iqa, qfm: Path, make_eval_data: MakeData, arguments: Sequence[str], said: str
) -> None:
    result = iqa("pairs", qfm, "--data", "csv", "--root", make_eval_data(4), *arguments)
    assert result.code in (2, 4)
    assert said in result.err
    assert "Traceback" not in result.err


def test_only_a_qfm_iqm_matches(iqa: Iqa, make_eval_data: MakeData) -> None:
    result = iqa("pairs", "mfenet", "--data", "csv", "--root", make_eval_data(4))
    assert (result.code, result.out) == (2, b"")
    assert "only a qfm-iqm matches pictures" in result.err


def test_a_missing_and_a_damaged_picture_end_the_run(iqa: Iqa, qfm: Path, make_eval_data: MakeData) -> None:
    data = make_eval_data(4)
    (data / "p01.png").write_bytes(b"no picture")
    result = iqa("pairs", qfm, "--data", "csv", "--root", data)
    assert result.code == 3
    assert "p01.png" in result.err
    (data / "p01.png").unlink()
    assert "1 of 4 pictures are missing" in iqa("pairs", qfm, "--data", "csv", "--root", data).err


def test_many_pictures_are_matched_piece_by_piece() -> None:
    records = [
        ImageRecord(Path(f"{i}.png"), f"{i}.png", mos=(i % 7) / 7, raw=float(i % 7), group=str(i))
        for i in range(1100)
    ]
    features = torch.randn(1100, 3, generator=torch.Generator().manual_seed(1))
    pairs = find_pairs(records, features, 0.05)
    for i in (0, 511, 512, 1099):
        same = [j for j in range(1100) if j % 7 == i % 7 and j != i]
        best = min(same, key=lambda j: float(torch.cosine_similarity(features[i], features[j], dim=0)))
        assert pairs[i].partner is records[best]
