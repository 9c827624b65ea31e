"""Where marks go: on their own object where it can hold the label, else beside it, tied by a line.

Positions are continuous: pixel (column i, row j) covers [i, i + 1) × [j, j + 1), so a position scales to
another picture size by a plain factor, and its floor is the pixel it is in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from som_agent.marks.beside import Beside
from som_agent.marks.grid import Grid
from som_agent.marks.inside import put_inside
from som_agent.marks.search import Boxes, can_hold, covers_only, measure
from som_agent.regions import BoolArray, FloatArray, IntArray
from som_kernels import region_stats

__all__ = ["Placement", "place", "plate_box"]

_FAR = 1 << 20  # as a negative gap: other labels do not count

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Placement:
    """Where the marks of one picture go; row k belongs to value k + 1 of the label map.

    Attributes:
        anchors: x, y of a point of the mark's own region, `[n, 2] float32` pixels; NaN where the region has
            no pixel.
        centers: x, y of the middle of the label, `[n, 2] float32` pixels; NaN where there is no room for it.
        inside: the whole label lies on its own region and `centers` equals `anchors`, `[n] bool`.
        leader: the label stands beside its region and needs a line to the anchor, `[n] bool`.
        choices: which of the sizes given to `place` the label has, `[n] int32`.
    """

    anchors: FloatArray
    centers: FloatArray
    inside: BoolArray
    leader: BoolArray
    choices: IntArray

    def __len__(self) -> int:
        return len(self.anchors)

    @property
    def offsets(self) -> FloatArray:
        """Label middle minus anchor, `[n, 2] float32` pixels: what `place` takes back on the next frame."""
        return self.centers - self.anchors

    def reason(self, k: int) -> str | None:
        """Why mark `k` has no label, or not on its object; None where it is on it."""
        if self.inside[k]:
            return None
        if self.leader[k]:
            return "too small for its label, which stands beside it"
        if np.isnan(self.anchors[k, 0]):
            return "no part of it is visible"
        return "no room for its label"

    def scaled(self, sx: float, sy: float) -> Placement:
        """The same placement for a picture `sx` times as wide and `sy` times as high."""
        by = np.array([sx, sy], np.float32)
        return Placement(self.anchors * by, self.centers * by, self.inside, self.leader, self.choices)


def plate_box(center: Sequence[float] | FloatArray, size: Sequence[float] | FloatArray) -> Box:
    """The whole pixels x0, y0, x1, y1 of a label of `size` (w, h) whose middle is `center` (x, y)."""
    (cx, cy), (w, h) = center, size
    w, h = math.ceil(w - 1e-3), math.ceil(h - 1e-3)
    x0, y0 = math.floor(cx - w / 2 + 0.5), math.floor(cy - h / 2 + 0.5)
    return x0, y0, x0 + w, y0 + h


def place(
    visible: IntArray,
    plate_sizes: npt.ArrayLike,
    previous: npt.ArrayLike | None = None,
    previous_offsets: npt.ArrayLike | None = None,
    previous_choices: npt.ArrayLike | None = None,
) -> Placement:
    """Choose where each mark goes, and how large its label is.

    The allocation of Set-of-Mark prompting (arXiv 2310.11441), small regions first, on a map from which the
    overlaps are already taken away: a mark goes to the point of its region that is farthest from the region's
    edge. Beyond it: only points count where the whole label is on the region; labels keep a gap to each
    other; a label that would hide much of its object is drawn smaller; a region that cannot hold its label
    gets it beside it, where it covers least; and a mark that was drawn before stays where it is while its
    label fits there in any size, and else goes no farther than it must. Of equals the first in raster order
    wins.

    Labels never overlap each other and never leave the picture.

    Args:
        visible: `[h, w] int32`; value k + 1 where mark `k` is the topmost object, 0 where there is none.
        plate_sizes: width and height of each label with its plate, in pixels of this map: `[n, 2]`, or
            `[n, S, 2]` to choose from, the one that is wanted first, the smallest that can be read last.
        previous: the last anchors, already moved along with their objects, `[n, 2]`; NaN for new marks.
        previous_offsets: the last `Placement.offsets`, `[n, 2]`, NaN for new marks: a label beside its object
            then moves with it and stays on its side.
        previous_choices: the last `Placement.choices`, `[n]`; of no meaning for new marks.

    Returns:
        Anchors and label centres in pixels of this map.
    """
    sizes = np.ceil(np.asarray(plate_sizes, np.float64) - 1e-3).clip(2).astype(np.int64)
    n = len(sizes)
    sizes = np.ascontiguousarray(sizes.reshape(n, sizes.shape[1] if sizes.ndim == 3 else 1, 2))
    visible = np.ascontiguousarray(visible, np.int32)
    height, width = visible.shape
    grid = Grid.of(visible)
    areas, boxes = _measured(visible, grid, n)
    anchors, offsets = _rows(previous, n), _rows(previous_offsets, n)
    was_beside: BoolArray = ~np.isnan(anchors[:, 0]) & (np.nan_to_num(offsets) != 0).any(axis=1)
    before = np.zeros(n, np.int64) if previous_choices is None else np.asarray(previous_choices, np.int64)

    centers = np.full((n, 2), np.nan, np.float32)
    choices = np.full(n, sizes.shape[1] - 1, np.int32)
    taken = np.zeros((n, 4), np.int64)  # boxes of the labels placed so far

    def put(order: npt.NDArray[np.int64], grid: Grid, count: int) -> int:
        memory = anchors, before, was_beside
        return put_inside(
            order, visible, grid.pixels, boxes, areas, sizes, memory, taken, count, centers, choices
        )

    order = np.argsort(areas, kind="stable")
    order = order[areas[order] > 0]
    # All labels that fit first: one that stands beside its object can go elsewhere, these cannot.
    count = put(order, grid, 0)
    left = order[np.isnan(centers[order, 0])]
    for k in left if grid.step > 1 else ():
        if can_hold(visible, k + 1, boxes[k], (sizes[k, -1, 0], sizes[k, -1, 1])):
            # What is narrow is seen only pixel by pixel.
            count = put(np.array([k]), Grid.around(visible, k + 1, boxes[k]), count)
    inside = ~np.isnan(centers[:, 0])
    feet = centers.copy()
    left = left[~inside[left]]
    if len(left):
        beside = Beside(grid, (width, height), sizes, areas)
    for k in left[np.argsort(~was_beside[left], kind="stable")].tolist():  # newcomers come last
        feet[k], depth = _foot(k, visible, grid, boxes[k], taken[:count], anchors[k])
        kept = (anchors[k] + offsets[k] - feet[k], int(before[k])) if was_beside[k] else None
        found = beside.choose(k, feet[k], depth, taken[:count], kept)
        if found is not None:
            centers[k], choices[k] = found
            taken[count] = plate_box(centers[k], sizes[k, choices[k]])
            count += 1
    return Placement(feet, centers, inside, ~inside & ~np.isnan(centers[:, 0]), choices)


def _measured(visible: IntArray, grid: Grid, n: int) -> tuple[npt.NDArray[np.int64], Boxes]:
    """Areas `[n]` and boxes `[n, 4]` of the regions, about so where the grid is coarse."""
    stats = region_stats(torch.from_numpy(grid.labels), None, n)
    areas, boxes = stats.areas.numpy() * grid.step**2, stats.boxes.numpy().astype(np.int64) * grid.step
    if grid.step > 1:
        boxes[:, :2] = np.maximum(boxes[:, :2] - grid.step, 0)
        boxes[:, 2:] = np.minimum(boxes[:, 2:] + grid.step, visible.shape[::-1])
        unseen = areas == 0
        if unseen.any():  # they may be so small that they lie between the grid's pixels
            boxes[unseen] = 0
            measure(visible, np.concatenate([[False], unseen]), areas, boxes)
    return areas, boxes


def _foot(
    k: int, visible: IntArray, grid: Grid, box: Boxes, taken: Boxes, previous: FloatArray
) -> tuple[FloatArray, float]:
    """Where the line to a label beside its object ends, and how far that is from the object's edge."""
    # Where it is seen, if any pixel of the region is still free of other labels.
    for gap in ((0, 0), (-_FAR, -_FAR)):
        best = grid.deepest(k + 1, box, (1, 1), taken, gap)
        if best is None and grid.step > 1:
            grid = Grid.around(visible, k + 1, box)
            best = grid.deepest(k + 1, box, (1, 1), taken, gap)
        if best is not None:
            break
    assert best is not None, "a region has a deepest pixel"
    depth, at = best
    if math.isnan(previous[0]):
        return at, depth
    if covers_only(visible, k + 1, plate_box(previous, (1, 1))):
        return previous, depth
    return grid.nearest(k + 1, box, (1, 1), taken, gap, 0.0, previous), depth


def _rows(values: npt.ArrayLike | None, n: int) -> FloatArray:
    """`[n, 2] float32`; NaN where there are none."""
    if values is None:
        return np.full((n, 2), np.nan, np.float32)
    return np.asarray(values, np.float32).reshape(n, 2)
