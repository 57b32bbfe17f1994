"""The distortion of a picture, from what the distortion-aware branch says of its crops: plain NumPy. Our own.

The head on the branch (`iqa_cli.networks.distortion_head`) gives, of each crop, a probability of "pristine"
and of every type, and for every type its expected level. Crops at full resolution count alone where there are
any: a reduced view hides blur, noise and compression, and has sharpness of its own.

The head was fitted to as many undistorted crops as crops of each type (`iqa pretrain dan` and `iqa refit`
draw them so), 1 to T against "pristine"; of what is scored much is undistorted. So the means over the crops
are taken over to the case that half of all pictures are, as Saerens, Latinne and Decaestecker (Neural
Computation 14:21, 2002) do it with the probabilities of one classifier. That it is half, and of means, is our
choice.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iqa_cli.prediction import PRISTINE

#: Probability among the types, given that it is one of them, below which none is named.
LEAST_PROBABILITY = 0.5


def name_distortion(
    said: npt.NDArray[np.float64], full_resolution: npt.NDArray[np.bool_], names: tuple[str, ...]
) -> tuple[str | None, int | None]:
    """Name the distortion of a picture.

    Args:
        said: [N, 1 + 2 T]: of each crop the probability of "pristine", those of the T types, and the T
            expected levels, 1 to 5.
        full_resolution: [N] whether a crop shows the picture's own pixels.
        names: The T types.

    Returns:
        Its name and level (1 to 5): ("pristine", None) where none is the likelier, (None, None) where one is
        seen and no type likely enough.

    Raises:
        ValueError: There are no crops, or `said` has another width.
    """
    if said.ndim != 2 or len(said) == 0 or said.shape[1] != 1 + 2 * len(names):
        raise ValueError(f"expected [N, {1 + 2 * len(names)}] with N above 0, not {list(said.shape)}")
    counted = said[full_resolution] if full_resolution.any() else said
    pristine, *each = counted[:, : 1 + len(names)].mean(0)
    types = np.array(each)
    if not np.isfinite(pristine + types.sum()):
        return None, None
    if len(names) * pristine >= types.sum():
        return PRISTINE, None
    best = int(types.argmax())
    if not types[best] >= LEAST_PROBABILITY * types.sum():
        return None, None
    # Crops that see something else say nothing of this one's level.
    shares, levels = counted[:, 1 + best], counted[:, 1 + len(names) + best]
    return names[best], int(np.clip(np.rint(shares @ levels / shares.sum()), 1, 5))
