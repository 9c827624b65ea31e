"""From the masks of a point-prompted network to regions in an order that does not depend on the network."""

from __future__ import annotations

import numpy as np

from som_agent.regions import BoolArray, FloatArray, Regions

__all__ = ["regions_of_masks"]


def regions_of_masks(masks: BoolArray, scores: FloatArray) -> Regions:
    """Regions of proposed masks, largest first, equals by their first pixel in raster order; no empty ones.

    Args:
        masks: `[N, h, w] bool`; they may overlap.
        scores: the network's own estimate of each mask's IoU, `[N] float32`; cut to 0 to 1.
    """
    n, h, w = masks.shape
    flat = masks.reshape(n, h * w)
    areas = flat.sum(axis=1)
    first = flat.argmax(axis=1)
    order = np.lexsort((first, -areas))
    order = order[areas[order] > 0]
    if len(order) == 0:
        return Regions.from_labels(np.zeros((h, w), np.int32))
    # An estimate is a regression's output: it may leave the range, or be no number at all.
    clean = np.nan_to_num(scores[order].astype(np.float32), nan=0.0).clip(0, 1)
    return Regions.from_masks(masks[order], scores=clean)
