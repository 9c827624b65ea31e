"""J and F of DAVIS: how well a mask fits the true one, by its area and by its outline."""

from __future__ import annotations

import math

import cv2
import numpy as np

from som_agent.regions import BoolArray

__all__ = ["BOUND_SHARE", "bound_px", "boundary", "contour_accuracy", "region_similarity"]

BOUND_SHARE = 0.008
"""How far outlines may lie apart and still agree, as a share of the picture's diagonal."""


def region_similarity(mask: BoolArray, truth: BoolArray) -> float:
    """J of Perazzi et al. (CVPR 2016): intersection over union of `[h, w] bool`; 1 if both are empty."""
    union = int(np.count_nonzero(mask | truth))
    return int(np.count_nonzero(mask & truth)) / union if union else 1.0


def contour_accuracy(mask: BoolArray, truth: BoolArray) -> float:
    """F of Perazzi et al. (CVPR 2016): the harmonic mean of the precision and recall of a mask's outline.

    A point of one outline is right if the other one passes within `bound_px` of it, as in the evaluation code
    of DAVIS 2017.

    Args:
        mask: what was found, `[h, w] bool`.
        truth: what is there, of the same size.

    Returns:
        0 to 1; 1 if neither has an outline, 0 if only one has.
    """
    reach = bound_px(mask.shape)
    box = _crop(mask | truth, reach)
    found, true = boundary(mask)[box], boundary(truth)[box]
    if not found.any() or not true.any():
        return float(found.any() == true.any())
    precision = _share_near(found, true, reach)
    recall = _share_near(true, found, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def bound_px(shape: tuple[int, ...]) -> int:
    """Radius in pixels of the disk within which outlines agree, for a picture of height and width `shape`."""
    return math.ceil(BOUND_SHARE * math.hypot(*shape))


def boundary(mask: BoolArray) -> BoolArray:
    """The outline of a mask `[h, w] bool`, one pixel wide, on the upper and left side of each change.

    What touches the picture's border has no outline there.
    """
    below = np.vstack([mask[1:], mask[-1:]])
    right, corner = (np.hstack([part[:, 1:], part[:, -1:]]) for part in (mask, below))
    return (mask ^ right) | (mask ^ below) | (mask ^ corner)


def _crop(mask: BoolArray, margin: int) -> tuple[slice, slice]:
    """Where the pixels of a mask are, with a margin; outlines reach one pixel beyond."""
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    return (
        slice(max(y - margin - 1, 0), y + h + margin + 1),
        slice(max(x - margin - 1, 0), x + w + margin + 1),
    )


def _share_near(points: BoolArray, line: BoolArray, reach: int) -> float:
    """Which share of the points has the line within reach: exact distances, so that a disk is a disk."""
    distance = cv2.distanceTransform((~line).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Distances are square roots of whole numbers; half a thousandth is below the next one.
    return float(np.count_nonzero(distance[points] <= reach + 5e-4) / np.count_nonzero(points))
