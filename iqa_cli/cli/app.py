"""The command `iqa`: the sub-commands by name, and the one place where failures become lines and exit codes.

A sub-command's module is imported when it is run or its own help is asked for: `iqa --help` needs neither
torch nor any of the libraries for images.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from iqa_cli import __version__
from iqa_cli.cli.context import Environment
from iqa_cli.errors import ExitCode, IqaError, UsageError
from iqa_cli.text import one_line, printable, reason_of

# name: (module, attribute: a command function or a Typer app, one line for the help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "score": ("iqa_cli.cli.score", "score", "Score photographs: 0 to 100, higher is better."),
    "store": ("iqa_cli.cli.store", "store", "List and export the scores that a store has kept."),
    "watch": ("iqa_cli.cli.watch", "watch", "Score pictures as they arrive in a folder."),
    "rank": ("iqa_cli.cli.rank", "rank", "Rank pictures; the best or worst 10 %, and what to be wary of."),
    "report": (
        "iqa_cli.cli.report",
        "report",
        "Write a page that shows pictures with their scores.",
    ),
    "cull": ("iqa_cli.cli.cull", "cull", "Find pictures of one scene, and keep the best of each."),
    "doctor": ("iqa_cli.cli.doctor", "doctor", "Look whether this installation works."),
    "map": ("iqa_cli.cli.map", "quality_map", "Show where a photograph is good and where not."),
    "models": ("iqa_cli.cli.models", "app", "List the weights there are; show the card of one."),
    "eval": (
        "iqa_cli.cli.evaluate",
        "evaluate",
        "Measure a weight against the opinion scores of a data set.",
    ),
    "calibrate": (
        "iqa_cli.cli.calibrate",
        "calibrate",
        "Fit what the scores of a weight mean to labelled pictures.",
    ),
    "refit": ("iqa_cli.cli.refit", "refit", "Fit anew how a weight names distortions."),
    "ridge": (
        "iqa_cli.cli.ridge",
        "ridge",
        "Give a finished weight a kernel ridge on frozen features.",
    ),
    "train": ("iqa_cli.cli.train", "train", "Train a network on human opinion scores."),
    "pretrain": ("iqa_cli.cli.pretrain", "app", "Make the starting points of the training."),
    "data": ("iqa_cli.cli.data", "app", "List, check, show and split databases of opinion scores."),
    "restore": (
        "iqa_cli.cli.restore",
        "restore",
        "Take the distortion of a photograph back, as VCRNet learnt.",
    ),
    "convert": (
        "iqa_cli.cli.convert",
        "app",
        "Convert published checkpoints of other programs into weights.",
    ),
    "export": ("iqa_cli.cli.export", "export", "Write a weight as an ONNX file, for other programs."),
    "gmad": (
        "iqa_cli.cli.gmad",
        "gmad",
        "Find, show and judge the pairs on which models disagree most.",
    ),
    "pairs": ("iqa_cli.cli.pairs", "pairs", "Show which pictures QFM-IQM matches: a sheet or a table."),
}

#: Not one of ExitCode: a defect of this program (EX_SOFTWARE of sysexits.h).
DEFECT = 70

_HELP = """\b
How good does a photograph look? No-reference image quality scores.

Examples:
  iqa score photo.jpg
  iqa score -r holiday/ --bottom 10
  iqa models show mfenet
"""


class LazyCommand(TyperCommand):
    """Stands for a sub-command until it is run: name and one line of help are known, the module is not
    imported."""

    def __init__(self, name: str, module: str, attribute: str, summary: str) -> None:
        super().__init__(name=name, help=summary)
        self._origin = (module, attribute)

    def load(self) -> Any:
        """Import the module and build the real command."""
        module, attribute = self._origin
        target = getattr(import_module(module), attribute)
        holder = typer.Typer(add_completion=False, rich_markup_mode="rich")
        # A second command keeps Typer from folding a single one into the holder.
        holder.callback()(lambda: None)
        if isinstance(target, typer.Typer):
            holder.add_typer(target, name=self.name)
        else:
            holder.command(self.name)(target)
        return get_command(holder).commands[self.name]  # type: ignore[attr-defined]

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """The context of the real command; the group goes on with that one."""
        return self.load().make_context(*args, **kwargs)


class LazyGroup(TyperGroup):
    """The top level: sub-commands from `COMMANDS`, and a suggestion for a misspelt one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, (module, attribute, summary) in COMMANDS.items():
            self.commands[name] = LazyCommand(name, module, attribute, summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As of the parent, with an error in this program's own form."""
        name = args[0]
        if name not in self.commands and not name.startswith("-") and not ctx.resilient_parsing:
            close = difflib.get_close_matches(name.lower(), self.commands, n=1)
            if close:
                hint = f"did you mean 'iqa {close[0]}'?"
            elif Path(name).exists():
                hint = f"to score it: iqa score {printable(name)}"
            else:
                hint = f"commands: {', '.join(self.commands)}"
            raise UsageError(f"there is no command '{printable(name)}'", hint=hint)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="iqa",
    cls=LazyGroup,
    help=_HELP,
    invoke_without_command=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"iqa {__version__}")
        raise typer.Exit


