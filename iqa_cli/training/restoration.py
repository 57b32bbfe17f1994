"""Pre-training of VCRNet's restoration network: it learns to take synthetic distortions back.

Published: pairs of distorted and pristine pictures, a non-adversarial loss weighted by an error map. The
published code lacks this stage. Ours: the 27 types of distortion at five levels made on the fly, the loss
(`restoration_loss.py`), the optimiser, and what `RestorationConfig` holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from iqa_cli.errors import UsageError
from iqa_cli.networks.vcrnet_restoration import RestorationNet
from iqa_cli.training.checkpoint import append_log, claim_folder
from iqa_cli.training.crops import Image
from iqa_cli.training.devices import autocast, dtype_of
from iqa_cli.training.restoration_config import RestorationConfig
from iqa_cli.training.restoration_data import pair_batches, training_pairs
from iqa_cli.training.restoration_loss import restoration_loss
from iqa_cli.training.schedule import warmup_cosine
from iqa_cli.training.steps import Steps

#: Steps between two lines of the log, and between two checkpoints.
LOG_EVERY, SAVE_EVERY = 20, 100


def pretrain_restoration(
    config: RestorationConfig,
    images: Sequence[Image],
    folder: Path,
    log: Callable[[str], None],
    device: torch.device,
    threads: int = 1,
    data: dict[str, Any] | None = None,
    max_steps: int | None = None,
) -> RestorationNet:
    """Train; resumes from `folder/last.pt` where there is one.

    Args:
        config: The settings.
        images: Decoded photographs, uint8 [H, W, 3]: what is to be restored to.
        folder: Gets `config.json`, `log.jsonl` and `last.pt`.
        log: Takes a line now and then.
        device: Where the network computes.
        threads: Pairs that are made at a time; they do not change the result.
        data: What the run is made of, for `config.json`; it must be the same when a run is resumed.
        max_steps: End after so many steps of this call, with a checkpoint: a dry run.

    Returns:
        The network after the last step, in evaluation mode.

    Raises:
        UsageError: The folder holds another run, or there are no photographs.
        WeightsError: A checkpoint cannot be written, or one that is there cannot be used.
        IqaError: The loss is not finite any more.
        KeyboardInterrupt: After the checkpoint has been saved; it carries a line for the user.
    """
    if not len(images):
        raise UsageError("there are no photographs to learn from")
    claim_folder(folder, describe_restoration(config, data), log)
    torch.manual_seed(config.seed)
    model = RestorationNet(config.net, config.residual)
    model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(_groups(model, config), lr=config.rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warmup_cosine(config.steps, config.warmup))
    run = Steps(folder / "last.pt", model, optimiser, schedule)
    run.resume(config.steps, log)

    first = run.step
    last = config.steps if max_steps is None else min(config.steps, first + max_steps)
    plan = (training_pairs(config, len(images), i) for i in range(first, last))
    batches = pair_batches(images, plan, config.size, config.margin, threads)
    sums, counted = torch.zeros(3), 0
    began = time.monotonic()
    model.train()
    with closing(run.each(batches, last, SAVE_EVERY)) as each:
        for batch in each:
            worse, better = (x.to(device, memory_format=torch.channels_last) for x in batch)
            with autocast(device, dtype_of(config.precision)):
                restored = model(worse)
            weighted, unlike = restoration_loss(
                restored.float(), better, config.error_weight, config.ssim_weight
            )
            loss = weighted + unlike
            run.take(loss, model.parameters())
            counted += 1
            left = (worse - better).abs().mean()  # what doing nothing would leave
            sums += torch.stack([weighted.detach(), unlike.detach(), left]).cpu()
            if run.step % LOG_EVERY == 0 or run.step == last:
                _tell(folder, log, run.step, config.steps, sums / counted, first, began, run.waited)
                sums.zero_()
                counted = 0
    return model.eval()


def describe_restoration(config: RestorationConfig, data: dict[str, Any] | None) -> dict[str, Any]:
    """What a run is, for `config.json`."""
    return {"settings": config.to_dict(), "data": data or {}}


def _groups(model: RestorationNet, config: RestorationConfig) -> list[dict[str, Any]]:
    """Kernels are decayed; biases, norms and the slope of the PReLU are not."""
    kernels = [p for p in model.parameters() if p.dim() == 4]
    rest = [p for p in model.parameters() if p.dim() != 4]
    return [{"params": kernels, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}]


def _tell(
    folder: Path,
    log: Callable[[str], None],
    step: int,
    steps: int,
    means: torch.Tensor,
    first: int,
    began: float,
    waited: float,
) -> None:
    """A line of the log, and one for the user."""
    seconds = time.monotonic() - began
    weighted, unlike, distorted = (round(float(value), 5) for value in means)
    line = {"step": step, "weighted_l1": weighted, "ssim_term": unlike, "distorted_l1": distorted}
    append_log(folder, line | {"seconds": round(seconds, 1), "waited": round(waited, 1)})
    minutes = seconds / (step - first) * (steps - step) / 60
    log(
        f"step {step}/{steps}  weighted L1 {weighted:.4f} + SSIM term {unlike:.4f} (L1 of the distorted "
        f"{distorted:.4f})  {seconds / (step - first):.2f} s a step, waiting {waited / seconds:.0%}  "
        f"{minutes:.0f} min left"
    )
