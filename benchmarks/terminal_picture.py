"""What commands show on a terminal, as a picture: the pictures of terminals in the README and in docs/.

python -m benchmarks.terminal_picture OUT.jpg [--columns 92] [--folder DIR] 'iqa score photo.jpg' ['...' ...]

The commands run one after the other in a pane of tmux, in DIR; what stands in the pane in the end is drawn by
rich and Chromium. Needs `tmux` and `chromium`.
"""

from __future__ import annotations

import argparse
import io
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

from tests.report.browser import CHROMIUM, chromium

#: Lines of a pane: more than any picture should have.
_LINES = 200
_PAGE = "<!doctype html><meta charset='utf-8'><style>body{margin:0}svg{display:block;width:100%}</style>"
#: Pixels of a column.
_CELL = 10


def shown(commands: list[str], folder: Path, columns: int) -> str:
    """What the pane holds when the commands are done, with codes of colours."""
    server = ["tmux", "-L", f"iqa-{id(commands)}"]
    steps = [
        f"printf '\\033[1m$ %s\\033[0m\\n' {shlex.quote(command)}; {command}; echo" for command in commands
    ]
    done = f"{shlex.join(server)} wait-for -S done; sleep 60"
    python = Path(sys.executable).parent  # where `iqa` lies, too
    script = f"PATH={shlex.quote(str(python))}:$PATH; {'; '.join(steps)}; {done}"
    size = ["-x", str(columns), "-y", str(_LINES)]
    subprocess.run(
        [*server, "new-session", "-d", *size, "-c", str(folder), f"sh -c {shlex.quote(script)}"], check=True
    )
    try:
        subprocess.run([*server, "wait-for", "done"], check=True)
        captured = subprocess.run([*server, "capture-pane", "-e", "-p"], check=True, capture_output=True)
    finally:
        subprocess.run([*server, "kill-server"], check=True)
    return captured.stdout.decode().rstrip()


def drawn(text: str, columns: int, place: Path) -> None:
    """Write a terminal with this text as a JPEG."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text))
    with tempfile.TemporaryDirectory() as folder, chromium(Path(folder) / "profile") as tab:
        page, picture = Path(folder) / "page.html", Path(folder) / "page.png"
        page.write_text(_PAGE + console.export_svg(title=""), encoding="utf-8")
        tab.open(page, columns * _CELL)
        tab.screenshot(picture)
        Image.open(picture).convert("RGB").save(place, quality=82, optimize=True)


def main() -> None:
    """Run, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("commands", nargs="+")
    parser.add_argument("--columns", type=int, default=92)
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    given = parser.parse_args()
    if CHROMIUM is None or shutil.which("tmux") is None:
        parser.error("needs tmux and chromium")
    text = shown(given.commands, given.folder, given.columns)
    drawn(text, given.columns, given.out)
    print(f"{given.out}: {len(text.splitlines())} lines, {given.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
