"""Options and arguments that several commands have, so that they mean and say the same everywhere."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from iqa_cli.cli.completing import complete_database, complete_weight
from iqa_cli.cli.sinks import Format


class Device(str, Enum):
    """Where the network runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class PrecisionName(str, Enum):
    """How exactly the network computes."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


class ListFormat(str, Enum):
    """How a list is printed."""

    table = "table"
    tsv = "tsv"
    json = "json"


class TextFormat(str, Enum):
    """How what is for one reader is printed."""

    text = "text"
    json = "json"


Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only errors on stderr.")]
ListFormatOption = Annotated[
    ListFormat | None,
    typer.Option("--format", help="Default: a table on a terminal, tab-separated rows when piped."),
]

WeightArgument = Annotated[
    str,
    typer.Argument(
        metavar="WEIGHT", help="Weight: a name or a .safetensors file.", autocompletion=complete_weight
    ),
]

# Databases.
DatabaseName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A database of `iqa data list`.", autocompletion=complete_database),
]
DatabaseFolder = Annotated[Path | None, typer.Option(metavar="DIR", help="Its folder; else as listed.")]
DatabaseOption = Annotated[
    str,
    typer.Option(
        "--data",
        "--dataset",
        metavar="NAME",
        help="Database: iqa data list.",
        autocompletion=complete_database,
    ),
]
RootOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Its folder; else that of the config file, or $IQA_DATA/NAME."),
]
DatabaseFolders = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DIR", help="Its folder, or NAME=DIR; else that of the config file, or $IQA_DATA/NAME."
    ),
]
OpinionRange = Annotated[
    tuple[float, float] | None,
    typer.Option("--range", metavar="LOW HIGH", help="Scale of the scores of a csv; else their extremes."),
]
SplitFiles = Annotated[
    list[Path] | None, typer.Option(metavar="FILE", help="Parts as iqa data split has written them.")
]
HeldOut = Annotated[
    bool, typer.Option("--held-out", help="Leave out pictures that a weight has met in training.")
]

# Where and how is computed.
DeviceOption = Annotated[Device, typer.Option(help="Where to compute.")]
DeviceName = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Threads = Annotated[int | None, typer.Option(min=1, max=1024, help="CPU threads.")]
DecodingThreads = Annotated[
    int | None, typer.Option(min=1, help="CPU threads, of the network and of decoding.")
]
DistortingThreads = Annotated[
    int | None, typer.Option(min=1, help="CPU threads of the network, and as many for distorting.")
]

# Runs of training.
RunFolder = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Run folder.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; see above.")
]
Pristine = Annotated[
    Path,
    typer.Option(
        metavar="DIR", help="Undistorted photographs: sources.csv (split train and val) and images/."
    ),
]

# Pictures to score.
Recursive = Annotated[
    bool, typer.Option("-r", "--recursive", help="Walk folders, sorted.", rich_help_panel="Inputs")
]
WalksAnyway = Annotated[bool, typer.Option("-r", "--recursive", hidden=True, help="Folders are walked.")]
NullSeparated = Annotated[
    bool, typer.Option("-0", "--null", help="Lists are separated by NUL.", rich_help_panel="Inputs")
]
FilesFrom = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Read a list of pictures from FILE.", rich_help_panel="Inputs"),
]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse larger pictures.", rich_help_panel="Inputs")]
FolderPaths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH",
        show_default=False,
        help="Folders (walked), pictures, patterns, or - for a list on stdin.",
    ),
]
ScoredBefore = Annotated[
    str | None,
    typer.Option(
        "--scores",
        metavar="FILE",
        help="Instead of PATH: what 'iqa score' has written (csv, json, jsonl), or a store.",
        rich_help_panel="Inputs",
    ),
]

# How they are scored.
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Weight to use, or a file of one; see 'iqa models'. Several may be given. Default: mfenet.",
        autocompletion=complete_weight,
        rich_help_panel="Scoring",
    ),
]
NativeMode = Annotated[
    bool, typer.Option("--native", help="Tile the full resolution.", rich_help_panel="Scoring")
]
FastMode = Annotated[
    bool,
    typer.Option(
        "--fast",
        help="Look at two or three crops, of a large picture reduced; moves scores.",
        rich_help_panel="Scoring",
    ),
]
ScoringDevice = Annotated[Device, typer.Option(help="Where to compute.", rich_help_panel="Scoring")]
Precision = Annotated[
    PrecisionName,
    typer.Option(help="auto is fp32; the others move scores.", rich_help_panel="Scoring"),
]
ScoringThreads = Annotated[int | None, typer.Option(min=1, help="CPU threads.", rich_help_panel="Scoring")]
StoreFile = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="FILE",
        help="Keep scores in FILE, and score only what it does not hold; see 'iqa store'.",
        rich_help_panel="Scoring",
    ),
]
KeptScores = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="FILE",
        help="Keep the scores of the weights in FILE, and score only what it does not hold; see 'iqa store'.",
    ),
]

# Rows of scores.
RowFormat = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="Default: by the name of -o; table on a terminal, tsv otherwise.",
        rich_help_panel="Output",
    ),
]
RowOutput = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Write to FILE (- is stdout).", rich_help_panel="Output"
    ),
]
