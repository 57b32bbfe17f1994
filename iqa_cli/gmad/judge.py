"""The server of `iqa gmad --judge`: a page on this machine that asks people about pairs.

It knows four things: its page, the state of an observer, the two pictures of a trial by number and side, and
votes. No address names a file, so there is none to be had beyond the pictures of the pairs. All but the first
address asks for a cookie that only who knows the token is given; it is sent to no other site, and other sites
cannot post with it (SameSite, and the origin is checked).
"""

from __future__ import annotations

import base64
import hashlib
import socket
import sys
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from iqa_cli.errors import ImageError, UsageError
from iqa_cli.gmad.judge_handler import Handler
from iqa_cli.gmad.session import FILE, Competition
from iqa_cli.gmad.votes import Votes
from iqa_cli.text import one_line

#: Where it listens unless told otherwise.
PORT = 8765


class Judge(ThreadingHTTPServer):
    """The server of one competition.

    Args:
        competition: What is voted on.
        votes: Where to.
        host: Address to listen at.
        port: 0 takes a free one.
        note: Is told of votes that could not be saved and of pictures that could not be shown, one line each.

    Raises:
        UsageError: The port is in use, or the address is none of this machine.
    """

    daemon_threads = True

    def __init__(
        self,
        competition: Competition,
        votes: Votes,
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
        note: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.competition, self.votes, self.note = competition, votes, note
        self.token = votes.token
        self.page, self.policy = page()
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), Handler)
        except OverflowError:
            raise UsageError(f"--port {port}: a port is 0 to 65535") from None
        except OSError as error:
            reason = one_line(error.strerror or str(error)).lower()
            if isinstance(error, socket.gaierror):
                raise UsageError(f"--host {one_line(host)}: {reason}") from None
            raise UsageError(
                f"cannot listen at {one_line(host)}, port {port}: {reason}",
                hint="is it being judged already? --port N takes another port, --port 0 any free one",
            ) from None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """What to open in a browser, token and all."""
        host = str(self.server_address[0])
        if host in ("0.0.0.0", "::"):
            host = socket.gethostname()
        elif ":" in host:
            host = f"[{host}]"
        return f"http://{host}:{self.port}/?token={self.token}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is nothing to speak of."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            self.note(f"a request failed: {type(error).__name__}: {one_line(str(error))}")


def check_pictures(folder: Path, competition: Competition) -> None:
    """See that all pictures that are to be shown are there.

    Raises:
        ImageError: One is missing, or there is nothing to show.
    """
    paths = {picture.path for pair in competition.pairs for picture in (pair.first, pair.second)}
    missing = sorted(path for path in paths if not _is_file(path))
    if missing:
        of = f"{len(missing)} of {len(paths)} pictures"
        raise ImageError(
            f"{one_line(folder / FILE)}: {of} cannot be found, the first is '{one_line(missing[0])}'",
            hint="they must stand where they were when the pairs were mined",
        )
    if not competition.mined:
        raise ImageError(f"{one_line(folder / FILE)}: has no pairs to judge")


def page() -> tuple[bytes, str]:
    """The page with its script and style inside, and the policy that allows just these two to run."""
    here = Path(__file__)
    html, style, script = (
        here.with_name(f"judge.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    hashes = {
        kind: base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        for kind, part in (("style", style), ("script", script))
    }
    policy = (
        "default-src 'none'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; "
        f"style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'"
    )
    return html.replace("/*style*/", style).replace("/*script*/", script).encode(), policy


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False
