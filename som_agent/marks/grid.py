"""The pixels on which places of labels are looked for: all of them, or every few of a large picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from som_agent.marks.search import Boxes, Pixels, deepest, mixed_corners, nearest
from som_agent.regions import FloatArray, IntArray
from som_kernels import distance_transform

__all__ = ["Grid"]

Size = tuple[int, int]

FINE_PX = 480
"""A label map whose longer side is at most this is looked at pixel by pixel."""


@dataclass(frozen=True)
class Grid:
    """Every `step`-th pixel of a label map, from pixel `origin` on.

    What goes in and comes out is in pixels of that map: boxes x0, y0, x1, y1, sizes w, h, positions x, y.

    Attributes:
        labels: region of each grid pixel, `[h, w] int32`.
        distances: how far it is from the next region, in grid pixels, `[h, w] float32`.
        mixed: see `mixed_corners`.
        step: pixels between grid pixels.
        origin: x, y of the grid's corner.
    """

    labels: IntArray
    distances: FloatArray
    mixed: IntArray
    step: int = 1
    origin: Size = (0, 0)

    @classmethod
    def of(cls, visible: IntArray) -> Grid:
        """The grid of a label map `[h, w] int32`, coarse where the map is large."""
        step = -(-max(visible.shape) // FINE_PX)
        return cls._measured(np.ascontiguousarray(visible[step // 2 :: step, step // 2 :: step]), step)

    @classmethod
    def around(cls, visible: IntArray, label: int, box: Boxes) -> Grid:
        """Every pixel of the box of one region, the others of which are ground, and a rim around it."""
        x0, y0 = (max(int(v) - 1, 0) for v in box[:2])
        crop = visible[y0 : int(box[3]) + 1, x0 : int(box[2]) + 1]
        return cls._measured(np.where(crop == label, crop, 0), origin=(x0, y0))

    @classmethod
    def _measured(cls, labels: IntArray, step: int = 1, origin: Size = (0, 0)) -> Grid:
        distances = distance_transform(torch.from_numpy(labels)).numpy()
        return cls(labels, distances, mixed_corners(labels), step, origin)

    def deepest(
        self, label: int, box: Boxes, size: Size, taken: Boxes, gap: Size
    ) -> tuple[float, FloatArray] | None:
        """Depth and middle of the best place of a label on a region, None where there is none.

        Args:
            label: the region.
            box: its box, `[4]`.
            size: of the label.
            taken: boxes of other labels, `[c, 4]`.
            gap: how far it must stay from those, in x and y.
        """
        depth, x, y = deepest(self.pixels, label, box, size, taken, gap)
        return (depth, np.array([x, y], np.float32)) if depth > 0 else None

    def nearest(
        self, label: int, box: Boxes, size: Size, taken: Boxes, gap: Size, least: float, center: FloatArray
    ) -> FloatArray:
        """The middle of the place nearest to `center` (x, y) that is at least `least` pixels deep."""
        near = float(center[0]), float(center[1])
        return np.array(nearest(self.pixels, label, box, size, taken, gap, least, near), np.float32)

    @property
    def pixels(self) -> Pixels:
        """The grid as compiled functions take it."""
        return self.labels, self.distances, self.mixed, self.step, self.origin
