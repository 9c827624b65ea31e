"""Labels on their own region: one compiled loop over the regions, for it runs on every frame of a video."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from som_agent.marks.search import Boxes, covers_only, deepest, is_free, nearest
from som_agent.regions import BoolArray, FloatArray, IntArray
from som_kernels._jit import compiled

__all__ = ["GAP", "put_inside"]

GAP = 0.3  # free space kept between labels, in label heights: "1" and "2" must not read as "12"

COVER = 0.25
"""A label may hide this share of its object; a smaller size is taken where it would hide more."""
GROW, SHRINK = 0.6, 1.5  # a label drawn before grows below, and shrinks above, these parts of that share

DEEP = 0.5
"""A mark that must move goes to the nearest point that is this deep inside its object, as a share of the
deepest point: deep enough to stay there for a while, but not farther than that."""

Numbers = npt.NDArray[np.int64]


@compiled
def put_inside(
    order: Numbers,
    visible: IntArray,
    labels: IntArray,
    distances: FloatArray,
    mixed: IntArray,
    step: int,
    origin: tuple[int, int],
    boxes: Boxes,
    areas: Numbers,
    sizes: Numbers,
    previous: FloatArray,
    previous_choices: Numbers,
    was_beside: BoolArray,
    taken: Boxes,
    count: int,
    centers: FloatArray,
    choices: IntArray,
) -> int:
    """Place labels on their own regions, one after the other.

    Args:
        order: the labels to place.
        visible: the label map, `[h, w] int32`.
        labels: the pixels of it that are looked at; this and the next four are a `Grid`.
        distances: see `Grid`.
        mixed: see `Grid`.
        step: see `Grid`.
        origin: see `Grid`.
        boxes: of the regions, `[n, 4]`.
        areas: their pixels, `[n]`.
        sizes: widths and heights to choose from, `[n, S, 2]`, the wanted one first.
        previous: where the labels were, moved along with their objects, `[n, 2]`; NaN for new ones.
        previous_choices: which size they had, `[n]`.
        was_beside: which of them stood beside their objects, `[n]`.
        taken: boxes of the labels placed so far in its first `count` rows, `[n, 4]`; it is added to.
        count: how many.
        centers: middles of the labels, `[n, 2]`; set where one is placed, else left as it is.
        choices: their sizes, `[n]`; likewise.

    Returns:
        How many boxes are taken now.
    """
    last = sizes.shape[1] - 1
    for k in order:
        found, x, y, s = _place(
            k, visible, labels, distances, mixed, step, origin, boxes, areas, sizes, previous,
            previous_choices, was_beside, taken[:count],
        )  # fmt: skip
        if found:
            w, h = sizes[k, min(s, last), 0], sizes[k, min(s, last), 1]
            centers[k, 0], centers[k, 1] = x, y
            choices[k] = s
            x0, y0, x1, y1 = _around(x, y, w, h)
            taken[count, 0], taken[count, 1], taken[count, 2], taken[count, 3] = x0, y0, x1, y1
            count += 1
    return count


@compiled
def _place(
    k: Any,
    visible: IntArray,
    labels: IntArray,
    distances: FloatArray,
    mixed: IntArray,
    step: int,
    origin: tuple[int, int],
    boxes: Boxes,
    areas: Numbers,
    sizes: Numbers,
    previous: FloatArray,
    previous_choices: Numbers,
    was_beside: BoolArray,
    taken: Boxes,
) -> Any:
    """Whether label `k` has a place on its region, the middle x, y, and which size."""
    label, box, last = k + 1, boxes[k], sizes.shape[1] - 1
    known, smallest = not np.isnan(previous[k, 0]), 0
    if known and not was_beside[k]:
        s = _stays(k, visible, areas, sizes, previous, previous_choices, taken)
        if s >= 0:
            return True, previous[k, 0], previous[k, 1], s
        smallest = previous_choices[k]  # one that must move does not grow as well
    # At the end without the whole gap: on its own region a label cannot cover another one, and above or below
    # each other two do not read as one number.
    for attempt in range(smallest, last + 3):
        s = min(attempt, last)
        w, h = sizes[k, s, 0], sizes[k, s, 1]
        gap_x = gap_y = max(1, int(np.rint(GAP * h)))
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
            room = 2 * max(h // 4, 1)
            if (
                attempt > last
                or not deepest(
                    labels,
                    distances,
                    mixed,
                    step,
                    origin,
                    label,
                    box,
                    (w + room, h + room),
                    taken[:0],
                    (0, 0),
                )[0]
            ):
                continue
        depth, x, y = deepest(
            labels, distances, mixed, step, origin, label, box, (w, h), taken, (gap_x, gap_y)
        )
        if depth and known:
            near_x, near_y = nearest(
                labels, distances, mixed, step, origin, label, box, (w, h), taken, (gap_x, gap_y),
                DEEP * depth, (previous[k, 0], previous[k, 1]),
            )  # fmt: skip
            if covers_only(visible, label, _around(near_x, near_y, w, h)):
                return True, near_x, near_y, s
        # A coarse grid does not see what is narrow.
        if depth and (step == 1 or covers_only(visible, label, _around(x, y, w, h))):
            return True, x, y, s
    return False, 0.0, 0.0, 0


@compiled
def _stays(
    k: Any,
    visible: IntArray,
    areas: Numbers,
    sizes: Numbers,
    previous: FloatArray,
    previous_choices: Numbers,
    taken: Boxes,
) -> Any:
    """The size with which label `k` can be left where it was, smaller if need be; -1 if it must move."""
    last, s = sizes.shape[1] - 1, previous_choices[k]
    x, y = previous[k, 0], previous[k, 1]
    if s > 0:  # larger where there is room to spare
        w, h = sizes[k, s - 1, 0], sizes[k, s - 1, 1]
        room = 2 * max(h // 4, 1)
        roomy = covers_only(visible, k + 1, _around(x, y, w + room, h + room))
        s -= w * h <= COVER * GROW * areas[k] and roomy
    if s < last and sizes[k, s, 0] * sizes[k, s, 1] > COVER * SHRINK * areas[k]:
        s += 1
    while s <= last:
        w, h = sizes[k, s, 0], sizes[k, s, 1]
        box = _around(x, y, w, h)
        if covers_only(visible, k + 1, box) and is_free(box, taken, (max(1, int(np.rint(GAP * h))), 1)):
            return s
        s += 1
    return -1


@compiled
def _around(x: Any, y: Any, w: Any, h: Any) -> Any:
    """The box of a label around x, y: `plate_box`, compiled."""
    x0, y0 = int(np.floor(x - w / 2 + 0.5)), int(np.floor(y - h / 2 + 0.5))
    return x0, y0, x0 + w, y0 + h
