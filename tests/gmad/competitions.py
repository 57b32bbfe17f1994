"""Small competitions on disk, and people who judge them over HTTP."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from iqa_cli.gmad.judge import Judge
from iqa_cli.gmad.session import Competition, Pair, Picture, write_competition
from iqa_cli.gmad.votes import Votes


def make_competition(
    folder: Path, *, pairs: int = 4, catch: int = 1, models: Sequence[str] = ("a", "b"), side: int = 48
) -> Competition:
    """A competition of noise pictures, written to a folder: `pairs` of each ordered pair of models."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    rng = np.random.default_rng(0)

    def picture(name: str, *scores: float) -> Picture:
        path = pictures / f"{name}.png"
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)
        points = dict(zip(models, scores, strict=False)) or dict.fromkeys(models, 50.0)
        return Picture(str(path), path.name, points)

    found: list[Pair] = []
    for attacker in models:
        for defender in models:
            if attacker == defender:
                continue
            for rank in range(1, pairs + 1):
                key = f"p{len(found) + 1:04d}"
                images = picture(f"{key}-first"), picture(f"{key}-second")
                found.append(Pair(key, defender, attacker, "low", rank, *images, 40.0, 0.5))
    for number in range(1, catch + 1):
        key = f"c{number:04d}"
        images = picture(f"{key}-first"), picture(f"{key}-second")
        found.append(Pair(key, "", "", "catch", number, *images, 0.0, 0.0, True, "first"))
    competition = Competition(
        len(found) * 2, "noise", tuple(models), "rank", "ranks in the pool", tuple(found)
    )
    write_competition(folder, competition)
    return competition


class Browser:
    """Who knows the token (unless none is given), speaking to a server."""

    def __init__(self, port: int, token: str = "") -> None:
        self.port = port
        self.cookie = f"iqa_gmad_{port}={token}" if token else ""

    def ask(
        self, path: str, body: Any = None, *, method: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, content and headers of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        given = {"Cookie": self.cookie, "Content-Type": "application/json", **(headers or {})}
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method or ("GET" if body is None else "POST"), path, content, given)
        answer = connection.getresponse()
        found = answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        return found

    def json(self, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """Status and document of an answer."""
        status, content, _ = self.ask(path, body)
        return status, json.loads(content)


@contextmanager
def serving(folder: Path, competition: Competition) -> Iterator[tuple[Judge, Browser]]:
    """A server at a free port, in this process."""
    votes = Votes(folder, competition)
    with Judge(competition, votes, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server, Browser(server.port, server.token)
        server.shutdown()
        thread.join()
    votes.close()
