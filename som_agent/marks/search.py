"""Looking for the place of a label on its region: compiled loops over the pixels of a label map.

A label of w × h pixels is named by the pixel in its middle, column (w - 1) // 2 and row (h - 1) // 2 of it.
It fits where all its pixels are of the region; it is the better placed the farther that middle is from other
regions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from som_agent.regions import FloatArray, IntArray
from som_kernels._jit import compiled

__all__ = [
    "GAP",
    "Boxes",
    "Pixels",
    "around",
    "can_hold",
    "covers_only",
    "deepest",
    "gap_of",
    "is_free",
    "measure",
    "mixed_corners",
    "nearest",
]

Boxes = npt.NDArray[np.int64]

Pixels = tuple[IntArray, FloatArray, IntArray, int, tuple[int, int]]
"""What a `Grid` is to compiled functions: every few pixels of a label map, `[h, w] int32`; how far each is
from other regions, `[h, w] float32`; `mixed_corners`; pixels from one to the next; x, y of the corner."""

GAP = 0.3  # free space kept between labels, in label heights: "1" and "2" must not read as "12"


@compiled
def gap_of(h: Any) -> Any:
    """Pixels to keep between a label of height `h` and others."""
    return max(1, int(np.rint(GAP * h)))


@compiled
def around(x: Any, y: Any, w: Any, h: Any) -> Any:
    """The box x0, y0, x1, y1 of a label around x, y: `plate_box`, compiled."""
    x0, y0 = int(np.floor(x - w / 2 + 0.5)), int(np.floor(y - h / 2 + 0.5))
    return x0, y0, x0 + w, y0 + h


@compiled
def mixed_corners(labels: IntArray) -> IntArray:
    """Counts of mixed corners above and left of each corner, `[h, w] int32` for labels `[h, w] int32`.

    A corner, the point where four pixels meet, is mixed where they are not all of one region. A box lies on
    one region exactly where none of its inner corners is mixed: four of these counts tell.
    """
    h, w = labels.shape
    counts = np.zeros((h, w), np.int32)
    for y in range(h - 1):
        row = np.int32(0)
        for x in range(w - 1):
            here = labels[y, x]
            row += np.int32(
                labels[y, x + 1] != here or labels[y + 1, x] != here or labels[y + 1, x + 1] != here
            )
            counts[y + 1, x + 1] = counts[y, x + 1] + row
    return counts


@compiled
def _holds(mixed: IntArray, x: Any, y: Any, w: Any, h: Any, taken: Boxes, gap_x: Any, gap_y: Any) -> Any:
    """Whether a label around pixel x, y is on one region, in the picture and apart from the boxes taken."""
    x0, y0 = x - (w - 1) // 2, y - (h - 1) // 2
    if x0 < 0 or y0 < 0 or x0 + w > mixed.shape[1] or y0 + h > mixed.shape[0]:
        return False
    bottom, right = y0 + h - 1, x0 + w - 1
    if mixed[bottom, right] - mixed[y0, right] - mixed[bottom, x0] + mixed[y0, x0] != 0:
        return False
    return is_free((x0, y0, x0 + w, y0 + h), taken, (gap_x, gap_y))


@compiled
def _cells(step: Any, origin: Any, box: Boxes, size: Any, taken: Boxes, gap: Any) -> Any:
    """The numbers of a search in grid pixels: box and boxes rounded outwards, lengths up."""
    near = np.empty_like(taken)
    for i in range(len(taken)):
        for side in range(4):
            near[i, side] = (taken[i, side] - origin[side % 2] + (step - 1 if side > 1 else 0)) // step
    w, h = (size[0] + step - 1) // step, (size[1] + step - 1) // step
    gap_x, gap_y = (gap[0] + step - 1) // step, (gap[1] + step - 1) // step
    x0, y0 = (box[0] - origin[0]) // step, (box[1] - origin[1]) // step
    x1, y1 = (box[2] - origin[0] + step - 1) // step, (box[3] - origin[1] + step - 1) // step
    return near, w, h, gap_x, gap_y, x0, y0, x1, y1


@compiled
def deepest(
    pixels: Pixels,
    label: int,
    box: Boxes,
    size: tuple[int, int],
    taken: Boxes,
    gap: tuple[int, int],
) -> tuple[float, float, float]:
    """The best place of a label: its depth in pixels, x and y of its middle; depth 0 where it does not fit.

    Args:
        pixels: where to look, see `Pixels`; all that follows is in pixels of the map.
        label: the region.
        box: x0, y0, x1, y1 of the region, `[4] int64`.
        size: width and height of the label.
        taken: boxes of other labels, `[c, 4] int64`.
        gap: how far the label must stay from those, in x and y.

    Returns:
        Of equals the first in raster order.
    """
    labels, distances, mixed, step, origin = pixels
    near, w, h, gap_x, gap_y, x0, y0, x1, y1 = _cells(step, origin, box, size, taken, gap)
    # The side of the label that is nearer to its middle is at least this far away.
    best = np.float32((min(w, h) - 1) // 2 + 0.5)
    best_x, best_y = -1, -1
    for y in range(max(y0 + (h - 1) // 2, 0), min(y1 - h // 2, labels.shape[0])):
        x = max(x0 + (w - 1) // 2, 0)
        while x < min(x1 - w // 2, labels.shape[1]):
            here = distances[y, x]
            if here <= best:
                x += int(best - here) + 1  # from pixel to pixel it grows by one at most
                continue
            if labels[y, x] == label and _holds(mixed, x, y, w, h, near, gap_x, gap_y):
                best, best_x, best_y = here, x, y
            x += 1
    if best_x < 0:
        return 0.0, 0.0, 0.0
    return best * step, *_middle(step, origin, w, h, best_x, best_y)


@compiled
def nearest(
    pixels: Pixels,
    label: int,
    box: Boxes,
    size: tuple[int, int],
    taken: Boxes,
    gap: tuple[int, int],
    least: float,
    center: tuple[float, float],
) -> tuple[float, float]:
    """The place nearest to `center` (x, y) that is at least `least` pixels deep; the rest as for `deepest`.

    One must exist: `least` is no more than what `deepest` found.
    """
    labels, distances, mixed, step, origin = pixels
    near, w, h, gap_x, gap_y, x0, y0, x1, y1 = _cells(step, origin, box, size, taken, gap)
    to_x = np.floor((center[0] - origin[0]) / step - w / 2 + 0.5) + (w - 1) // 2
    to_y = np.floor((center[1] - origin[1]) / step - h / 2 + 0.5) + (h - 1) // 2
    best, best_x, best_y = np.inf, 0, 0
    for y in range(max(y0 + (h - 1) // 2, 0), min(y1 - h // 2, labels.shape[0])):
        x = max(x0 + (w - 1) // 2, 0)
        while x < min(x1 - w // 2, labels.shape[1]):
            lacking = least / step - distances[y, x]
            if lacking > 0:
                x += int(np.ceil(lacking))
                continue
            away = (x - to_x) ** 2 + (y - to_y) ** 2
            if away < best and labels[y, x] == label and _holds(mixed, x, y, w, h, near, gap_x, gap_y):
                best, best_x, best_y = away, x, y
            x += 1
    middle: tuple[float, float] = _middle(step, origin, w, h, best_x, best_y)
    return middle


@compiled
def _middle(step: Any, origin: Any, w: Any, h: Any, x: Any, y: Any) -> Any:
    """The middle of a label around a grid pixel; between two pixels where it has an even size."""
    return (x + 0.5 + (w + 1) % 2 / 2) * step + origin[0], (y + 0.5 + (h + 1) % 2 / 2) * step + origin[1]


@compiled
def covers_only(labels: IntArray, label: int, box: tuple[int, int, int, int]) -> bool:
    """Whether the box x0, y0, x1, y1 is in the picture and all of it is of one region."""
    x0, y0, x1, y1 = box
    if x0 < 0 or y0 < 0 or x1 > labels.shape[1] or y1 > labels.shape[0]:
        return False
    for y in range(y0, y1):
        for x in range(x0, x1):
            if labels[y, x] != label:
                return False
    return True


@compiled
def measure(labels: IntArray, wanted: npt.NDArray[np.bool_], areas: Boxes, boxes: Boxes) -> None:
    """Fill in pixels `[n]` and boxes `[n, 4]` of some regions, which are zeros so far.

    Args:
        labels: `[h, w] int32`.
        wanted: for each label, 0 included, whether it is asked for, `[n + 1]`.
        areas: of labels 1 to n.
        boxes: x0, y0, x1, y1, likewise.
    """
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if wanted[labels[y, x]]:
                k = labels[y, x] - 1
                if areas[k] == 0:
                    boxes[k, 0], boxes[k, 1] = x, y
                areas[k] += 1
                boxes[k, 0] = min(boxes[k, 0], x)
                boxes[k, 2], boxes[k, 3] = max(boxes[k, 2], x + 1), y + 1


@compiled
def can_hold(labels: IntArray, label: int, box: Boxes, size: tuple[int, int]) -> bool:
    """Whether a label of this size fits anywhere on a region, x0, y0, x1, y1 being its box, `[4] int64`."""
    w, h = size
    x0, y0, x1, y1 = box
    above = np.zeros(x1 - x0, np.int64)  # pixels of the region in a row, up from here
    for y in range(y0, y1):
        run = 0  # columns side by side with enough of them
        for x in range(x0, x1):
            above[x - x0] = above[x - x0] + 1 if labels[y, x] == label else 0
            run = run + 1 if above[x - x0] >= h else 0
            if run >= w:
                return True
    return False


@compiled
def is_free(box: tuple[int, int, int, int], taken: Boxes, gap: tuple[int, int]) -> bool:
    """Whether a box keeps the gap in x and y to all boxes taken, `[c, 4] int64`."""
    for t in taken:
        if (
            box[0] < t[2] + gap[0]
            and box[2] > t[0] - gap[0]
            and box[1] < t[3] + gap[1]
            and box[3] > t[1] - gap[1]
        ):
            return False
    return True
