"""Which region of a hierarchy a prompt points at; no network is asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.segmenters.prompts import Prompt

__all__ = ["best_region"]

_MOSTLY = 0.5
"""One region stands for several points where their own regions make up more than this share of it."""


def best_region(regions: Regions, prompt: Prompt) -> BoolArray:
    """The mask that fits a prompt best, `[h, w] bool`.

    A box takes, of the regions of all levels that hold the points on the thing and none off it, the one whose
    own box has the highest IoU with it. Without a box, each point on the thing stands for the region that was
    proposed there, or for the largest part of that which holds no point off the thing. Several points take
    the smallest region that holds them all, where theirs are most of it, and else the union of theirs.

    Args:
        regions: of one frame.
        prompt: inside that frame.
    """
    fits = np.ones(len(regions), bool)
    for point in prompt.on:
        fits &= _holding(regions, point)
    for point in prompt.off:
        fits &= ~_holding(regions, point)
    if prompt.box is not None and fits.any():
        return regions.mask(int(np.where(fits, _box_iou(regions, prompt.box), -1).argmax()))
    parts = np.zeros(regions.members.shape[1], bool)
    for point in prompt.on:
        parts |= _part(regions, point, prompt.off)
    share = (parts @ regions.atom_areas) / np.maximum(regions.areas, 1)
    whole = fits & (share <= 1)
    if whole.any():
        smallest = int(np.where(whole, share, -1).argmax())
        if share[smallest] > _MOSTLY:
            return regions.mask(smallest)
    return _without(parts[regions.atoms], prompt)


def _holding(regions: Regions, point: Sequence[float]) -> BoolArray:
    """Which regions hold a point, `[N] bool`."""
    holding: BoolArray = regions.members[:, regions.atoms[int(point[1]), int(point[0])]]
    return holding


def _part(regions: Regions, point: Sequence[float], off: Sequence[Sequence[float]]) -> BoolArray:
    """The atoms of what one point on the thing stands for, `[A + 1] bool`."""
    holding, areas = _holding(regions, point), regions.areas
    if not holding.any():
        return np.zeros(regions.members.shape[1], bool)
    proposed = holding & regions.proposed
    if proposed.any():
        limit = areas[proposed].max()
    else:  # a speck, too small to be proposed: what holds it and could be
        least = areas[regions.proposed].min(initial=areas[holding].max())
        limit = areas[holding & (areas >= least)].min()
    clean = holding & (areas <= limit)
    for other in off:
        clean &= ~_holding(regions, other)
    if clean.any():
        chosen = np.where(clean, areas, -1).argmax()
    else:  # not even the smallest piece keeps them apart: it is cut in two later
        chosen = np.where(holding, areas, areas.max() + 1).argmin()
    part: BoolArray = regions.members[chosen]
    return part


def _without(mask: BoolArray, prompt: Prompt) -> BoolArray:
    """The mask without what is nearer to a point off the thing, where such a point is in it."""
    off = [point for point in prompt.off if mask[int(point[1]), int(point[0])]]
    if not off:
        return mask
    y, x = np.nonzero(mask)

    def nearest(points: Sequence[Sequence[float]]) -> npt.NDArray[np.int64]:
        squares = [(x - int(point[0])) ** 2 + (y - int(point[1])) ** 2 for point in points]
        least: npt.NDArray[np.int64] = np.array(squares).min(axis=0)
        return least

    nearer = nearest(prompt.on) < nearest(off)
    kept = np.zeros_like(mask)
    kept[y[nearer], x[nearer]] = True
    return kept


def _box_iou(regions: Regions, box: Sequence[float]) -> FloatArray:
    """IoU of each region's own box with a box, `[N] float32`."""
    own, other = regions.boxes.astype(np.float32), np.array(box, np.float32)
    shared = (np.minimum(own[:, 2:], other[2:]) - np.maximum(own[:, :2], other[:2])).clip(0).prod(axis=1)
    areas = (own[:, 2:] - own[:, :2]).prod(axis=1) + (other[2:] - other[:2]).prod()
    return np.asarray(shared / (areas - shared), np.float32)
