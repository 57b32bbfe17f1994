"""Fits a `KernelRidge`: penalised least squares on landmarks, along the directions that it varies in.

Our own. A first ridge on many principal components says in which directions the opinions vary (the mean
outer product of its gradients: Radhakrishnan and others, Science 383:1461, 2024); a few of these, scaled by
how much, are what the second one is fitted in. That is fewer numbers to ship, and follows held-out opinions
better (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from iqa_cli.networks.kernel_ridge import KernelRidge, kernel
from iqa_cli.training.dan_heads import LEAST_SPREAD

#: Principal components that the first ridge is fitted in, each scaled by its deviation to the power -1/2.
FIRST_COMPONENTS = 384
#: The scale of a direction is its share in the squared gradients to this power.
POWER = 0.15
#: Weight of the squared norm of the function, in squared errors of as many pictures.
PENALTY, PENALTY_PICTURES = 0.1, 7000
_MEANS_ROUNDS, _BLOCK, _SAMPLE = 6, 2048, 2000


@dataclass(frozen=True)
class Opinions:
    """Crops with opinions.

    Attributes:
        features: [n, F] as `KernelRidge.features` gives them.
        targets: [n] MOS, 0 to 1.
    """

    features: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Synthetic:
    """Crops of distorted copies, whose opinion is not known: the ridge's own score of the undistorted one
    times the pseudo-MOS is what stands for it.

    Attributes:
        features: [n, F].
        reference: [n] position of the undistorted crop among these.
        pseudo_mos: [n], 0 to 1, 1 for an undistorted crop.
        weight: Of one of them beside a crop with an opinion.
    """

    features: Tensor
    reference: Tensor
    pseudo_mos: Tensor
    weight: float


def fit_ridge(
    ridge: KernelRidge,
    opinions: Opinions,
    synthetic: Synthetic | None,
    seed: int,
    log: Callable[[str], None] = lambda line: None,
) -> None:
    """Fill a ridge.

    Args:
        ridge: Of the size that it should have; its trunk, where it has one, stays.
        opinions: Crops with opinions.
        synthetic: Distorted crops, or None.
        seed: Of the draw of the first landmarks.
        log: Takes a line now and then.

    Raises:
        ValueError: There are fewer crops than landmarks, or fewer than components.
    """
    n, (landmarks, components) = len(opinions.targets), ridge.landmarks.shape
    most = min(n - 1, opinions.features.shape[1], FIRST_COMPONENTS)
    if n < landmarks or most < components:
        raise ValueError(
            f"{n} crops with opinions are too few for {landmarks} landmarks and {components} components"
        )
    draw = torch.Generator().manual_seed(seed)
    spread = opinions.features.std(0)
    ridge.mean.copy_(opinions.features.mean(0))
    ridge.gain.copy_(1 / spread.clamp(min=LEAST_SPREAD * float(spread.mean())))
    standard = ridge.standard(opinions.features)
    first_axes = _principal(standard, most)
    places = standard @ first_axes.T
    targets, weights = opinions.targets, torch.ones(n)
    log("a first ridge, for the directions")
    first = _Function.fit(places, targets, weights, landmarks, draw)
    if synthetic is not None:
        more = ridge.standard(synthetic.features)
        standard = torch.cat([standard, more])
        more = more @ first_axes.T
        taught = first(more[synthetic.reference]) * synthetic.pseudo_mos
        places, targets = torch.cat([places, more]), torch.cat([targets, taught])
        weights = torch.cat([weights, torch.full((len(taught),), synthetic.weight)])
        first = _Function.fit(places, targets, weights, landmarks, draw)
    # Rounded as they are stored, so that what is fitted behind them fits them.
    axes = (first.directions(places, components).T @ first_axes).half().float()
    log("the ridge in these directions")
    second = _Function.fit(standard @ axes.T, targets, weights, landmarks, draw, half=True)
    ridge.axes.copy_(axes)
    ridge.landmarks.copy_(second.landmarks)
    ridge.values.copy_(second.values)
    ridge.offset.fill_(second.offset)
    ridge.width.fill_(second.width)


def _principal(standard: Tensor, components: int) -> Tensor:
    """[C, F]: the first principal axes of standardised features, each over the root of its deviation."""
    centred = standard - standard.mean(0)
    if len(centred) < centred.shape[1]:
        _, roots, rows = torch.linalg.svd(centred.double(), full_matrices=False)
        values, vectors = roots.square() / len(centred), rows.T
    else:
        values, vectors = torch.linalg.eigh((centred.T @ centred / len(centred)).double())
        values, vectors = values.flip(0), vectors.flip(1)
    values, vectors = values[:components], vectors[:, :components]
    least = float(values[0]) * 1e-9  # of fewer pictures than components
    return (vectors / values.clamp(min=least) ** 0.25).T.float()


@dataclass(frozen=True)
class _Function:
    """sum_j values_j exp(-|z - landmarks_j|^2 / width) + offset."""

    landmarks: Tensor
    values: Tensor
    width: float
    offset: float

    @classmethod
    def fit(
        cls,
        places: Tensor,
        targets: Tensor,
        weights: Tensor,
        landmarks: int,
        draw: torch.Generator,
        half: bool = False,
    ) -> _Function:
        """Least squares with a penalty on the squared norm.

        Args:
            places: z of the crops [n, C].
            targets, weights: [n].
            landmarks: Number of them; they are the means of that many clusters.
            draw: Source of chance.
            half: Whether landmarks are rounded to half precision.
        """
        chosen = _clusters(places, landmarks, draw)
        if half:
            chosen = chosen.half().float()
        some = places[torch.randperm(len(places), generator=draw)[:_SAMPLE]]
        width = float(torch.cdist(some, some).square().median().clamp(min=1e-6))
        offset = float((targets * weights).sum() / weights.sum())
        squares = torch.zeros(landmarks, landmarks, dtype=torch.float64)
        right = torch.zeros(landmarks, dtype=torch.float64)
        for i in range(0, len(places), _BLOCK):
            block = slice(i, i + _BLOCK)
            seen = kernel(places[block], chosen, width).double()
            weighted = (seen * weights[block, None]).T
            squares += weighted @ seen
            right += weighted @ (targets[block] - offset).double()
        norm = kernel(chosen, chosen, width).double()
        penalty = PENALTY * float(weights.sum()) / PENALTY_PICTURES
        # The last term keeps equal landmarks apart.
        apart = 1e-6 * float(squares.diagonal().mean()) * torch.eye(landmarks, dtype=torch.float64)
        values = torch.linalg.solve(squares + penalty * norm + apart, right).float()
        return cls(chosen, values, width, offset)

    def __call__(self, places: Tensor) -> Tensor:
        return kernel(places, self.landmarks, self.width) @ self.values + self.offset

    def directions(self, places: Tensor, number: int) -> Tensor:
        """[C, number]: eigenvectors of the mean outer product of the gradients at these places, the greatest
        first, each times its share of the first's eigenvalue to the power `POWER`."""
        product = torch.zeros(places.shape[1], places.shape[1])
        for i in range(0, len(places), _BLOCK):
            z = places[i : i + _BLOCK]
            pulls = kernel(z, self.landmarks, self.width) * self.values
            gradients = -2 / self.width * (z * pulls.sum(1, keepdim=True) - pulls @ self.landmarks)
            product += gradients.T @ gradients
        values, vectors = torch.linalg.eigh(product.double())
        values, vectors = values.flip(0)[:number].clamp(min=0), vectors.flip(1)[:, :number]
        return (vectors * (values / values[0].clamp(min=1e-30)) ** POWER).float()


def _clusters(places: Tensor, number: int, draw: torch.Generator) -> Tensor:
    """Means of clusters [number, C], by a few rounds of k-means from places drawn by chance."""
    means = places[torch.randperm(len(places), generator=draw)[:number]]
    for _ in range(_MEANS_ROUNDS):
        nearest = torch.cat([torch.cdist(block, means).argmin(1) for block in places.split(_BLOCK)])
        counts = torch.bincount(nearest, minlength=number).float()
        sums = torch.zeros_like(means).index_add_(0, nearest, places)
        means = torch.where((counts > 0)[:, None], sums / counts.clamp(min=1)[:, None], means)
    return means
