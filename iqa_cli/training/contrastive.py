"""Pre-training of the DAN: a ResNet-50 learns to tell distortions apart, whatever the content.

Published: the DAN is a ResNet-50, pre-trained with contrastive learning so that its features tell distortion
types apart. After SaTQA and CONTRIQUE (second-hand): supervised contrastive loss, temperature 0.1, projector
to 128. Ours: a class is a type of distortion at a level, or pristine; positives share both, whatever the
content; batches are class-balanced; and what `ContrastiveConfig` holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from iqa_cli.errors import UsageError
from iqa_cli.networks.dan import DAN
from iqa_cli.training.checkpoint import append_log, claim_folder
from iqa_cli.training.contrastive_loss import supervised_contrastive
from iqa_cli.training.contrastive_net import ContrastiveDAN, restore_batch_norms
from iqa_cli.training.crops import Image
from iqa_cli.training.dan_batches import STATISTICS, TRAINING, check_batches, crop_batches, training_batch
from iqa_cli.training.dan_config import ContrastiveConfig
from iqa_cli.training.devices import autocast, dtype_of
from iqa_cli.training.schedule import warmup_cosine
from iqa_cli.training.steps import Steps

#: Steps between two lines of the log, and between two checkpoints.
LOG_EVERY, SAVE_EVERY = 20, 100


def pretrain(
    config: ContrastiveConfig,
    dan: DAN,
    images: Sequence[Image],
    folder: Path,
    log: Callable[[str], None],
    device: torch.device,
    threads: int = 1,
    data: dict[str, Any] | None = None,
) -> ContrastiveDAN:
    """Run the contrastive part; resumes from `folder/last.pt` where there is one.

    Args:
        config: The settings.
        dan: The ResNet-50 to start from; it is changed.
        images: Decoded pristine photographs, uint8 [H, W, 3].
        folder: Gets `config.json`, `log.jsonl` and `last.pt`.
        log: Takes a line now and then.
        device: Where the network computes.
        threads: Crops that are distorted at a time; they do not change the result.
        data: What the run is made of, for `config.json`; it must be the same when a run is resumed.

    Returns:
        The network after the last step, in evaluation mode.

    Raises:
        UsageError: The folder holds another run, or there are too few photographs.
        WeightsError: A checkpoint cannot be written, or one that is there cannot be used.
        IqaError: The loss is not finite any more.
        KeyboardInterrupt: After the checkpoint has been saved; it carries a line for the user.
    """
    check_pretraining(config, len(images))
    claim_folder(folder, describe_pretraining(config, data), log)
    torch.manual_seed(config.seed)
    model = ContrastiveDAN(dan, config.frozen, config.hidden, config.embedding)
    model = model.to(device).to(memory_format=torch.channels_last)
    learnt = [p for p in model.dan.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": learnt, "lr": config.rate},
        {"params": list(model.projector.parameters()), "lr": config.rate_new},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warmup_cosine(config.steps, config.warmup))
    run = Steps(folder / "last.pt", model, optimiser, schedule)
    if not run.resume(config.steps, log):
        plans = [training_batch(config, len(images), STATISTICS, i) for i in range(config.norm_batches)]
        statistics = crop_batches(images, plans, config.size, config.margin, threads)
        with autocast(device, dtype_of(config.precision)):
            restore_batch_norms(model.dan, statistics, lambda batch: model.maps(batch[0].to(device)))
        log(f"put the batch norms back, from {sum(map(len, plans))} crops")

    everything = [p for group in groups for p in group["params"]]
    plan = (training_batch(config, len(images), TRAINING, i) for i in range(run.step, config.steps))
    batches = crop_batches(images, plan, config.size, config.margin, threads)
    losses: list[float] = []
    began, crops_made, first = time.monotonic(), 0, run.step
    model.train()
    with closing(run.each(batches, config.steps, SAVE_EVERY)) as each:
        for crops, labels in each:
            rgb = crops.to(device, memory_format=torch.channels_last)
            with autocast(device, dtype_of(config.precision)):
                embeddings = model(rgb)
            loss = supervised_contrastive(embeddings, labels.to(device), config.temperature)
            run.take(loss, everything)
            crops_made += len(rgb)
            losses.append(float(loss.detach()))
            if run.step % LOG_EVERY == 0 or run.step == config.steps:
                seconds = time.monotonic() - began
                mean = sum(losses) / len(losses)
                line = {"step": run.step, "loss": round(mean, 4), "seconds": round(seconds, 1)}
                line |= {"waited": round(run.waited, 1), "crops_per_second": round(crops_made / seconds, 1)}
                append_log(folder, line)
                left = seconds / (run.step - first) * (config.steps - run.step)
                log(
                    f"step {run.step}/{config.steps}  loss {mean:.3f}  {crops_made / seconds:.0f} "
                    f"crops/s (waiting for them {run.waited / seconds:.0%})  {left / 60:.0f} min left"
                )
                losses.clear()
    return model.eval()


def check_pretraining(config: ContrastiveConfig, photographs: int) -> None:
    """See that the settings can be run on so many photographs.

    Raises:
        UsageError: There are fewer types or photographs than a batch needs.
    """
    try:
        check_batches(config, photographs)
    except ValueError as error:
        raise UsageError(f"--set: {error}") from None


def describe_pretraining(config: ContrastiveConfig, data: dict[str, Any] | None) -> dict[str, Any]:
    """What a run is, for `config.json`."""
    return {"settings": config.to_dict(), "data": data or {}}
