"""A report stands there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from iqa_cli.errors import UsageError
from iqa_cli.report import page, write_report
from tests.report.results import made_part, made_result


def test_it_is_written_and_nothing_else(tmp_path: Path) -> None:
    result = made_result(made_part(20))
    place = tmp_path / "report.html"
    place.write_text("old")
    write_report(place, [result])
    assert place.read_text(encoding="utf-8") == page([result])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "report.html")
    write_report(link, [made_result(made_part(20))])
    assert link.is_symlink()
    assert (tmp_path / "report.html").stat().st_size > 1000


def test_a_full_disk_is_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(UsageError, match=r"cannot write to /dev/full: no space left on device"):
        write_report(Path("/dev/full"), [made_result(made_part(20))])


def test_when_it_fails_the_old_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "report.html"
    place.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UsageError, match="no space left"):
        write_report(place, [made_result(made_part(20))])
    assert place.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("name", ["missing/report.html", ".", "a\0b", "x" * 300])
def test_a_place_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot write to") as caught:
        write_report(tmp_path / name, [made_result(made_part(20))])
    assert "\n" not in caught.value.message
