"""The losses of training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.training.config import TrainConfig
from iqa_cli.training.crops import Batch
from iqa_cli.training.devices import autocast
from iqa_cli.training.mixture import Kind

#: Difference of scores that counts as one standard deviation of opinions at the start of a part that has only
#: an order: a tenth of the scale.
_FIRST_DEVIATION = 0.1
#: Two crops are always on a line.
_LEAST_CORRELATED = 3
#: Deviation that the scores of a batch are taken to have at least, of a scale of 1.
_FLOOR = 0.001


def opinion_loss(scores: Tensor, mos: Tensor) -> Tensor:
    """L1 between scores [N] and MOS [N], both on the 0 to 1 scale."""
    return F.l1_loss(scores, mos)


def ranking_loss(better: Tensor, worse: Tensor, margin: Tensor) -> Tensor:
    """Hinge: mean of max(0, margin - (better - worse)) over pairs of scores [N]; 0 where there is no pair."""
    if better.numel() == 0:
        return better.new_zeros(())
    return torch.relu(margin - (better - worse)).mean()


def fidelity_loss(scores: Tensor, opinions: Tensor, scale: Tensor) -> Tensor:
    """Pairwise ranking of pictures whose opinions have only an order.

    With p = Phi(scale (s_i - s_j) / sqrt 2), the probability of Thurstone's case V that picture i is judged
    better, and p* = 1 where its opinion is higher: mean over all pairs of different opinions of
    1 - sqrt(p* p) - sqrt((1 - p*) (1 - p)). Fidelity loss: Tsai et al., FRank, SIGIR 2007; for quality over
    several databases: Zhang et al., UNIQUE, IEEE TIP 30:3474, 2021 (arXiv 2005.13983), which predicts a
    deviation for each picture where we learn one scale for each database, and takes p* from the deviation
    of the opinions where we take the order alone.

    Args:
        scores: [N], of one database.
        opinions: [N], higher is better; only their order counts.
        scale: Scalar above 0.

    Returns:
        A scalar, 0 to 1; 0 where no two opinions differ.
    """
    better, worse = (opinions[:, None] > opinions[None, :]).nonzero(as_tuple=True)
    if better.numel() == 0:
        return (scores * 0).sum() * scale
    p = torch.special.ndtr(scale * (scores[better] - scores[worse]) / math.sqrt(2))
    # The gradient of the root has no limit at 0.
    return (1 - (p + 1e-8).sqrt()).mean()


def correlation_loss(scores: Tensor, mos: Tensor) -> Tensor:
    """1 - PLCC of a batch: 0 for a line that rises, 2 for one that falls.

    The correlation as a training loss is common in the field (FAST-VQA and others have it beside a ranking
    loss); that the deviation of the scores has a floor is ours: it bounds the gradient where a network says
    nearly the same of all.

    Args:
        scores: [N].
        mos: [N], any scale, higher is better.

    Returns:
        A scalar; 0, with a gradient of 0, where fewer than `_LEAST_CORRELATED` crops or equal opinions leave
        no correlation.
    """
    if len(scores) < _LEAST_CORRELATED or bool((mos == mos[0]).all()):
        return scores.sum() * 0
    x, y = scores - scores.mean(), mos - mos.mean()
    return 1 - (x * y).mean() / ((x.square().mean() + _FLOOR**2) * y.square().mean()).sqrt()


class ScoreMap(nn.Module):
    """What lies between the network's score and the opinions of another database than the anchor.

    For MOS, scale * score + offset; for an order the scale of `fidelity_loss`. The scale is positive, so that
    no database can turn the score round. Our own choice; the specification says only that each has its own
    learnt affine map.
    """

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        first = 1.0 if kind == "mos" else 1 / _FIRST_DEVIATION
        self.log_scale = nn.Parameter(torch.tensor(math.log(first)))
        self.offset = nn.Parameter(torch.zeros(())) if kind == "mos" else None

    def scale(self) -> Tensor:
        """The scale, above 0."""
        return self.log_scale.exp()

    def forward(self, scores: Tensor) -> Tensor:
        """Scores [N] brought to the MOS of the database."""
        scaled = self.scale() * scores
        return scaled if self.offset is None else scaled + self.offset

    def values(self) -> list[float]:
        """Scale and, for MOS, offset."""
        found = [float(self.scale().detach())]
        return found if self.offset is None else [*found, float(self.offset.detach())]


class StepLosses(nn.Module):
    """Network and losses of a step in one module, which is what several processes train together.

    Three things a network may bring itself, each of which takes the place of what is done for all others:
    `forward_with_opinions(rgb [N, 3, H, W], mos [N])`, called instead of `forward_with_auxiliary`, with NaN
    for crops of which the anchor has no opinion (distorted copies, pictures of other databases, pictures that
    a teacher scored); `opinion_loss(scores, mos)` instead of L1; `distillation_loss(scores, taught)`, the
    same against a teacher's scores, instead of L1.

    Args:
        config: The settings.
        network: The network.
        mos: [P] opinions of all pictures, 0 to 1, higher is better.
        precision: dtype of autocast; float32 turns it off.
        part: [P] database of each picture: 0 the anchor of the scale, d the one of kinds[d - 1].
        kinds: "mos" or "order" for each further database.
        rank_weight: Weight of the ranking loss, where it is not that of the settings.
        teacher_mask: bool [P], which of the opinions are a teacher's scores of unlabelled pictures. Whatever
            their part, they enter the distillation loss (and the ranking loss, by their distorted copies)
            alone. None where there is no teacher.
    """

    mos: Tensor
    part: Tensor
    taught: Tensor

    def __init__(
        self,
        config: TrainConfig,
        network: nn.Module,
        mos: Tensor,
        precision: torch.dtype,
        part: Tensor | None = None,
        kinds: Sequence[Kind] = (),
        rank_weight: float | None = None,
        teacher_mask: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.config, self.network, self.precision, self.kinds = config, network, precision, tuple(kinds)
        self.rank_weight = config.rank_weight if rank_weight is None else rank_weight
        self.maps = nn.ModuleList(ScoreMap(kind) for kind in kinds)
        self.register_buffer("mos", mos, persistent=False)
        self.register_buffer("part", torch.zeros(0) if part is None else part, persistent=False)
        no_teacher = torch.zeros(0, dtype=torch.bool)
        self.register_buffer("taught", no_teacher if teacher_mask is None else teacher_mask, persistent=False)
        further = {
            "order": "order" in kinds,
            "distillation": len(self.taught) > 0,
            "correlation": config.correlation_weight > 0,
        }
        #: What the losses of a step are called, in their order.
        self.names = ("opinion", "auxiliary", "ranking", *(name for name, asked in further.items() if asked))
        self._opinion_loss = getattr(network, "opinion_loss", opinion_loss)
        self._distillation_loss = getattr(network, "distillation_loss", opinion_loss)

    def map_values(self, names: Sequence[str]) -> dict[str, list[float]]:
        """Scale and offset of each further database, by the names given."""
        found = [score_map.values() for score_map in self.maps if isinstance(score_map, ScoreMap)]
        return dict(zip(names, found, strict=True))

    def forward(self, batch: Batch) -> list[Tensor]:
        """Opinion, auxiliary and weighted ranking loss of one step, and where they are asked for the loss of
        the order, of the distillation and of the correlation; scalars, named by `names`."""
        device = self.mos.device
        rgb = batch.rgb.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
        distorted = torch.from_numpy(batch.pair >= 0).to(device)
        index, pair = (torch.from_numpy(values).to(device) for values in (batch.index, batch.pair))
        with autocast(device, self.precision):
            scores, auxiliary = self._computed(rgb, index, distorted)
        scores = scores.float()
        levels = batch.level if batch.share is None else batch.level * batch.share
        margin = self.config.rank_margin * torch.from_numpy(levels).float().to(device)[distorted]
        clean, shown = scores[~distorted], index[~distorted]
        distillation = []
        if len(self.taught):
            its = self.taught[shown]
            found = _or_zero(self._distillation_loss, clean[its], self.mos[shown[its]])
            distillation = [self.config.teacher_weight * found]
            clean, shown = clean[~its], shown[~its]
        if self.kinds:
            opinion, *order = self._of_databases(clean, self.mos[shown], self.part[shown])
        else:
            opinion, order = _or_zero(self._opinion_loss, clean, self.mos[shown]), []
        # The clean crop is held: pairs must not be told apart by praising the better one.
        ranking = ranking_loss(scores[pair[distorted]].detach(), scores[distorted], margin)
        correlation = []
        if self.config.correlation_weight:
            correlation = [self.config.correlation_weight * self._correlation(clean, shown)]
        return [
            opinion,
            auxiliary.float(),
            self.rank_weight * ranking,
            *order,
            *distillation,
            *correlation,
        ]

    def _computed(self, rgb: Tensor, index: Tensor, distorted: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [N] and auxiliary loss of crops [N, 3, S, S] of the pictures `index` [N]."""
        network: Any = self.network
        if not hasattr(network, "forward_with_opinions"):
            return network.forward_with_auxiliary(rgb)
        without = distorted
        if len(self.taught):
            without = without | self.taught[index]
        if self.kinds:  # opinions on another scale cannot be compared
            without = without | (self.part[index] > 0)
        return network.forward_with_opinions(rgb, self.mos[index].masked_fill(without, torch.nan))

    def _correlation(self, scores: Tensor, index: Tensor) -> Tensor:
        """Correlation loss of the crops [N] of the pictures `index` [N], each database by its share of them;
        of an order alone there is none, and a map of the scale changes nothing."""
        found, mos, part = scores.sum() * 0, self.mos[index], self.part[index] if self.kinds else index * 0
        for d in [0, *(d for d, kind in enumerate(self.kinds, 1) if kind == "mos")]:
            its = part == d
            if its.any():
                found = found + its.float().mean() * correlation_loss(scores[its], mos[its])
        return found

    def _of_databases(self, scores: Tensor, mos: Tensor, part: Tensor) -> list[Tensor]:
        """Opinion loss and, where a database has only an order, order loss; each database counts by its
        share of the batch."""
        sums = {"mos": scores.new_zeros(()), "order": scores.new_zeros(())}
        for d in range(len(self.kinds) + 1):
            its = part == d
            share = its.float().mean() if len(its) else scores.sum()
            if d == 0:
                sums["mos"] = sums["mos"] + share * _or_zero(self._opinion_loss, scores[its], mos[its])
                continue
            kind, score_map = self.kinds[d - 1], self.maps[d - 1]
            assert isinstance(score_map, ScoreMap)
            if kind == "mos":
                found = _or_zero(self._opinion_loss, score_map(scores[its]), mos[its])
            else:
                found = fidelity_loss(scores[its], mos[its], score_map.scale())
            sums[kind] = sums[kind] + share * found
        return [sums["mos"], *([sums["order"]] if "order" in self.kinds else [])]


def _or_zero(loss: Callable[[Tensor, Tensor], Tensor], scores: Tensor, opinions: Tensor) -> Tensor:
    """A loss that is a mean; 0, with a gradient of 0, where there is nothing to take it of."""
    return loss(scores, opinions) if len(scores) else scores.sum()
