"""What `iqa report` does: records to standings, small pictures and maps of them, the page."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from iqa_cli.cli.collect import Collected, collect
from iqa_cli.cli.context import Environment
from iqa_cli.cli.interrupt import computing
from iqa_cli.cli.output import check_output
from iqa_cli.cli.run import ScoreOptions
from iqa_cli.cli.run_progress import run_progress
from iqa_cli.errors import ExitCode, ImageError, UsageError
from iqa_cli.text import count, one_line, printable

if TYPE_CHECKING:
    from iqa_cli.report.gallery import Entry

#: Longer side of a picture in the page itself, which the large view shows where it has nothing better; of one
#: in the folder, of which there are many; and of a map.
_EMBEDDED, _BESIDE, _MAP = 512, 320, 900


@dataclass(frozen=True)
class ReportOptions:
    """What the page is to be like; see `iqa_cli.cli.report`."""

    scores: str | None = None
    title: str | None = None
    maps: int = 0
    embed: int = 300
    command: str = ""


def run_report(options: ScoreOptions, page: ReportOptions, env: Environment) -> ExitCode:
    """Write the page.

    Raises:
        IqaError: Nothing could be scored, or there is no place for the page.
        KeyboardInterrupt: Before the first picture was done.
    """
    from iqa_cli.report.frame import write_page
    from iqa_cli.report.gallery import gallery
    from iqa_cli.report.previews import PreviewFolder, data_uri

    if options.output in (None, "", "-"):
        raise UsageError("the page needs a place", hint="-o report.html")
    check_output(options.output, options.files_read(page.scores))
    place = Path(str(options.output))
    folder = PreviewFolder(place)  # what stands in the way of it is told before hours of scoring
    # Nor are the small pictures of an earlier page scored, where it lies in the folder itself.
    left_out = str(folder.folder) if folder.is_ours else None
    found = collect(replace(options, leave_out=left_out), env, page.scores)
    beside = len(found.records) > page.embed
    address = folder.add if beside else data_uri
    interrupted = found.interrupted
    entries = _entries(found, place)
    with computing(env):
        try:
            side = _BESIDE if beside else _EMBEDDED
            for at, entry in _with_previews(entries, side, address, options.max_pixels, env):
                entries[at] = entry
            for at, entry in _with_maps(entries, page.maps, address, options, found, env):
                entries[at] = entry
        except KeyboardInterrupt:
            interrupted = True
    card = found.card
    content = gallery(
        entries,
        title=page.title or _title(options, page.scores),
        model=found.records[0].model,
        coverage=card.interval.coverage if card is not None and card.interval is not None else None,
        notes=["Interrupted: not all pictures are here, or have a preview."] if interrupted else [],
        command=page.command,
    )
    size = write_page(place, content)
    folder.clean()
    where = f" and {count(len(entries), 'picture')} in {one_line(folder.folder)}" if beside else ""
    env.note(f"{one_line(place)}: {count(len(entries), 'picture')}, {size / 1e6:.1f} MB{where}")
    return ExitCode.INTERRUPTED if interrupted else found.exit_code


def _entries(found: Collected, place: Path) -> list[Entry]:
    """All pictures with what their records tell, without previews."""
    from iqa_cli.caution import by_record
    from iqa_cli.report.gallery import Entry, address_of
    from iqa_cli.standing import standings

    return [
        Entry(
            standing,
            cautions=by_record(standing.record, found.card),
            original=address_of(standing.record.path, place),
        )
        for standing in standings(found.records, found.card)
    ]


def _with_previews(
    entries: Sequence[Entry], side: int, address: Callable[[bytes], str], max_pixels: int, env: Environment
) -> Iterator[tuple[int, Entry]]:
    """(place, entry) of those that can be decoded, with a preview and what a look at it tells."""
    from iqa_cli.caution import by_view
    from iqa_cli.looking import each, small_view
    from iqa_cli.report.previews import jpeg

    def look(path: str) -> tuple[bytes, int, int, tuple[str, ...]]:
        view = small_view(path, side, max_pixels=max_pixels)
        return jpeg(view), view.shape[1], view.shape[0], by_view(view)

    gone = 0
    with run_progress(env) as progress:
        looks = each([entry.standing.record.path for entry in entries], look)
        for at, (entry, seen) in enumerate(zip(entries, looks, strict=True)):
            progress.update("making previews", at, len(entries))
            if isinstance(seen, ImageError):
                gone += entry.standing.record.score is not None
                continue
            content, width, height, cautions = seen
            scored = entry.standing.record.score is not None
            yield (
                at,
                replace(
                    entry,
                    preview=address(content),
                    width=width,
                    height=height,
                    cautions=entry.cautions + (cautions if scored else ()),
                ),
            )
    if gone:
        env.note(
            f"{count(gone, 'picture')} cannot be shown: not there any more, or not under that name from here"
        )


def _with_maps(
    entries: Sequence[Entry],
    number: int,
    address: Callable[[bytes], str],
    options: ScoreOptions,
    found: Collected,
    env: Environment,
) -> Iterator[tuple[int, Entry]]:
    """(place, entry) of the worst, with their maps."""
    if not number:
        return
    if found.card is None:
        env.note("no maps: the weight of these scores is not here")
        return
    import numpy as np

    from iqa_cli import load
    from iqa_cli.images.decode import open_photo
    from iqa_cli.report.map_overlay import overlay
    from iqa_cli.report.previews import jpeg
    from iqa_cli.scoring.quality_map import quality_map

    scored = [at for at, entry in enumerate(entries) if entry.standing.rank is not None and entry.preview]
    worst = sorted(scored, key=lambda at: -(entries[at].standing.rank or 0))[:number]
    name = options.weights or (options.models[0] if options.models else found.card.name)
    with run_progress(env) as progress:
        progress.update("making maps", 0, len(worst))
        scorer = load(name, device=options.device, precision=options.precision, threads=options.threads)
        for done, at in enumerate(worst):
            path = entries[at].standing.record.path
            with contextlib.suppress(ImageError), open_photo(path, max_pixels=options.max_pixels) as photo:
                drawn = overlay(photo, quality_map(scorer, photo), longest=_MAP)
                yield at, replace(entries[at], quality_map=address(jpeg(np.asarray(drawn))))
            progress.update("making maps", done + 1, len(worst))


def _title(options: ScoreOptions, scores: str | None) -> str:
    if scores is not None:
        return "what is in " + ("stdin" if scores == "-" else printable(Path(scores).name))
    if len(options.paths) == 1 and options.paths[0] != "-":
        return printable(Path(options.paths[0]).resolve().name or options.paths[0])
    return count(len(options.paths), "input") if options.paths else "a list"