@app.callback()
def _top_level(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    env: Environment = context.obj
    env.debug |= debug
    env.colour &= not no_color
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(args: Sequence[str] | None = None, env: Environment | None = None) -> int:
    """Run one command line.

    Args:
        args: The arguments behind the program's name; None takes those of the process.
        env: The world around it; None takes that of the process.

    Returns:
        The exit code. Nothing is raised but for what ends the process from outside.
    """
    streams = contextlib.nullcontext() if env is None else _redirected(env)
    env = env or Environment.of_process()
    with streams:
        try:
            result = get_command(app).main(
                args=None if args is None else list(args), prog_name="iqa", standalone_mode=False, obj=env
            )
            return int(result or 0)
        except (KeyboardInterrupt, typer.Abort):
            return ExitCode.INTERRUPTED
        except SystemExit as leaving:
            if isinstance(leaving.__context__, BrokenPipeError):
                return ExitCode.OK  # of `iqa --help | head`; Typer would make it 1, which has a meaning here
            return leaving.code if isinstance(leaving.code, int) else 1
        except BrokenPipeError:
            return ExitCode.OK
        except Exception as error:
            return _failed(error, env, sys.argv[1:] if args is None else args)


def _failed(error: Exception, env: Environment, args: Sequence[str]) -> int:
    """Say what went wrong in one line and a hint; with --debug in full."""
    if env.debug:
        env.stderr.write(traceback.format_exc())
    if isinstance(error, IqaError):
        env.error(error)
        return error.exit_code
    if hasattr(error, "format_message"):  # of the parser of the command line
        env.error(_usage(error, args))
        return ExitCode.USAGE
    if isinstance(error, OSError) and error.errno is not None:
        # What the system says is for the user to mend: a name that is too long, a folder that may not be
        # entered, a full disk behind stdout.
        name = error.filename
        of = f"{one_line(os.fsdecode(name))}: " if isinstance(name, str | bytes) else ""
        env.error(UsageError(f"{of}{reason_of(error)}"))
        return ExitCode.USAGE
    if isinstance(error, MemoryError):
        env.error(UsageError("there is not enough memory"))
        return ExitCode.USAGE
    text = " ".join(str(error).split())
    env.error(
        IqaError(
            f"unexpected {type(error).__name__}{': ' if text else ''}{text}",
            hint="this is a defect of iqa; --debug shows where it happened",
        )
    )
    return DEFECT


def _usage(error: Any, args: Sequence[str]) -> UsageError:
    """An error of the parser in this program's own form; it brings suggestions for misspelt options."""
    message = " ".join(str(error.format_message()).split()).rstrip(".")
    message = message.replace("Value error, ", "")  # said by the validation inside of Typer
    context = getattr(error, "ctx", None)
    hint = f"see {context.command_path} --help" if context is not None else None
    possible = list(getattr(error, "possibilities", None) or ())
    if possible:
        message = " ".join(str(error.message).split()).rstrip(".")
        hint = f"did you mean {' or '.join(possible[:3])}?"
    elif "no such option" in message.lower():
        for arg in args:
            if arg.startswith("-") and os.path.lexists(arg):
                hint = f"a name that begins with a dash is given as ./{printable(arg)}"
                break
    choice = re.search(r"'([^']*)' is not one of (.+)", message)
    if choice is not None:
        close = difflib.get_close_matches(choice[1], re.findall(r"'([^']*)'", choice[2]), n=1)
        hint = f"did you mean '{close[0]}'?" if close else hint
    return UsageError(message[:1].lower() + message[1:], hint=hint)


@contextlib.contextmanager
def _redirected(env: Environment) -> Iterator[None]:
    """What is printed by ordinary means also goes to the injected streams."""
    stdout = io.TextIOWrapper(env.stdout, encoding="utf-8", errors="backslashreplace", write_through=True)
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(env.stderr):
            yield
    finally:
        with contextlib.suppress(ValueError, OSError):
            stdout.detach()


def _occupy_standard_descriptors() -> None:
    """Have nothing else opened under the numbers 0 to 2 where the caller has closed them (`2>&-`): what a
    library in C prints to stderr would go into the file of results."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def main() -> None:
    """Entry point of the console script `iqa`."""
    _occupy_standard_descriptors()
    code = run()
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            # Its reader has gone or the disk is full; that has been dealt with, and must not be told again at
            # exit.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if code == ExitCode.INTERRUPTED:
        # Stop now: threads may be in the middle of a large picture or a batch.
        os._exit(code)
    sys.exit(code)
