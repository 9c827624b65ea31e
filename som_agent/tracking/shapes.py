"""Outlines of objects, moved over the present frame to see what lies under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from som_agent.regions import BoolArray, FloatArray, IntArray, Regions
from som_kernels._jit import compiled

__all__ = ["Shape", "shape_of", "under"]


@dataclass(frozen=True)
class Shape:
    """An outline.

    Attributes:
        mask: `[h, w] bool`, cut to its box.
        corner: x, y of its upper left pixel.
        center: x, y of its centroid, float.
    """

    mask: BoolArray
    corner: tuple[int, int]
    center: tuple[float, float]

    def at(self, center: FloatArray) -> tuple[int, int]:
        """The corner that brings its centroid to a place."""
        x = self.corner[0] + round(float(center[0]) - self.center[0])
        y = self.corner[1] + round(float(center[1]) - self.center[1])
        return x, y

    def at_edge(self, size: tuple[int, ...]) -> bool:
        """Whether it reaches the edge of a picture of height and width `size`."""
        (x, y), (h, w) = self.corner, self.mask.shape
        return x == 0 or y == 0 or y + h == size[0] or x + w == size[1]


def shape_of(regions: Regions, members: BoolArray, center: FloatArray) -> Shape:
    """The outline of a set of atoms, `[A + 1] bool`, that is not empty.

    Args:
        regions: what the atoms belong to.
        members: the set.
        center: its centroid x, y.
    """
    boxes = regions.atom_boxes[members & (regions.atom_areas > 0)]
    x0, y0 = (int(v) for v in boxes[:, :2].min(axis=0))
    x1, y1 = (int(v) for v in boxes[:, 2:].max(axis=0))
    return Shape(members[regions.atoms[y0:y1, x0:x1]], (x0, y0), (float(center[0]), float(center[1])))


def under(shapes: Sequence[Shape], corners: npt.ArrayLike, regions: Regions) -> npt.NDArray[np.float64]:
    """Pixels of each present atom under each outline, `[N, A + 1]`; outside the picture there are none.

    Args:
        shapes: `N` outlines.
        corners: x, y of the upper left pixel where each is put, `[N, 2]`.
        regions: the present regions.
    """
    counts = np.zeros((len(shapes), regions.members.shape[1]))
    for row, shape, (x, y) in zip(counts, shapes, np.asarray(corners, np.int64).reshape(-1, 2), strict=True):
        _under(shape.mask, int(x), int(y), regions.atoms, row)
    return counts


@compiled
def _under(mask: BoolArray, x: int, y: int, atoms: IntArray, counts: npt.NDArray[np.float64]) -> None:
    h, w = mask.shape
    for i in range(max(0, -y), min(h, atoms.shape[0] - y)):
        for j in range(max(0, -x), min(w, atoms.shape[1] - x)):
            if mask[i, j]:
                counts[atoms[y + i, x + j]] += 1
