"""Full-reference metrics: how far a distorted picture is from its reference. Five of the library piq.

None of them is ours. Published metrics and their sources, with the SRCC that the makers of piq print for
their own code on TID2013 and KADID-10k (README of piq 0.8.0) [S]:

    HaarPSI  Reisenhofer et al., Signal Processing: Image Communication 61, 2018       0.87  0.89
    MDSI     Ziaei Nafchi et al., IEEE Access 4, 2016                                  0.89  0.89
    VSI      Zhang, Shen and Li, IEEE TIP 23, 2014                                     0.90  0.88
    FSIMc    Zhang, Zhang, Mou and Zhang, IEEE TIP 20, 2011                            0.85  0.85
    DSS      Balanov et al., ICIP 2015                                                 0.79  0.86

Why these [O]: they are among those of that table that agree best with people on databases with many types of
distortion, they need no weights, and they judge by different means: Haar wavelets, gradient with chromaticity
and deviation pooling, salience, phase congruency, DCT sub-bands. The first four read colour; DSS reads
luminance alone and so keeps a change of colour from counting four times.

piq is Apache-2.0 and plain PyTorch; it comes with the extra `synth`. Its last release is of July 2023: other
libraries that still change (torchmetrics, scikit-image) have none of the metrics that read colour.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iqa_cli.errors import ExitCode, ImageError, IqaError

#: Shortest side that every metric is defined on, and that a distortion takes.
MIN_SIDE = 64
#: Metrics are kept with so many decimals; single precision does not give more.
DECIMALS = 6
#: How near a picture is to its reference pixel by pixel, higher is nearer: peak signal-to-noise ratio in dB
#: (80 for the same picture), and SSIM (Wang et al., IEEE TIP 13, 2004; on RGB, no reduction). What restoring
#: a picture is measured by; as predictors of opinion both are weak, so that no pseudo-MOS is made of them.
FIDELITY = ("psnr", "ssim")


class MetricsError(IqaError):
    """The library of metrics is not installed."""

    exit_code = ExitCode.NOT_AVAILABLE


@dataclass(frozen=True)
class Metric:
    """Facts about one metric.

    Attributes:
        title: Name in the literature.
        function: Its function in piq.
        worst: Value taken for the worst picture; what lies beyond is set to it.
        best: Value of a picture compared with itself; what lies beyond is set to it.
        colour: Whether it reads colour.
    """

    title: str
    function: str
    worst: float
    best: float
    colour: bool

    @property
    def sign(self) -> int:
        """1 where higher is better, -1 where lower is better."""
        return 1 if self.best > self.worst else -1


METRICS: dict[str, Metric] = {
    "haarpsi": Metric("HaarPSI", "haarpsi", 0.0, 1.0, colour=True),
    "mdsi": Metric("MDSI", "mdsi", 1.0, 0.0, colour=True),
    "vsi": Metric("VSI", "vsi", 0.0, 1.0, colour=True),
    "fsimc": Metric("FSIMc", "fsim", 0.0, 1.0, colour=True),
    "dss": Metric("DSS", "dss", 0.0, 1.0, colour=False),
}

#: What a picture scores against itself.
IDENTICAL: dict[str, float] = {name: metric.best for name, metric in METRICS.items()}


class Reference:
    """A reference picture, ready to be compared with distorted copies of it.

    Args:
        image: RGB [H, W, 3], uint8, both sides from `MIN_SIDE`.

    Raises:
        MetricsError: piq is not installed.
        ImageError: The picture is too small.
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self._functions = _functions()
        height, width = image.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise ImageError(
                f"{width}x{height} pixels is too small: both sides must have at least {MIN_SIDE}"
            )
        self._reference = _tensor(image)

    def compare(self, image: NDArray[np.uint8]) -> dict[str, float]:
        """Compare a distorted copy with the reference.

        Args:
            image: RGB [H, W, 3], uint8, of the reference's size.

        Returns:
            Value of each of `METRICS`, between its worst and its best, to `DECIMALS` decimals. With one
            thread of torch (`single_thread`) the same pictures always give the same values.

        Raises:
            ValueError: Of another size.
            ImageError: A metric is not defined on these pictures.
        """
        distorted = _tensor(image)
        if distorted.shape != self._reference.shape:
            raise ValueError(f"cannot compare {list(image.shape)} with {list(self._reference.shape)}")
        values = {}
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # piq calls functions of torch whose defaults are to change
            for name, metric in METRICS.items():
                value = float(self._functions[name](distorted, self._reference))
                if not np.isfinite(value):
                    raise ImageError(f"{metric.title} is not defined on it")
                low, high = sorted((metric.worst, metric.best))
                values[name] = round(min(max(value, low), high), DECIMALS)
        return values

    def fidelity(self, image: NDArray[np.uint8]) -> dict[str, float]:
        """Compare a copy with the reference pixel by pixel.

        Args:
            image: RGB [H, W, 3], uint8, of the reference's size.

        Returns:
            Value of each of `FIDELITY`, to `DECIMALS` decimals.

        Raises:
            ValueError: Of another size.
        """
        import piq

        copy = _tensor(image)
        if copy.shape != self._reference.shape:
            raise ValueError(f"cannot compare {list(image.shape)} with {list(self._reference.shape)}")
        with torch.inference_mode():
            psnr = piq.psnr(copy, self._reference)
            ssim = piq.ssim(copy, self._reference, downsample=False)
        return {"psnr": round(float(psnr), DECIMALS), "ssim": round(float(ssim), DECIMALS)}


@contextmanager
def single_thread() -> Iterator[None]:
    """Within it torch and OpenCV use one thread: sums do not depend on the machine, and several processes do
    not fight for its cores."""
    import cv2

    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def library_version() -> str:
    """Version of piq.

    Raises:
        MetricsError: It is not installed.
    """
    try:
        return metadata.version("piq")
    except metadata.PackageNotFoundError:
        raise _missing() from None


def _functions() -> dict[str, Callable[[Tensor, Tensor], Any]]:
    try:
        import piq
    except ImportError:
        raise _missing() from None
    return {name: getattr(piq, metric.function) for name, metric in METRICS.items()}


def _missing() -> MetricsError:
    return MetricsError(
        "the full-reference metrics are not installed",
        hint="pip install 'iqa-cli[synth]' (or pip install piq)",
    )


def _tensor(image: NDArray[np.uint8]) -> Tensor:
    """[H, W, 3] uint8 to [1, 3, H, W] in 0 to 1."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a picture is uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
    scaled = image.astype(np.float32) / np.float32(255)
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)))[None]
