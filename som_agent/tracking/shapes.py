"""Outlines of objects, moved over the present frame to see what lies under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from som_agent.regions import BoolArray, FloatArray, IntArray, Regions
from som_kernels._jit import compiled

__all__ = [
    "Shape",
    "around",
    "box_of_atoms",
    "pixels_under",
    "places_around",
    "seen_under",
    "shape_of",
    "under",
]


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

    @cached_property
    def area(self) -> int:
        """Pixels in it."""
        return int(np.count_nonzero(self.mask))

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
    x0, y0, x1, y1 = box_of(regions, members)
    return Shape(_cut(regions.atoms, members, x0, y0, x1, y1), (x0, y0), (float(center[0]), float(center[1])))


def box_of(regions: Regions, members: BoolArray) -> tuple[int, int, int, int]:
    """Tight box of a set of atoms, `[A + 1] bool`, that is not empty, as x0, y0, x1, y1."""
    box: tuple[int, int, int, int] = box_of_atoms(regions.atom_boxes, regions.atom_areas, members)
    return box


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


def around(shape: Shape, members: BoolArray, regions: Regions) -> FloatArray:
    """Places of an outline's centroid that bring it over a set of atoms: middle on middle, edge on edge.

    Args:
        shape: the outline.
        members: the set, `[A + 1] bool`, not empty.
        regions: what the atoms belong to.

    Returns:
        `[9, 2] float32`.
    """
    x0, y0, x1, y1 = box_of(regions, members)
    places: FloatArray = places_around(shape.mask.shape, shape.corner, shape.center, x0, y0, x1, y1)
    return places


def seen_under(
    shape: Shape, places: FloatArray, members: BoolArray, hiding: BoolArray, regions: Regions
) -> npt.NDArray[np.float64]:
    """What lies under one outline at several places, `[P, 3]`: pixels of a set of atoms, bare ones, ground.

    Args:
        shape: the outline.
        places: where its centroid is put, x and y, `[P, 2] float32`.
        members: the set, `[A + 1] bool`.
        hiding: what may hide the rest, `[A + 1] bool`; what is in neither is bare, the ground included.
        regions: the present regions.
    """
    counts: npt.NDArray[np.float64] = pixels_under(
        shape.mask, shape.corner, shape.center, places, regions.atoms, members, hiding
    )
    return counts


@compiled
def box_of_atoms(
    boxes: IntArray, areas: npt.NDArray[np.int64], members: BoolArray
) -> tuple[int, int, int, int]:
    """See `box_of`; for compiled code, as the two below."""
    x0, y0, x1, y1 = 2**31 - 1, 2**31 - 1, 0, 0
    for a in range(len(members)):
        if members[a] and areas[a] > 0:
            x0, y0 = min(x0, boxes[a, 0]), min(y0, boxes[a, 1])
            x1, y1 = max(x1, boxes[a, 2]), max(y1, boxes[a, 3])
    return x0, y0, x1, y1


@compiled
def _cut(atoms: IntArray, members: BoolArray, x0: int, y0: int, x1: int, y1: int) -> BoolArray:
    mask = np.empty((y1 - y0, x1 - x0), np.bool_)
    for i in range(y1 - y0):
        for j in range(x1 - x0):
            mask[i, j] = members[atoms[y0 + i, x0 + j]]
    return mask


@compiled
def _under(mask: BoolArray, x: int, y: int, atoms: IntArray, counts: npt.NDArray[np.float64]) -> None:
    h, w = mask.shape
    for i in range(max(0, -y), min(h, atoms.shape[0] - y)):
        for j in range(max(0, -x), min(w, atoms.shape[1] - x)):
            if mask[i, j]:
                counts[atoms[y + i, x + j]] += 1


@compiled
def places_around(
    size: tuple[int, int],
    corner: tuple[int, int],
    center: tuple[float, float],
    x0: int,
    y0: int,
    x1: int,
    y1: int,
) -> FloatArray:
    """See `around`."""
    h, w = size
    dx, dy = center[0] - corner[0], center[1] - corner[1]
    places = np.empty((9, 2), np.float32)
    k = 0
    for x in ((x0 + x1 - w) / 2, x1 - w + 0.0, x0 + 0.0):
        for y in ((y0 + y1 - h) / 2, y1 - h + 0.0, y0 + 0.0):
            places[k, 0], places[k, 1] = x + dx, y + dy
            k += 1
    return places


@compiled
def pixels_under(
    mask: BoolArray,
    corner: tuple[int, int],
    center: tuple[float, float],
    places: FloatArray,
    atoms: IntArray,
    members: BoolArray,
    hiding: BoolArray,
) -> npt.NDArray[np.float64]:
    """See `seen_under`."""
    h, w = mask.shape
    kinds = np.zeros(len(members), np.int64)  # 0 hides, 1 is the set's, 2 is bare, 3 is ground
    for a in range(len(members)):
        kinds[a] = 1 if members[a] else 0 if hiding[a] else 2
    if kinds[0] == 2:
        kinds[0] = 3
    found = np.zeros((len(places), 3))
    counts = np.zeros(4, np.int64)
    for p in range(len(places)):
        x = corner[0] + int(np.rint(np.float64(places[p, 0]) - center[0]))  # as in `Shape.at`
        y = corner[1] + int(np.rint(np.float64(places[p, 1]) - center[1]))
        counts[:] = 0
        for i in range(max(0, -y), min(h, atoms.shape[0] - y)):
            for j in range(max(0, -x), min(w, atoms.shape[1] - x)):
                if mask[i, j]:
                    counts[kinds[atoms[y + i, x + j]]] += 1
        found[p, 0], found[p, 1], found[p, 2] = counts[1], counts[2] + counts[3], counts[3]
    return found
