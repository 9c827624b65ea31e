"""Labels that stand beside their object: tried all round it, and put where they hide least."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from som_agent.marks.grid import Grid
from som_agent.marks.search import Boxes, around, gap_of, is_free
from som_agent.regions import FloatArray, IntArray
from som_kernels._jit import compiled

__all__ = ["Beside"]

# Directions, up and right first, and distances in label heights.
_ANGLES = np.arange(24) * (2 * np.pi / 24) - np.pi / 4
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1)
_DISTANCES = np.array([0.0, 0.4, 0.9, 1.6, 2.5, 4.0, 6.0])
_COVER = 4.0  # price of a label that is wholly on small objects
_SHORT = 0.8  # price of one label height of leader line
_STAY = 1.5  # what a label beside its object must save to change sides
_CROWD = 0.15  # where all labels together would take more of the picture than this, smaller ones are drawn
_GOOD = 2.0  # a place of this cost is good enough not to try smaller sizes
_SMALLER = 0.5  # what a label must save to be of the next smaller size


class Beside:
    """What labels beside their objects would hide.

    Args:
        grid: of the label map.
        picture: its width and height in pixels.
        sizes: widths and heights of each label to choose from, `[n, S, 2]`, the wanted one first.
        areas: pixels of each region, `[n]`.
    """

    def __init__(
        self, grid: Grid, picture: tuple[int, int], sizes: Boxes, areas: npt.NDArray[np.int64]
    ) -> None:
        self._step = grid.step
        self._picture = picture
        self._sizes = sizes
        crowded = sizes.prod(axis=2).sum(axis=0) > _CROWD * picture[0] * picture[1]
        self._largest = min(int(crowded.sum()), sizes.shape[1] - 1)
        # An object of six labels' area or less counts in full; the ground counts nothing.
        weight = np.minimum(1, 6 * sizes[:, -1].prod(axis=1) / np.maximum(areas, 1))
        table = np.concatenate([[0], np.round(255 * weight)]).astype(np.int32)
        self._weights = _sums(grid.labels, table)

    def choose(
        self, k: int, anchor: FloatArray, radius: float, taken: Boxes, kept: tuple[FloatArray, int] | None
    ) -> tuple[FloatArray, int] | None:
        """The middle of label `k`, `[2] float32`, and which of the sizes it has; None where there is no room.

        Args:
            k: the label.
            anchor: x, y of a point of its object.
            radius: how far that is from the object's edge.
            taken: boxes of the labels placed so far, `[c, 4]`.
            kept: where it was, as an offset from the anchor, and its size; None for a new one. It does not
                grow again, which would be one more way to flicker.
        """
        at = float(anchor[0]), float(anchor[1])
        before = (np.nan, np.nan) if kept is None else (float(kept[0][0]), float(kept[0][1]))
        best, least = None, np.inf
        for s in range(self._largest if kept is None else kept[1], self._sizes.shape[1]):
            size = int(self._sizes[k, s, 0]), int(self._sizes[k, s, 1])
            cost, x, y = _cheapest(at, radius, size, before, taken, self._weights, self._step, self._picture)
            if cost < least:
                least, best = cost - _SMALLER, (np.array([x, y], np.float32), s)
            if least < _GOOD:
                break
        return best


@compiled
def _sums(labels: IntArray, table: IntArray) -> IntArray:
    """Sums of `table[labels]` above and left of each pixel's corner, `[h + 1, w + 1] int32`."""
    h, w = labels.shape
    sums = np.zeros((h + 1, w + 1), np.int32)
    for y in range(h):
        row = np.int32(0)
        for x in range(w):
            row += table[labels[y, x]]
            sums[y + 1, x + 1] = sums[y, x + 1] + row
    return sums


@compiled
def _cheapest(
    anchor: tuple[float, float],
    radius: float,
    size: tuple[int, int],
    kept: tuple[float, float],
    taken: Boxes,
    weights: IntArray,
    step: int,
    picture: tuple[int, int],
) -> tuple[float, float, float]:
    """The best place round an object for a label of one size: its cost, and x and y of its middle.

    Args:
        anchor: x, y of a point of the object.
        radius: how far that is from the object's edge.
        size: width and height of the label.
        kept: offset from the anchor at which it was, NaN for a new one.
        taken: boxes of other labels, `[c, 4]`.
        weights: sums of what is not to be hidden above and left of each grid pixel, `[h + 1, w + 1]`.
        step: pixels between grid pixels.
        picture: width and height in pixels.

    Returns:
        A cost of infinity where there is no room.
    """
    w, h = size
    gap = gap_of(h)
    candidates = len(_DISTANCES) * len(_DIRECTIONS) + (0 if np.isnan(kept[0]) else 1)
    best, best_x, best_y = np.inf, 0.0, 0.0
    # With some gap in any case: side by side two labels would read as one number.
    for gap_y in (gap, 1):
        for i in range(candidates):
            saving = 0.0
            if i < len(_DISTANCES) * len(_DIRECTIONS):
                # The label's middle runs round boxes that are larger than the object by half a label and a
                # distance.
                extra = _DISTANCES[i // len(_DIRECTIONS)] * h + radius + max(1.0, 0.2 * h)
                to_x, to_y = _DIRECTIONS[i % len(_DIRECTIONS)]
                scale = max(abs(to_x) / (extra + w / 2), abs(to_y) / (extra + h / 2))
                dx, dy = to_x / scale, to_y / scale
            else:
                dx, dy, saving = kept[0], kept[1], _STAY
            x, y = np.float32(anchor[0] + dx), np.float32(anchor[1] + dy)  # as they are handed on
            x0, y0, x1, y1 = around(x, y, w, h)
            if x0 < 0 or y0 < 0 or x1 > picture[0] or y1 > picture[1]:
                continue
            cost = _SHORT * np.hypot(dx, dy) / h - saving
            if cost >= best or not is_free((x0, y0, x1, y1), taken, (gap, gap_y)):
                continue
            left, top = x0 // step, y0 // step
            right = min(-(-x1 // step), weights.shape[1] - 1)
            bottom = min(-(-y1 // step), weights.shape[0] - 1)
            hidden = weights[bottom, right] - weights[top, right] - weights[bottom, left] + weights[top, left]
            cost += _COVER * hidden / (255 * max((right - left) * (bottom - top), 1))
            if cost < best:
                best, best_x, best_y = cost, float(x), float(y)
        if best < np.inf:
            break
    return best, best_x, best_y
