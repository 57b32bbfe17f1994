"""What the system tells of files in a folder, by the library watchdog, in the few words that matter here."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from iqa_cli.watching.arrivals import unfinished

# How long the threads of the library are waited for when watching ends.
_JOIN_SECONDS = 2.0


class What(Enum):
    """What has happened to a file."""

    SEEN = "there is one of that name"
    WRITTEN = "it is being written to"
    CLOSED = "what wrote to it has closed it, or it has been given that name"
    GONE = "there is none of that name any more"
    FOLDERS = "folders have come: look through everything"


class Event(NamedTuple):
    """Something that has happened; `path` begins with the folder as it was given."""

    what: What
    path: str = ""


class Observers:
    """Observers of folders.

    Args:
        deep: Sub-folders, too.
        put: Takes the events, from threads of the library.
    """

    def __init__(self, deep: bool, put: Callable[[Event], None]) -> None:
        self._deep, self._put = deep, put
        self._started: dict[str, Any] = {}

    def start(self, folder: str) -> None:
        """Observe a folder that is there.

        Raises:
            OSError: The system observes no more folders, or none of this kind.
        """
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        top = os.path.abspath(folder)  # noqa: PTH100 - links are not followed
        tell = self._tell

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                tell(folder, top, event)

        observer = Observer()
        observer.schedule(Handler(), top, recursive=self._deep)
        observer.start()
        self._started[folder] = observer

    def stop(self, folder: str) -> None:
        """Observe it no more; harmless where it is not observed."""
        observer = self._started.pop(folder, None)
        if observer is not None:
            observer.stop()
            observer.join(_JOIN_SECONDS)

    def close(self) -> None:
        """Observe nothing any more."""
        for folder in list(self._started):
            self.stop(folder)

    def _tell(self, folder: str, top: str, event: Any) -> None:
        kind = event.event_type
        if event.is_directory:
            if kind in ("created", "moved"):
                self._put(Event(What.FOLDERS))
            return
        if kind in ("deleted", "moved"):
            self._of(What.GONE, folder, top, event.src_path)
        if kind == "moved":
            self._of(What.CLOSED, folder, top, event.dest_path)
        # Of a new name alone nobody knows whether it is open: it may be a link.
        seen = dict.fromkeys(("created", "attrib"), What.SEEN)
        what = {**seen, "modified": What.WRITTEN, "closed": What.CLOSED}.get(kind)
        if what is not None:
            self._of(what, folder, top, event.src_path)

    def _of(self, what: What, folder: str, top: str, place: str | bytes) -> None:
        within = os.path.relpath(os.fsdecode(place), top)
        *above, name = Path(within).parts
        hidden = any(part.startswith(".") for part in above)  # one is "..", of what was moved out
        if not hidden and (self._deep or not above) and not unfinished(name):
            self._put(Event(what, os.path.join(folder, within)))  # noqa: PTH118 - as the walk joins them
