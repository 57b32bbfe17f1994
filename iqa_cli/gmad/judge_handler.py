"""What the server of `iqa gmad --judge` answers; `iqa_cli.gmad.judge` says what it guards."""

from __future__ import annotations

import contextlib
import hmac
import json
import re
import sqlite3
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from iqa_cli.errors import ImageError
from iqa_cli.gmad.judge_picture import for_browser
from iqa_cli.gmad.trials import NameTaken, OutOfStep, State
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.gmad.judge import Judge

_LARGEST_BODY = 2**14
_PICTURE = re.compile(r"/picture/([\w-]{1,40})/(\d{1,7})/(left|right)")
#: For a year: an observer may go on next week.
_COOKIE = "Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"
#: Slower than any vote of a person who thinks.
_LONGEST_VOTE = 86_400_000


class _Refused(Exception):
    """What a browser is told instead of what it asked for."""

    def __init__(self, status: HTTPStatus, text: str, **more: Any) -> None:
        super().__init__(text)
        self.status, self.text, self.more = status, text, more


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Judge
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "iqa", ""
    #: Seconds after which a silent connection is closed.
    timeout = 60

    def do_GET(self) -> None:
        self._answered(self._get)

    def do_POST(self) -> None:
        self._answered(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: addresses hold tokens, and the terminal is for what matters."""

    def _answered(self, answer: Callable[[], None]) -> None:
        try:
            answer()
        except _Refused as refused:
            self._json(refused.status, {"error": refused.text, **refused.more})

    def _get(self) -> None:
        try:
            asked = urlsplit(self.path)
        except ValueError:
            raise _Refused(HTTPStatus.BAD_REQUEST, "that is no address") from None
        query = parse_qs(asked.query)
        if asked.path == "/":
            self._first(query.get("token", [""])[0])
            return
        self._check_cookie()
        picture = _PICTURE.fullmatch(asked.path)
        if picture is not None:
            self._picture(picture[1], int(picture[2]), picture[3])
        elif asked.path == "/state":
            self._json(HTTPStatus.OK, self._told(self._state(query.get("observer", [""])[0])))
        else:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _post(self) -> None:
        body = self._body()
        self._check_cookie()
        origin = self.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != self.headers.get("Host"):
            raise _Refused(HTTPStatus.FORBIDDEN, "asked for by another site")
        actions = {"/join": self._join, "/vote": self._vote, "/undo": self._undo}
        action = actions.get(self.path)
        if action is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
        try:
            state = action(body)
        except OutOfStep:
            # Sent twice, or by two windows: the page goes on from where the observer stands.
            state = self._state(_text(body, "observer"))
            raise _Refused(HTTPStatus.CONFLICT, "that pair has its vote", state=self._told(state)) from None
        except NameTaken as taken:
            raise _Refused(
                HTTPStatus.CONFLICT, "there is an observer of this name", taken=str(taken)
            ) from None
        except KeyError:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such observer") from None
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
        except sqlite3.Error as error:
            reason = one_line(str(error))
            self.server.note(f"a vote could not be saved: {reason}")
            raise _Refused(HTTPStatus.INSUFFICIENT_STORAGE, f"it could not be saved: {reason}") from None
        self._json(HTTPStatus.OK, self._told(state))

    def _join(self, body: dict[str, Any]) -> State:
        return self.server.votes.join(_text(body, "name"), again=body.get("again") is True)

    def _vote(self, body: dict[str, Any]) -> State:
        taken = body.get("milliseconds")
        if isinstance(taken, bool) or not isinstance(taken, int) or not 0 <= taken <= _LONGEST_VOTE:
            taken = None
        return self.server.votes.vote(_text(body, "observer"), _position(body), _text(body, "choice"), taken)

    def _undo(self, body: dict[str, Any]) -> State:
        return self.server.votes.undo(_text(body, "observer"), _position(body))

    def _state(self, observer: str) -> State:
        try:
            return self.server.votes.state(observer)
        except (KeyError, ValueError):
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such observer") from None

    def _told(self, state: State) -> dict[str, Any]:
        """What the page is told of a state: nothing of models, names of files or known answers."""
        return {
            "observer": state.observer,
            "name": state.name,
            "done": state.done,
            "total": state.total,
            "position": state.position,
        }

    def _picture(self, observer: str, position: int, side: str) -> None:
        try:
            pair, first_on = self.server.votes.trial(observer, position)
        except KeyError:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such picture") from None
        picture = pair.first if side == first_on else pair.second
        try:
            content, kind = for_browser(Path(picture.path))
        except ImageError as error:
            self.server.note(f"{one_line(picture.path)}: {error.message}")
            raise _Refused(HTTPStatus.NOT_FOUND, "this picture cannot be shown") from None
        self._send(HTTPStatus.OK, content, kind, {"Cache-Control": "private, max-age=3600"})

    def _first(self, token: str) -> None:
        """The page; with the token in the address, the cookie and the address without it."""
        if token and hmac.compare_digest(token.encode(), self.server.token.encode()):
            cookie = (
                f"{self._cookie}={self.server.token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"
            )
            # Not a redirect: after a link from another program the cookie would not go along with it.
            content, kind = self.server.page, "text/html; charset=utf-8"
            self._send(HTTPStatus.OK, content, kind, {"Set-Cookie": cookie})
            return
        try:
            self._check_cookie()
        except _Refused as refused:
            text = f"{refused.text}\n".encode()
            self._send(HTTPStatus.FORBIDDEN, text, "text/plain; charset=utf-8")
            return
        self._send(HTTPStatus.OK, self.server.page, "text/html; charset=utf-8")

    @property
    def _cookie(self) -> str:
        """Cookies know no ports; two competitions on one machine need two names."""
        return f"iqa_gmad_{self.server.port}"

    def _check_cookie(self) -> None:
        given = ""
        with contextlib.suppress(CookieError):
            found = SimpleCookie(self.headers.get("Cookie", "")).get(self._cookie)
            given = found.value if found is not None else ""
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self.server.token.encode()):
            raise _Refused(
                HTTPStatus.FORBIDDEN, "open the address that iqa gmad --judge has printed, with its token"
            )

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 9 or int(length) > _LARGEST_BODY:
            self.close_connection = True  # what follows is not read
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a request has a length, and a small one")
        content = self.rfile.read(int(length))
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "requests are JSON")
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            raise _Refused(HTTPStatus.BAD_REQUEST, "that is no JSON") from None
        if not isinstance(body, dict):
            raise _Refused(HTTPStatus.BAD_REQUEST, "that is no object")
        return body

    def _json(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        self._send(status, json.dumps(document).encode("ascii"), "application/json")

    def _send(
        self, status: HTTPStatus, content: bytes, kind: str, further: dict[str, str] | None = None
    ) -> None:
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Content-Security-Policy": self.server.policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
            **(further or {}),
        }
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise ValueError(f"'{key}' is missing")
    return value


def _position(body: dict[str, Any]) -> int:
    value = body.get("position")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**7:
        raise ValueError("'position' is missing")
    return value
