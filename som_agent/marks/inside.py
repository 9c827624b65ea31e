"""Labels on their own region: one compiled loop over the regions, for it runs on every frame of a video."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from som_agent.marks.search import Boxes, Pixels, around, covers_only, deepest, gap_of, is_free, nearest
from som_agent.regions import BoolArray, FloatArray, IntArray
from som_kernels._jit import compiled

__all__ = ["put_inside"]

COVER = 0.25
"""A label may hide this share of its object; a smaller size is taken where it would hide more."""
GROW, SHRINK = 0.6, 1.5  # a label drawn before grows below, and shrinks above, these parts of that share

DEEP = 0.5
"""A mark that must move goes to the nearest point that is this deep inside its object, as a share of the
deepest point: deep enough to stay there for a while, but not farther than that."""

Numbers = npt.NDArray[np.int64]

Memory = tuple[FloatArray, Numbers, BoolArray]
"""How labels were: middles moved along with their objects, `[n, 2]`, NaN for new ones; which size they had,
`[n]`; whether they stood beside their objects, `[n]`."""


@compiled
def put_inside(
    order: Numbers,
    visible: IntArray,
    pixels: Pixels,
    boxes: Boxes,
    areas: Numbers,
    sizes: Numbers,
    memory: Memory,
    taken: Boxes,
    count: int,
    centers: FloatArray,
    choices: IntArray,
) -> int:
    """Place labels on their own regions, one after the other.

    Args:
        order: the labels to place.
        visible: the label map, `[h, w] int32`.
        pixels: those of it that are looked at.
        boxes: of the regions, `[n, 4]`.
        areas: their pixels, `[n]`.
        sizes: widths and heights to choose from, `[n, S, 2]`, the wanted one first.
        memory: how the labels were, see `Memory`.
        taken: boxes of the labels placed so far in its first `count` rows, `[n, 4]`; it is added to.
        count: how many.
        centers: middles of the labels, `[n, 2]`; set where one is placed, else left as it is.
        choices: their sizes, `[n]`; likewise.

    Returns:
        How many boxes are taken now.
    """
    for k in order:
        found, x, y, s = _place(k, visible, pixels, boxes, areas, sizes, memory, taken[:count])
        if found:
            centers[k, 0], centers[k, 1] = x, y
            choices[k] = s
            x0, y0, x1, y1 = around(x, y, sizes[k, s, 0], sizes[k, s, 1])
            taken[count, 0], taken[count, 1], taken[count, 2], taken[count, 3] = x0, y0, x1, y1
            count += 1
    return count


@compiled
def _place(
    k: Any,
    visible: IntArray,
    pixels: Pixels,
    boxes: Boxes,
    areas: Numbers,
    sizes: Numbers,
    memory: Memory,
    taken: Boxes,
) -> Any:
    """Whether label `k` has a place on its region, the middle x, y, and which size."""
    previous, previous_choices, was_beside = memory
    label, box, last = k + 1, boxes[k], sizes.shape[1] - 1
    known, smallest = not np.isnan(previous[k, 0]), 0
    if known and not was_beside[k]:
        s = _stays(k, visible, areas, sizes, memory, taken)
        if s >= 0:
            return True, previous[k, 0], previous[k, 1], s
        smallest = previous_choices[k]  # one that must move does not grow as well
    # At the end without the whole gap: on its own region a label cannot cover another one, and above or below
    # each other two do not read as one number.
    for attempt in range(smallest, last + 3):
        s = min(attempt, last)
        w, h = sizes[k, s, 0], sizes[k, s, 1]
        gap_x = gap_y = gap_of(h)
        if attempt > last:
            gap_y = 1
        if attempt > last + 1:
            gap_x = gap_y = 0
        if s < last and w * h > COVER * areas[k]:
            continue
        if box[2] - box[0] < w or box[3] - box[1] < h:
            continue
        if was_beside[k]:
            # What comes back to its object needs some room to spare: no flicker.
            roomy = w + _room(h), h + _room(h)
            if attempt > last or deepest(pixels, label, box, roomy, taken[:0], (0, 0))[0] == 0:
                continue
        depth, x, y = deepest(pixels, label, box, (w, h), taken, (gap_x, gap_y))
        if depth and known:
            at, least = (previous[k, 0], previous[k, 1]), DEEP * depth
            near_x, near_y = nearest(pixels, label, box, (w, h), taken, (gap_x, gap_y), least, at)
            if covers_only(visible, label, around(near_x, near_y, w, h)):
                return True, near_x, near_y, s
        # A coarse grid does not see what is narrow.
        if depth and (pixels[3] == 1 or covers_only(visible, label, around(x, y, w, h))):
            return True, x, y, s
    return False, 0.0, 0.0, 0


@compiled
def _stays(
    k: Any,
    visible: IntArray,
    areas: Numbers,
    sizes: Numbers,
    memory: Memory,
    taken: Boxes,
) -> Any:
    """The size with which label `k` can be left where it was, smaller if need be; -1 if it must move."""
    previous, previous_choices, _ = memory
    last, s = sizes.shape[1] - 1, previous_choices[k]
    x, y = previous[k, 0], previous[k, 1]
    if s > 0:  # larger where there is room to spare
        w, h = sizes[k, s - 1, 0], sizes[k, s - 1, 1]
        roomy = covers_only(visible, k + 1, around(x, y, w + _room(h), h + _room(h)))
        s -= w * h <= COVER * GROW * areas[k] and roomy
    if s < last and sizes[k, s, 0] * sizes[k, s, 1] > COVER * SHRINK * areas[k]:
        s += 1
    while s <= last:
        w, h = sizes[k, s, 0], sizes[k, s, 1]
        box = around(x, y, w, h)
        if covers_only(visible, k + 1, box) and is_free(box, taken, (gap_of(h), 1)):
            return s
        s += 1
    return -1


@compiled
def _room(h: Any) -> Any:
    """Pixels to spare, both sides together, where a label of height `h` may grow or come back."""
    return 2 * max(h // 4, 1)
