"""The network on a device, from crops to what it says of each: the only place of scoring that computes with
torch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from iqa_cli.errors import IqaError
from iqa_cli.scoring.device import exact_arithmetic

# The crops of one or two pictures: enough work for the cores of a desk, and rows still come one by one.
_CPU_BATCH = 16
_CUDA_BATCH = 128


class CropNetwork:
    """A network made ready to look at crops.

    Args:
        network: Module from float32 [N, 3, S, S] RGB in 0 to 1 to [N], MOS in 0 to 1 (not bounded). Where its
            config has `distortions`, it also has `forward_with_distortions`, as MFE-Net.
        device: Where it runs.
        dtype: torch.float32, or torch.bfloat16 or torch.float16 for autocast.
        batch_size: Crops of a batch; None chooses by the device. Halved by itself when a GPU runs out of
            memory.

    Attributes:
        names: Types of distortion that it names; () for none.
    """

    def __init__(
        self, network: nn.Module, device: torch.device, dtype: torch.dtype, batch_size: int | None
    ) -> None:
        on_cpu = device.type == "cpu"
        self.device = device
        self.dtype = dtype
        self.batch_size = batch_size or (_CPU_BATCH if on_cpu else _CUDA_BATCH)
        self.names: tuple[str, ...] = tuple(getattr(getattr(network, "config", None), "distortions", ()))
        layout = torch.channels_last if on_cpu else torch.preserve_format
        self.network = network.eval().requires_grad_(False).to(device).to(memory_format=layout)

    def rows(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """What the network says of crops.

        Args:
            crops: uint8 [N, S, S, 3], sRGB. More than `batch_size` are taken in several batches.

        Returns:
            float32 [N, K]: the raw score (MOS in 0 to 1 before calibration, not bounded) and, where it names
            distortions, the columns of `iqa_cli.scoring.naming`.

        Raises:
            ValueError: The array is not of that shape or type.
            IqaError: There is not enough memory for even one crop.
        """
        if crops.ndim != 4 or crops.shape[3] != 3 or crops.dtype != np.uint8:
            raise ValueError(f"crops should be uint8 [N, S, S, 3], not {crops.dtype} {list(crops.shape)}")
        rows: list[npt.NDArray[np.float32]] = []
        done = 0
        while done < len(crops):
            size = min(self.batch_size, len(crops) - done)
            try:
                rows.append(self.forward(crops[done : done + size]))
            except torch.cuda.OutOfMemoryError:
                if size == 1:
                    raise IqaError(
                        "the GPU has not enough free memory for one crop", hint="use --device cpu"
                    ) from None
                torch.cuda.empty_cache()
                self.batch_size = size // 2
                continue
            done += size
        return np.concatenate(rows) if rows else np.zeros((0, 1 + 2 * len(self.names)), dtype=np.float32)

    def forward(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`rows` of one batch, all at once."""
        lower = self.dtype if self.dtype != torch.float32 else None
        with (
            torch.inference_mode(),
            exact_arithmetic(self.device),
            torch.autocast(self.device.type, dtype=lower, enabled=lower is not None),
        ):
            # The permuted view of rows of RGB triples is just what torch calls channels-last.
            x = torch.from_numpy(np.ascontiguousarray(crops)).to(self.device).permute(0, 3, 1, 2)
            x = x.float().div_(255)
            if not self.names:
                said = self.network(x).float().reshape(-1, 1)
            else:
                raw, types, levels = self.network.forward_with_distortions(x)  # type: ignore[operator]
                steps = torch.arange(1, levels.shape[2] + 1, dtype=torch.float32, device=self.device)
                expected = levels.float().softmax(2) @ steps
                said = torch.cat([raw.float().reshape(-1, 1), types.float().softmax(1), expected], 1)
            rows: npt.NDArray[np.float32] = said.cpu().numpy()
        return rows
