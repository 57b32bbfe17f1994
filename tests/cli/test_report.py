"""`iqa report`: what is on the page, and what becomes of files beside it."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from iqa_cli.errors import UsageError
from iqa_cli.prediction import Prediction
from iqa_cli.report.previews import PreviewFolder
from iqa_cli.scoring.group import ScorerGroup
from tests.cli.conftest import Iqa

Photos = Callable[..., Path]
HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m.jpg"


def rows_of(page: Path) -> list[dict[str, Any]]:
    """The records that the script of a page reads."""
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"))
    return list(json.loads(data)["rows"])


def picture_of(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))))


def test_the_page_has_the_records_of_iqa_score_and_holds_all_it_needs(iqa: Iqa, photos: Photos) -> None:
    folder = photos("b.jpg", "sub/a.jpg", HOSTILE.replace("/", "_"))
    (folder / "broken.jpg").write_bytes(b"no photo at all")
    scored = {row["path"]: row for row in map(json.loads, iqa("score", "-r", ".", "--format", "jsonl").lines)}
    result = iqa("report", ".", "-o", "report.html", "--maps", "1", "--title", HOSTILE)
    assert result.code == 3
    assert "1 of 4 pictures could not be scored" in result.err
    assert "report.html: 4 pictures" in result.err
    rows = rows_of(folder / "report.html")
    assert [row["name"] for row in rows] == [path.replace("\x1b", "\\x1b") for path in scored]
    for row, record in zip(rows, scored.values(), strict=True):
        if record["score"] is None:
            assert row["error"] == record["error"]
            assert not {"score", "rank", "src", "cautions"} & set(row)
            continue
        assert row["score"] == round(record["score"], 2)
        assert (row["width"], row["height"]) == (record["width"], record["height"])
        preview = picture_of(row["src"])
        assert (preview.width, preview.height) == (row["w"], row["h"])
        assert preview.width / preview.height == pytest.approx(row["width"] / row["height"], rel=0.01)
        assert 0 <= row["here"] <= 100
    ranked = sorted((row for row in rows if "rank" in row), key=lambda row: row["rank"])
    assert [row["rank"] for row in ranked] == [1, 2, 3]
    assert [row["here"] for row in ranked] == [100, 50, 0]
    assert ["map" in row for row in ranked] == [False, False, True]
    assert picture_of(ranked[-1]["map"]).width > ranked[-1]["width"]
    page = (folder / "report.html").read_text("utf-8")
    assert "<code>iqa report . --output report.html --title " in page
    assert "<img src=x" not in page
    assert html.escape(HOSTILE).replace("\x1b", "\\x1b") in page
    assert "\x1b" not in page
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert not (folder / "report_files").exists()


def test_beyond_the_limit_the_pictures_lie_beside_the_page_and_are_not_scored_themselves(
    iqa: Iqa, photos: Photos
) -> None:
    folder = photos("a.jpg", "b.jpg", "sub/c.jpg")
    again = ["report", folder, "-o", folder / "my report.html", "--embed", "2", "--store", folder / "s.db"]
    assert iqa(*again).code == 0
    beside = folder / "my report_files"
    assert len(list(beside.glob("*.jpg"))) == 3
    for row in rows_of(folder / "my report.html"):
        with Image.open(folder / row["src"].replace("%20", " ")) as preview:
            assert preview.size == (row["w"], row["h"])
        assert row["file"] in ("a.jpg", "b.jpg", "sub/c.jpg")
    (folder / "b.jpg").unlink()
    (folder / "d.jpg").write_bytes((folder / "a.jpg").read_bytes())
    assert iqa(*again).code == 0
    assert [Path(row["name"]).name for row in rows_of(folder / "my report.html")] == [
        "a.jpg",
        "d.jpg",
        "c.jpg",
    ]
    # a.jpg and d.jpg look the same, and what b.jpg looked like is gone.
    assert len(list(beside.glob("*.jpg"))) == 2
    (beside / "mine.txt").write_text("mine")
    refused = iqa(*again)
    assert refused.code == 2
    assert "mine.txt" in refused.err
    assert (beside / "mine.txt").exists()
    (beside / "mine.txt").unlink()
    assert iqa(*again, "--embed", "9").code == 0
    assert not beside.exists()


@pytest.mark.parametrize("name", ["0123456789abcdef0123456789abcdef.jpg", ".upload.part"])
@pytest.mark.parametrize("embed", ["0", "300"])
def test_a_folder_of_the_users_own_under_that_name_is_refused_before_scoring(
    iqa: Iqa, photos: Photos, monkeypatch: pytest.MonkeyPatch, name: str, embed: str
) -> None:
    folder = photos("a.jpg", f"gallery_files/{name}")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    monkeypatch.setattr(ScorerGroup, "score_many", lambda *_, **__: pytest.fail("it was scored"))
    result = iqa("report", ".", "-o", "gallery.html", "--embed", embed)
    assert (result.code, len(result.err.splitlines())) == (2, 2)
    assert "gallery_files is where the pictures of the page go" in result.err
    assert f"it holds something else: {name}\n" in result.err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_folder_that_has_come_while_it_was_scored_is_not_cleaned(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    pictures = PreviewFolder(folder / "r.html")
    mine = folder / "r_files" / f"{'0' * 32}.jpg"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(UsageError, match="holds something else"):
        pictures.add(b"theirs")
    pictures.clean()
    assert [path.name for path in mine.parent.iterdir()] == [mine.name]


def test_from_scores_alone_with_pictures_that_are_gone(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    assert iqa("score", "a.jpg", "-o", "scores.csv").code == 0
    (folder / "a.jpg").unlink()
    result = iqa("report", "--scores", "scores.csv", "-o", "r.html")
    assert result.code == 0
    assert "1 picture cannot be shown" in result.err
    (row,) = rows_of(folder / "r.html")
    assert "src" not in row
    assert (row["rank"], "here" in row) == (1, False)


def test_an_interrupt_leaves_a_page_of_what_is_done(
    iqa: Iqa, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photos("a.jpg", "b.jpg")
    usual = ScorerGroup.score_many

    def interrupted(*args: Any, **kwargs: Any) -> Iterator[Prediction]:
        yield next(usual(*args, **kwargs))
        raise KeyboardInterrupt

    monkeypatch.setattr(ScorerGroup, "score_many", interrupted)
    assert iqa("report", ".", "-o", "r.html").code == 130
    assert len(rows_of(folder / "r.html")) == 1
    assert "Interrupted: not all pictures are here" in (folder / "r.html").read_text("utf-8")


def test_what_cannot_be_done_is_one_line_and_leaves_all_as_it_was(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    (folder / "scores.csv").write_text("path,score\na.jpg,50\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for arguments in (
        [".", "-o", "a.jpg"],
        ["."],
        [".", "-o", "none/r.html"],
        ["--scores", "scores.csv", "-o", "scores.csv"],
        [".", "--scores", "scores.csv", "-o", "r.html"],
        ["-o", "r.html"],
    ):
        result = iqa("report", *arguments)
        assert result.code == 2, result.err
        assert result.err.startswith("iqa: error: ")
        assert len(result.err.splitlines()) <= 2
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
