"""What a training session is put together from: pictures, sampler and losses, for one database or several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.images.distortions import DISTORTIONS
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.crops import RANKED, CropSampler
from iqa_cli.training.devices import Machine, dtype_of, free_memory
from iqa_cli.training.launch import local_process_count
from iqa_cli.training.losses import StepLosses
from iqa_cli.training.mixture import Kind, Part, PartKind, mixed_counts
from iqa_cli.training.order import Mixed, share_of
from iqa_cli.training.pictures import Pictures
from iqa_cli.training.runlog import RunLog
from iqa_cli.training.team import Team


def read_pictures(records: Sequence[ImageRecord], machine: Machine, out: RunLog) -> Pictures:
    """The pictures of records, as many of them decoded as memory is meant for.

    Raises:
        ImageError: One of these cannot be read.
    """
    out.say(f"decoding {len(records)} pictures")
    limit, free = machine.memory, free_memory()
    if limit is None and free is not None:
        limit = free // 2
    if limit is not None:
        limit //= local_process_count()
    pictures = Pictures(
        [r.path for r in records],
        limit,
        progress=lambda done, total: out.show("decoding", done, total),
    )
    beyond = len(pictures) - pictures.kept()
    if beyond:
        out.say(f"{beyond} of them do not fit into memory and are decoded each time they are drawn")
    return pictures


def sampler_of(
    config: TrainConfig,
    pictures: Pictures,
    fit: Sequence[ImageRecord],
    further: Sequence[Part],
    team: Team,
) -> CropSampler:
    """The sampler of this process: of one database, or of several mixed in every batch.

    Raises:
        UsageError: The batch is too small for so many databases.
    """
    order = None
    if further:
        sizes = (len(fit), *(len(part.fit) for part in further))
        kinds: list[PartKind] = ["mos", *(part.kind for part in further)]
        counts = mixed_counts(config.batch // team.size, sizes, kinds, config.shares)
        order = Mixed(sizes, counts, config.seed, config.crops_per_image, team.rank, team.size)
    records = [*fit, *(record for part in further for record in part.fit)]
    return CropSampler(
        pictures,
        config.size,
        config.batch,
        config.distorted,
        config.seed,
        eligible=[r.mos >= config.rank_from for r in records],
        reduced=config.reduced,
        crops_per_image=config.crops_per_image,
        order=order,
        rank=team.rank,
        ranks=team.size,
        sizes=config.sizes,
        types=RANKED if config.ranked == "loss" else tuple(DISTORTIONS),
        ladders=config.ladders,
    )


def step_losses(
    config: TrainConfig,
    network: nn.Module,
    fit: Sequence[ImageRecord],
    further: Sequence[Part],
    team: Team,
) -> StepLosses:
    """Network and losses of this process, on its device."""
    mos = [r.mos for r in fit]
    part, taught = [0] * len(fit), [False] * len(fit)
    kinds: list[Kind] = []
    for other in further:
        if other.kind != "taught":
            kinds.append(other.kind)
        mos += [r.mos for r in other.fit]
        part += [0 if other.kind == "taught" else len(kinds)] * len(other.fit)
        taught += [other.kind == "taught"] * len(other.fit)
    # Each process takes the mean over its own pairs; they count by the pairs that each was meant to have.
    mine = share_of(config.distorted, team.rank, team.size)
    weight = config.rank_weight * (team.size * mine / config.distorted if config.distorted else 1.0)
    return StepLosses(
        config,
        network,
        torch.tensor(mos, dtype=torch.float32),
        dtype_of(config.precision),
        torch.tensor(part),
        kinds,
        weight,
        torch.tensor(taught) if any(taught) else None,
    ).to(team.device)
