"""Where marks go: on their own object where it can hold the label, else beside it, tied by a line.

Positions are continuous: pixel (column i, row j) covers [i, i + 1) × [j, j + 1), so a position scales to
another picture size by a plain factor, and its floor is the pixel it is in.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch

from som_agent.regions import BoolArray, FloatArray, IntArray
from som_kernels import distance_transform, region_stats

__all__ = ["Placement", "place", "plate_box"]

# A mark stays while it is this deep inside its object, as a share of the deepest point; one that must move
# goes to the nearest point of the second depth, not to the deepest.
INSIDE = 0.7, 0.85
FOOT = 0.3, 0.5  # the same for the foot of a leader line
SLACK = 1.0  # pixels of depth that are never worth a move
GAP = 0.3  # free space kept between labels, in label heights: "1" and "2" must not read as "12"

# Where a label beside its object is tried: directions, up and right first, and distances in label heights.
_ANGLES = np.arange(24) * (2 * np.pi / 24) - np.pi / 4
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1)
_DISTANCES = np.array([0.0, 0.4, 0.9, 1.6, 2.5, 4.0, 6.0])
_SHORT = 0.8  # price of one label height of leader line; a label wholly on small objects costs 4
_STAY = 1.5  # what a label beside its object must save to change sides

Box = tuple[int, int, int, int]
Size = tuple[int, int]


@dataclass(frozen=True)
class Placement:
    """Where the marks of one picture go; row k belongs to value k + 1 of the label map.

    Attributes:
        anchors: x, y of a point of the mark's own region, `[n, 2] float32` pixels; NaN where the region has
            no pixel.
        centers: x, y of the middle of the label, `[n, 2] float32` pixels; NaN where there is no room for it.
        inside: the whole label lies on its own region and `centers` equals `anchors`, `[n] bool`.
        leader: the label stands beside its region and needs a line to the anchor, `[n] bool`.
    """

    anchors: FloatArray
    centers: FloatArray
    inside: BoolArray
    leader: BoolArray

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
        return Placement(self.anchors * by, self.centers * by, self.inside, self.leader)


def plate_box(center: npt.ArrayLike, size: npt.ArrayLike) -> Box:
    """The whole pixels x0, y0, x1, y1 of a label of `size` (w, h) whose middle is `center` (x, y)."""
    (cx, cy), (w, h) = np.asarray(center, np.float64), np.asarray(size, np.float64)
    w, h = int(np.ceil(w - 1e-3)), int(np.ceil(h - 1e-3))
    x0, y0 = int(np.floor(cx - w / 2 + 0.5)), int(np.floor(cy - h / 2 + 0.5))
    return x0, y0, x0 + w, y0 + h


def place(
    visible: IntArray,
    plate_sizes: npt.ArrayLike,
    previous: npt.ArrayLike | None = None,
    previous_offsets: npt.ArrayLike | None = None,
) -> Placement:
    """Choose where each mark goes.

    The allocation of Set-of-Mark prompting (arXiv 2310.11441), small regions first, on a map from which the
    overlaps are already taken away: a mark goes to the point of its region that is farthest from the region's
    edge. Beyond it: only points count where the whole label is on the region; labels keep a gap to each
    other; a region that cannot hold its label gets it beside it, where it covers least; and a mark that was
    drawn before stays while its place is nearly as good as the best. Among equals the first in raster order
    wins.

    Labels never overlap each other and never leave the picture.

    Args:
        visible: `[h, w] int32`; value k + 1 where mark `k` is the topmost object, 0 where there is none.
        plate_sizes: width and height of each label with its plate, in pixels of this map, `[n, 2]`.
        previous: the last anchors, already moved along with their objects, `[n, 2]`; NaN for new marks.
        previous_offsets: the last `Placement.offsets`, `[n, 2]`, NaN for new marks: a label beside its object
            then moves with it and stays on its side.

    Returns:
        Anchors and label centres in pixels of this map.
    """
    sizes = np.ceil(np.asarray(plate_sizes, np.float64).reshape(-1, 2) - 1e-3).clip(2).astype(np.int64)
    n = len(sizes)
    anchors, offsets = _rows(previous, n), _rows(previous_offsets, n)
    known = ~np.isnan(anchors + offsets).any(axis=1)
    was_beside: BoolArray = known & (offsets != 0).any(axis=1)
    placer = _Placer(np.ascontiguousarray(visible, np.int32), sizes)
    order = [int(k) for k in np.argsort(placer.areas, kind="stable") if placer.areas[k]]
    # All labels that fit first: a label that stands beside its object can go elsewhere, these cannot.
    beside = [k for k in order if not placer.put_inside(k, anchors[k], bool(was_beside[k]))]
    beside.sort(key=lambda k: not was_beside[k])  # newcomers find a place among those that stay
    for k in beside:
        placer.put_beside(k, anchors[k], offsets[k] if was_beside[k] else None)
    return Placement(placer.anchors, placer.centers, placer.inside, placer.leader)


class _Placer:
    """The state of one call of `place`."""

    def __init__(self, visible: IntArray, sizes: npt.NDArray[np.int64]) -> None:
        n = len(sizes)
        stats = region_stats(torch.from_numpy(visible), None, n)
        self.visible = visible
        self.sizes = sizes
        self.areas = stats.areas.numpy()
        self.boxes = [(slice(y0, y1), slice(x0, x1)) for x0, y0, x1, y1 in stats.boxes.tolist()]
        self.clearance, self.mixed = _seams(visible)
        self.fits: dict[Size, FloatArray] = {}  # label size → clearance where such a label fits
        self.apart: dict[Size, FloatArray] = {}  # … and keeps the gap to the labels placed so far
        for w, h in set(map(tuple, sizes.tolist())):
            self.fits[w, h] = _where_fits(self.clearance, self.mixed, w, h)
            self.apart[w, h] = self.fits[w, h].copy()
        self.weights: npt.NDArray[np.float64] | None = None
        self.taken = np.zeros((n, 4), np.int64)  # boxes of the labels placed so far
        self.count = 0
        self.anchors = np.full((n, 2), np.nan, np.float32)
        self.centers = np.full((n, 2), np.nan, np.float32)
        self.inside = np.zeros(n, bool)
        self.leader = np.zeros(n, bool)

    def put_inside(self, k: int, previous: FloatArray, was_beside: bool) -> bool:
        """Place label `k` on its own region; false where no position holds it."""
        w, h = (int(v) for v in self.sizes[k])
        rows, cols = self.boxes[k]
        if cols.stop - cols.start < w or rows.stop - rows.start < h or self.areas[k] < w * h:
            return False
        own = self.visible[rows, cols] == k + 1
        # One that stood beside its object comes back when there is some room to spare: no flicker.
        if was_beside and not (self._roomy(w, h)[rows, cols] * own).any():
            return False
        depth = self.apart[w, h][rows, cols] * own
        if not depth.any():  # then without the gap: on its own region it cannot cover another label
            depth = self.fits[w, h][rows, cols] * own
        if not depth.any():
            return False
        self.anchors[k] = self.centers[k] = self._choose(k, depth, previous, (w, h), INSIDE)
        self.inside[k] = True
        self._take(k)
        return True

    def put_beside(self, k: int, previous: FloatArray, offset: FloatArray | None) -> None:
        """Place the anchor of `k` in its region and its label near, where it covers least."""
        w, h = (int(v) for v in self.sizes[k])
        depth = self.clearance[self.boxes[k]] * (self.visible[self.boxes[k]] == k + 1)
        anchor = self._choose(k, depth, previous, (1, 1), FOOT)
        self.anchors[k] = anchor
        offsets = _ring(float(depth.max()), w, h)
        saving = np.zeros(len(offsets))
        if offset is not None:
            offsets = np.concatenate([offsets, (previous + offset - anchor)[None]])
            saving = np.append(saving, _STAY)
        middles = (anchor + offsets).astype(np.float32)
        corners = np.floor(middles - self.sizes[k] / 2 + 0.5).astype(np.int64)
        boxes = np.concatenate([corners, corners + self.sizes[k]], axis=1)
        free = self._free(boxes, _gap(h))
        if len(free) == 0:
            free = self._free(boxes, 0)
        if len(free) == 0:
            return
        length = np.hypot(offsets[free, 0], offsets[free, 1]) / h
        cost = 4 * self._covered(boxes[free]) + _SHORT * length - saving[free]
        self.centers[k] = middles[free[cost.argmin()]]
        self.leader[k] = True
        self._take(k)

    def _roomy(self, w: int, h: int) -> FloatArray:
        """Clearance where a label with a quarter of its height to spare on every side fits."""
        w, h = w + 2 * max(h // 4, 1), h + 2 * max(h // 4, 1)
        if (w, h) not in self.fits:
            self.fits[w, h] = _where_fits(self.clearance, self.mixed, w, h)
        return self.fits[w, h]

    def _choose(
        self, k: int, depth: FloatArray, previous: FloatArray, size: Size, enough: tuple[float, float]
    ) -> FloatArray:
        """The deepest point, unless the previous one will do; x, y in pixels of the map, `[2] float32`."""
        rows, cols = self.boxes[k]
        w, h = size
        best = depth.max()
        if not np.isnan(previous).any():
            x0, y0, _, _ = plate_box(previous, (w, h))
            x, y = x0 + (w - 1) // 2 - cols.start, y0 + (h - 1) // 2 - rows.start
            if 0 <= x < depth.shape[1] and 0 <= y < depth.shape[0]:
                here = depth[y, x]
                if here > 0 and here >= min(enough[0] * best, best - SLACK):
                    return previous
            ys, xs = np.nonzero(depth >= enough[1] * best)
            nearest = ((xs - x) ** 2 + (ys - y) ** 2).argmin()
            x, y = xs[nearest], ys[nearest]
        else:
            y, x = divmod(int(depth.argmax()), depth.shape[1])
        # The middle of the label around that pixel; between two pixels where the label has an even size.
        return np.array(
            [cols.start + x + 0.5 + (w + 1) % 2 / 2, rows.start + y + 0.5 + (h + 1) % 2 / 2], np.float32
        )

    def _free(self, boxes: npt.NDArray[np.int64], gap: int) -> npt.NDArray[np.intp]:
        """Indices of the boxes `[C, 4]` that are in the picture and at least `gap` from the labels placed."""
        height, width = self.visible.shape
        x0, y0, x1, y1 = boxes.T
        good = (x0 >= 0) & (y0 >= 0) & (x1 <= width) & (y1 <= height)
        left, top, right, bottom = (self.taken[: self.count] + np.array([-gap, -gap, gap, gap])).T
        near = (left < x1.max()) & (top < y1.max()) & (right > x0.min()) & (bottom > y0.min())
        left, top, right, bottom = (side[near, None] for side in (left, top, right, bottom))
        hit = (x0 < right) & (x1 > left) & (y0 < bottom) & (y1 > top)
        return np.flatnonzero(good & ~hit.any(axis=0))

    def _covered(self, boxes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """What labels at these boxes `[C, 4]` would hide, `[C]`, 0 to 1: small objects count most."""
        if self.weights is None:
            # An object of six labels' area or less counts in full; the ground counts nothing.
            weight = np.minimum(1, 6 * self.sizes.prod(axis=1) / np.maximum(self.areas, 1))
            table = np.concatenate([[0], np.round(255 * weight)]).astype(np.uint8)
            self.weights = np.asarray(cv2.integral(table[self.visible], sdepth=cv2.CV_64F), np.float64)
        x0, y0, x1, y1 = boxes.T
        total = self.weights[y1, x1] - self.weights[y0, x1] - self.weights[y1, x0] + self.weights[y0, x0]
        share: npt.NDArray[np.float64] = total / (255 * (x1 - x0) * (y1 - y0))
        return share

    def _take(self, k: int) -> None:
        """Reserve the box of label `k`, and the gap round it."""
        x0, y0, x1, y1 = plate_box(self.centers[k], self.sizes[k])
        self.taken[self.count] = x0, y0, x1, y1
        self.count += 1
        if self.leader[k]:
            return  # the labels inside their regions are all placed
        for (w, h), depth in self.apart.items():
            # The middle pixels at which a label of w × h would touch the box grown by the gap.
            gap = _gap(h)
            rows = slice(max(0, y0 - gap - h // 2), y1 + gap + (h - 1) // 2)
            depth[rows, max(0, x0 - gap - w // 2) : x1 + gap + (w - 1) // 2] = 0


def _rows(values: npt.ArrayLike | None, n: int) -> FloatArray:
    """`[n, 2] float32`; NaN where there are none."""
    if values is None:
        return np.full((n, 2), np.nan, np.float32)
    return np.asarray(values, np.float32).reshape(n, 2)


def _gap(h: int) -> int:
    return max(1, round(GAP * int(h)))


def _seams(visible: IntArray) -> tuple[FloatArray, npt.NDArray[np.uint8]]:
    """Clearance `[h, w]`, the distance to the nearest pixel of another region, and the mixed corners.

    A corner, the point where four pixels meet, is mixed where they are not all of one region,
    `[h - 1, w - 1] uint8`: a box lies on one region exactly where none of its inner corners is mixed.
    """
    beside = visible[:, 1:] != visible[:, :-1]
    below = visible[1:] != visible[:-1]
    mixed = beside[1:] | beside[:-1] | below[:, 1:] | below[:, :-1]
    return distance_transform(torch.from_numpy(visible)).numpy(), mixed.view(np.uint8)


def _where_fits(clearance: FloatArray, mixed: npt.NDArray[np.uint8], w: int, h: int) -> FloatArray:
    """The clearance where a label of w × h around the pixel is on one region and in the picture, else 0."""
    height, width = clearance.shape
    depth = np.zeros_like(clearance)
    if w > width or h > height:
        return depth
    total = cv2.integral(mixed) if mixed.size else np.zeros((height, width), np.int32)
    a, b = h - 1, w - 1  # inner corners of the box
    rows, cols = height - a, width - b
    count = total[a:, b:] - total[:rows, b:] - total[a:, :cols] + total[:rows, :cols]
    middle = np.s_[a // 2 : a // 2 + rows, b // 2 : b // 2 + cols]
    np.copyto(depth[middle], clearance[middle], where=count == 0)
    return depth


def _ring(radius: float, w: int, h: int) -> npt.NDArray[np.float64]:
    """Offsets at which to try a label of w × h round an object of this radius, `[C, 2]` x, y."""
    # The label's middle runs round boxes that are larger than the object by half a label and a distance.
    extra = (_DISTANCES * h + radius + max(1.0, 0.2 * h))[:, None]
    steps = np.maximum(
        np.abs(_DIRECTIONS[:, 0]) / (extra + w / 2), np.abs(_DIRECTIONS[:, 1]) / (extra + h / 2)
    )
    offsets: npt.NDArray[np.float64] = (_DIRECTIONS / steps[..., None]).reshape(-1, 2)
    return offsets
