"""The network on a device, by torch: the only place of scoring that computes with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from iqa_cli.networks.packing import pack_convolutions
from iqa_cli.networks.said import Said
from iqa_cli.scoring.device import exact_arithmetic
from iqa_cli.scoring.network import CPU_BATCH, Network

_CUDA_BATCH = 128


class CropNetwork(Network):
    """A network made ready to look at crops.

    Args:
        network: As `Said` takes it.
        device: Where it runs.
        dtype: torch.float32, or torch.bfloat16 or torch.float16 for autocast.
        batch_size: Crops of a batch; None chooses by the device. Halved by itself when a GPU runs out of
            memory.
    """

    too_large = (torch.cuda.OutOfMemoryError,)

    def __init__(
        self, network: nn.Module, device: torch.device, dtype: torch.dtype, batch_size: int | None
    ) -> None:
        on_cpu = device.type == "cpu"
        said = Said(network)
        super().__init__(said.names, batch_size or (CPU_BATCH if on_cpu else _CUDA_BATCH))
        self.device = device
        self.dtype = dtype
        layout = torch.channels_last if on_cpu else torch.preserve_format
        ready: nn.Module = said.eval().requires_grad_(False).to(device).to(memory_format=layout)
        self.network = pack_convolutions(ready) if on_cpu and dtype == torch.float32 else ready
        self._copying = None if on_cpu else torch.cuda.Stream(device)

    def forward(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        x = torch.from_numpy(np.ascontiguousarray(crops)).to(self.device)
        rows: npt.NDArray[np.float32] = self._columns(x).cpu().numpy()
        return rows

    def begin(self, crops: npt.NDArray[np.uint8]) -> Callable[[], npt.NDArray[np.float32]]:
        """See `Network.begin`. A GPU fetches the crops, out of memory that the system keeps in place, on a
        stream of its own: while it computes the batch before, and this process collects the next."""
        if self._copying is None or len(crops) > self.batch_size:
            return super().begin(crops)
        try:
            kept = torch.from_numpy(np.ascontiguousarray(crops)).pin_memory()
            with torch.cuda.stream(self._copying):
                x = kept.to(self.device, non_blocking=True)
            computing = torch.cuda.current_stream(self.device)
            computing.wait_stream(self._copying)
            x.record_stream(computing)
            columns = self._columns(x)
            rows = torch.empty(columns.shape, dtype=columns.dtype, pin_memory=True)
            rows.copy_(columns, non_blocking=True)
            done = torch.cuda.Event()
            done.record(computing)
        except self.too_large:
            return super().begin(crops)

        def wait() -> npt.NDArray[np.float32]:
            done.synchronize()
            found: npt.NDArray[np.float32] = rows.numpy()
            return found

        return wait

    def _columns(self, crops: Tensor) -> Tensor:
        """Rows of the network [N, K] for crops [N, S, S, 3], uint8, both on the device."""
        lower = self.dtype if self.dtype != torch.float32 else None
        with (
            torch.inference_mode(),
            exact_arithmetic(self.device),
            torch.autocast(self.device.type, dtype=lower, enabled=lower is not None),
        ):
            # The permuted view of rows of RGB triples is just what torch calls channels-last.
            said = self.network(crops.permute(0, 3, 1, 2).float().div_(255))
            return torch.cat([said[0].reshape(-1, 1), *said[1:]], 1)

    def release(self) -> None:
        torch.cuda.empty_cache()
