"""What the scores of a network mean, settled on labelled pictures that it was not fitted to: the share of
the glance in a score, the calibration map, and the interval of a score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import nn

from iqa_cli.calibration import Calibration
from iqa_cli.datasets.record import ImageRecord
from iqa_cli.evaluation.conformal import LEAST_GROUPS, Known, Mask, fit_interval
from iqa_cli.evaluation.correlation import Floats, agreement
from iqa_cli.evaluation.folds import Ints
from iqa_cli.images.policy import SizePolicy
from iqa_cli.interval import Interval
from iqa_cli.scoring.device import exact_arithmetic
from iqa_cli.scoring.pooling import pool
from iqa_cli.text import count
from iqa_cli.training.calibrate import Chosen, choose_calibration, fit_calibration, fit_isotonic
from iqa_cli.training.shares import choose_glance_weight
from iqa_cli.training.validate import Looked, Told, look, pooled_raw

#: What is settled, in the words of a card.
SETTLED = "share of the glance, calibration, interval"
#: And in those of cards from when the share of the native crops was chosen too.
SETTLED_BEFORE = "shares of the native crops and of the glance, calibration, interval"
#: What is fitted by `iqa ridge`, in the words of a card.
RIDGE_USE = "the kernel ridge"
#: Behind the use of the pictures whose opinions `percentiles_of` was asked for.
PERCENTILES_ARE = "percentiles are of these pictures' opinion scores"
_PERCENTILES = (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99)


@dataclass(frozen=True)
class Settled:
    """What the scores of a network mean.

    Attributes:
        policy: The size policy with its shares.
        calibration: The map from outputs to points.
        interval: The interval of a score; None where there are too few groups of pictures.
        srcc: Of the pooled outputs and the opinions.
        shares: Name of a share -> share tried -> SRCC; empty where they were given.
        remarks: Sentences for the card and the log: what could not be fitted.
    """

    policy: SizePolicy
    calibration: Chosen
    interval: Interval | None
    srcc: float
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def output(self, fitted_to: str) -> dict[str, Any]:
        """Fields of a card's `output`.

        Args:
            fitted_to: The labelled pictures, in words.
        """
        values: dict[str, Any] = {"calibration": self.calibration.values}
        if self.interval is not None:
            values["interval"] = {**self.interval.to_dict(), "fitted_to": fitted_to}
        return values

    def figures(self) -> dict[str, Any]:
        """What a card's entry on the labelled pictures tells of the choices."""
        shares = {f"{name}_srcc": dict(tried) for name, tried in self.shares.items()}
        rmse = {"calibration_rmse": self.calibration.rmse} if self.calibration.rmse else {}
        return {"srcc": round(self.srcc, 4), **shares, **rmse}


def settle(
    network: nn.Module,
    records: Sequence[ImageRecord],
    policy: SizePolicy,
    log: Callable[[str], None],
    *,
    start: Mapping[str, Any] | None = None,
    keep: Mapping[str, Any] | None = None,
    looked: Sequence[Looked] | None = None,
    progress: Told | None = None,
) -> Settled:
    """Choose the share of the glance, the map and the interval.

    Args:
        network: In evaluation mode.
        records: Labelled pictures to which it was not fitted.
        policy: Size policy; where `keep` is given, with the shares that stay.
        log: Takes a line now and then.
        start: Calibration of a weight from which this one starts.
        keep: Calibration that stays, so that every score does; only the interval is fitted.
        looked: What the network says of the pictures, where that is known already; by the policy of
            `glancing` where the share of the glance is to be chosen.
        progress: Told how far it is.

    Raises:
        ImageError: A picture cannot be read.
        ValueError: There are fewer than three pictures, or all have one opinion or one output.
    """
    shares: dict[str, dict[str, float]] = {}
    log("choosing the share of the glance, calibrating" if keep is None else "fitting the interval")
    seen = glancing(policy) if keep is None else policy
    # As scoring computes it, on a GPU too: in float32.
    if looked is None:
        with exact_arithmetic(next(network.parameters()).device):
            looked = look(network, [r.path for r in records], seen, progress=progress)
    mos = np.array([r.mos for r in records])
    if keep is None:
        glance, shares["glance_weight"] = choose_glance_weight(looked, mos, policy)
        policy = replace(policy, glance_weight=glance)
        looked = [one.with_glance(glance) for one in looked]
    raw = np.array([pooled_raw(one) for one in looked])
    groups = np.unique([r.group for r in records], return_inverse=True)[1]
    srcc = agreement(raw, mos).srcc
    chosen = Chosen(dict(keep), None) if keep is not None else choose_calibration(raw, mos, groups, start)
    interval = _interval(looked, raw, mos, groups, chosen, start, given=keep is not None)
    remarks = [chosen.remark] if chosen.remark is not None else []
    if interval is None:
        few = count(len(np.unique(groups)), "group")
        remarks.append(f"no interval: {few} of labelled pictures, and {LEAST_GROUPS} would do")
    for remark in remarks:
        log(remark)
    return Settled(policy, chosen, interval, srcc, shares, tuple(remarks))


def glancing(policy: SizePolicy) -> SizePolicy:
    """The policy by which pictures are looked at before the share of their glance is chosen: with one."""
    return replace(policy, glance_weight=0.5)


def scale_of(database: str) -> str:
    """What 0 and 100 points stand for, in the words of a card."""
    return f"100 x MOS of {database}, scaled to 0 to 1"


def percentiles_of(records: Sequence[ImageRecord]) -> dict[str, float]:
    """Percentiles of the opinions of pictures in points, for a card."""
    found = np.percentile([100 * r.mos for r in records], _PERCENTILES)
    return {str(p): round(float(value), 2) for p, value in zip(_PERCENTILES, found, strict=True)}


def _interval(
    looked: Sequence[Looked],
    raw: Floats,
    mos: Floats,
    groups: Ints,
    chosen: Chosen,
    start: Mapping[str, Any] | None,
    *,
    given: bool,
) -> Interval | None:
    """The interval; where the map was fitted to these very pictures, by maps that were not."""

    def known(used: Mask) -> Known:
        if given:
            return _known(looked, chosen.values)
        if chosen.values["kind"] == "isotonic":
            return _known(looked, fit_isotonic(raw[used], mos[used]))
        return _known(looked, fit_calibration(raw[used], mos[used], start)[0])

    return fit_interval(known, 100 * mos, groups)


def _known(looked: Sequence[Looked], calibration: Mapping[str, Any]) -> Known:
    calibrate = Calibration.from_dict(dict(calibration))
    pooled = [pool(one.crops, calibrate) for one in looked]
    return Known(
        np.array([p.score for p in pooled]),
        {
            "spread": np.array([p.spread for p in pooled]),
            "crops": np.array([float(p.crops) for p in pooled]),
            "side": np.sqrt([float(one.width * one.height) for one in looked]),
        },
    )
