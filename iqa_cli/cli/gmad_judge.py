"""`iqa gmad --judge`, `--verdict`, `--report`: people judge the pairs of a competition, and what follows."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from iqa_cli.cli.context import Environment
from iqa_cli.cli.output import Output, check_place, write
from iqa_cli.text import count, one_line

Kind = Literal["table", "json", "csv"]
#: Where the page is served unless told otherwise.
HOST, PORT = "127.0.0.1", 8765


def judge(env: Environment, folder: Path, *, host: str = HOST, port: int = PORT) -> None:
    """Serve the page until Ctrl-C. Its address, with the token, is the one line of stdout.

    Args:
        env: The world.
        folder: Of a competition (`iqa gmad -o`).
        host: Address to listen at; all but this machine's own lets others in who know the token.
        port: 0 takes a free one.

    Raises:
        IqaError: No competition, pictures that are missing, a port in use, votes of other pairs.
        KeyboardInterrupt: Ctrl-C, with a word on where the votes are.
    """
    from iqa_cli.gmad.judge import Judge, check_pictures
    from iqa_cli.gmad.session import read_competition
    from iqa_cli.gmad.votes import Votes

    competition = read_competition(folder)
    check_pictures(folder, competition)
    votes = Votes(folder, competition)
    try:
        with Judge(competition, votes, host=host, port=port, note=env.note) as server:
            place = Output(env, None)
            place.write(f"{server.address}\n".encode())
            place.close()
            pairs = len(competition.pairs)
            env.note(f"{pairs} pairs; open the address in a browser; Ctrl-C ends, and nothing is lost")
            if host not in ("127.0.0.1", "localhost", "::1"):
                env.note("others on the network can reach it; what they send is not encrypted")
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                given = votes.counted()
                people = count(len({vote.observer for vote in given}), "observer")
                said = f"{count(len(given), 'vote')} of {people} in {one_line(votes.path)}"
                raise KeyboardInterrupt(f"{said}; the same command goes on") from None
    finally:
        votes.close()


def verdict(env: Environment, folder: Path, *, kind: Kind = "table", output: str | None = None) -> None:
    """Print what the votes say: of each model, of each ordered pair of models, of each observer.

    Args:
        env: The world.
        folder: Of a competition with votes.
        kind: A table for people, JSON with all there is, or CSV with a row for each model and each attack.
        output: A file; None or "-" for stdout.

    Raises:
        IqaError: No competition or no votes.
    """
    from iqa_cli.cli.gmad_verdict import as_csv, as_json, as_table
    from iqa_cli.gmad.verdict import verdict_of

    if output not in (None, "-"):
        check_place(output)
    found = verdict_of(folder)
    text = {"table": as_table, "json": as_json, "csv": as_csv}[kind](found)
    write(env, output, text.encode())


def report(env: Environment, folder: Path, *, output: str | None = None, command: str = "") -> None:
    """Write the verdict as one self-contained page of HTML, with the pairs that decided it.

    Args:
        env: The world.
        folder: Of a competition with votes.
        output: A file; None for report.html in the folder, "-" for stdout.
        command: What gives it again.

    Raises:
        IqaError: No competition or no votes, or it cannot be written.
    """
    from iqa_cli.gmad.verdict import verdict_of
    from iqa_cli.gmad.verdict_page import page

    place = str(folder / "report.html") if output is None else output
    if output not in (None, "-"):  # of a folder that is missing `verdict_of` says what it was to be
        check_place(place)
    found = verdict_of(folder)
    write(env, place, page(found, command=command).encode("utf-8", "backslashreplace"))
    if place != "-":
        env.note(f"wrote {one_line(place)}")
