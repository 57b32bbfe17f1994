"""Pictures behind URLs: told from names of files, fetched, listed, and refused in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iqa_cli.errors import ImageError, UsageError
from iqa_cli.scoring import remote
from iqa_cli.scoring.remote import RemotePicture, files_below, is_remote

fsspec = pytest.importorskip("fsspec")


def test_urls_are_told_from_names_of_files() -> None:
    assert is_remote("s3://bucket/photo.jpg")
    assert not any(map(is_remote, ["photo.jpg", "/a/b.jpg", "C:\\a.jpg", "://x", "a b://x", ""]))


def test_a_url_that_cannot_be_read_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="no such file"):
        RemotePicture("memory://nowhere.jpg").read()
    with pytest.raises(ImageError, match="cannot be read"):
        RemotePicture("nosuchplace://x.jpg").read()
    fsspec.filesystem("memory").pipe("/large.jpg", bytes(100))
    monkeypatch.setattr(remote, "MOST_FETCHED", 99)
    with pytest.raises(ImageError, match="larger than"):
        RemotePicture("memory://large.jpg").read()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name")
def test_a_pipe_behind_a_url_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="pipe"):
        RemotePicture(f"file://{tmp_path}/pipe.jpg").read()


def test_what_lies_behind_a_url_is_listed() -> None:
    for name in ("bucket/b.jpg", "bucket/sub/a.jpg"):
        fsspec.filesystem("memory").pipe(f"/{name}", b"content")
    assert sorted(files_below("memory://bucket")) == ["memory:///bucket/b.jpg", "memory:///bucket/sub/a.jpg"]
    assert list(files_below("memory://bucket/*.jpg")) == ["memory:///bucket/b.jpg"]
    assert RemotePicture("memory:///bucket/b.jpg").read() == b"content"
    with pytest.raises(UsageError, match="cannot be listed"):
        list(files_below("nosuchplace://x"))
