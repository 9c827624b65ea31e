"""Objects that lie on one another: which is a part of which, and whose a pixel is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from som_agent.regions import BoolArray

__all__ = ["inside", "own_pixels"]

PART_SHARE = 0.8
"""Share of an object's pixels from which it is a part of what they lie in."""


def inside(shared: int, part: int) -> bool:
    """Whether an object of `part` pixels, of which it shares some with another, lies in it but for a rim."""
    return shared >= PART_SHARE * part


def own_pixels(masks: Mapping[int, BoolArray]) -> dict[int, BoolArray]:
    """Masks without their overlaps: each pixel goes to the smallest; of two of one size to the later one.

    Args:
        masks: `[h, w] bool` each, of one size.

    Returns:
        The same keys, smallest first; a mask that smaller ones cover is empty.
    """
    rank = {key: (np.count_nonzero(mask), -place) for place, (key, mask) in enumerate(masks.items())}
    order = sorted(masks, key=rank.__getitem__)
    taken: BoolArray | None = None
    own: dict[int, BoolArray] = {}
    for key in order:
        own[key] = masks[key] if taken is None else masks[key] & ~taken
        taken = masks[key] if taken is None else taken | masks[key]
    return own
