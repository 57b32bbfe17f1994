"""What `iqa train --help` says before its options."""

from __future__ import annotations

import textwrap
from dataclasses import fields

from iqa_cli.training.config import TrainConfig
from iqa_cli.training.presets import PRESETS

_SETTINGS = [entry.name for entry in fields(TrainConfig) if not entry.name.startswith("network")]
_PRESETS = "\n".join(
    textwrap.fill(f"{name}: {entry.summary}", 76, initial_indent="  ", subsequent_indent="    ")
    for name, entry in PRESETS.items()
)
#: The docstring of the command.
HELP = f"""\b
Train a network on human opinion scores.

\b
Examples:
  iqa train mfenet --data biq2021 --root biq2021/ --net dan=none -o runs/small
  iqa train mfenet --data csv --root my-photos/ --start mfenet --choose-share 0.1
  iqa train mfenet --data biq2021 --root biq2021/ \\
    --qen runs/qen/qen.safetensors --dan runs/dan/dan.safetensors
  iqa train mfenet --preset paper --data kadid10k --splits 10 \\
    --qen van_b2.safetensors --dan runs/dan/dan.safetensors
  iqa train vcrnet --data biq2021 --root biq2021/ --backbone lite0 \\
    --restoration runs/restoration/restoration.safetensors
  iqa train qfm-iqm --data biq2021 --root biq2021/ --backbone lite2 \\
    --teacher mfenet --unlabelled photos/
  iqa train mfenet --data biq2021 --root biq2021/ --start mfenet \\
    --soft scores.csv --set soft_share=0.5 -o runs/soft
  iqa train mfenet --config runs/small/config.toml --set seed=1 -o runs/again

\b
Weights are fitted to the part --fit; the epoch, the pooling and the
calibration are chosen on the part --choose, which shares no picture and no
group with it; nothing else is looked at. The folder -o keeps config, log and
checkpoints, and gets the finished NAME.safetensors. The same command again
resumes a run; Ctrl-C saves it first.

\b
With --splits N nothing of this is taken from the database: split i is drawn
in whole groups (one reference, near-duplicates) with the seed of --set + i
into parts to fit, to choose and to measure on, as iqa data split draws them,
and trained in its own folder. The test part is measured once, at the end; a
row for each split, median and spread go to stdout, splits.csv and
splits.json. With --fit, only that part of the database is divided.

\b
Presets; --config goes before them, and every option before that:
{_PRESETS}

\b
{textwrap.fill(f"--set takes {', '.join(_SETTINGS)}.", 76)}
"""
