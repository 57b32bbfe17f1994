"""Pictures behind URLs, by fsspec: for clusters, whose nodes share an object store rather than a disk.
Nothing else of this program reads from a network."""

from __future__ import annotations

import glob
from collections.abc import Iterator

from iqa_cli.errors import ImageError, UsageError
from iqa_cli.images.decode import open_file
from iqa_cli.text import one_line

#: Bytes of the largest picture that is fetched.
MOST_FETCHED = 2 * 2**30


def is_remote(path: str) -> bool:
    """Whether a path is a URL, which fsspec opens ("s3://bucket/photo.jpg"), rather than a file."""
    scheme, mark, _ = path.partition("://")
    return bool(mark) and scheme.isalnum()


class RemotePicture:
    """A picture behind a URL: a stream that is fetched, whole, when it is read.

    Args:
        url: What fsspec opens; the package for its kind of place has to be installed (s3fs, gcsfs, ...).
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def seekable(self) -> bool:
        """It has to be read into memory first."""
        return False

    def read(self) -> bytes:
        """The content.

        Raises:
            ImageError: It is missing, too large, or cannot be read.
        """
        import fsspec
        from fsspec.implementations.local import LocalFileSystem

        try:
            place, path = fsspec.url_to_fs(self._url)
            # A pipe behind file:// would be waited for.
            opened = open_file(path) if isinstance(place, LocalFileSystem) else place.open(path, "rb")
            with opened as stream:
                content: bytes = stream.read(MOST_FETCHED + 1)
        except ImageError:
            raise
        except FileNotFoundError:
            raise ImageError("no such file") from None
        except Exception as error:  # every kind of place has errors of its own
            raise ImageError(f"cannot be read: {_reason(error)}") from None
        if len(content) > MOST_FETCHED:
            raise ImageError(f"is larger than the {MOST_FETCHED // 2**30} GiB that are fetched")
        return content


def files_below(url: str) -> Iterator[str]:
    """The URLs of all files below one, or of those that match one with a "*", in no order.

    Raises:
        UsageError: It cannot be listed, or the package for its kind of place is not installed.
    """
    try:
        import fsspec

        place, path = fsspec.url_to_fs(url)
        for name in place.glob(path) if glob.has_magic(path) else place.find(path):
            yield place.unstrip_protocol(name)
    except Exception as error:  # every kind of place has errors of its own
        raise UsageError(f"{one_line(url)} cannot be listed: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__)
