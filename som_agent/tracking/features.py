"""What regions look like and where they are, from one pass over the frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.appearance import surface_colors
from som_agent.regions import BoolArray, FloatArray, IntArray, Regions
from som_agent.tracking.associate import totals
from som_agent.video.frame import Image
from som_kernels._jit import compiled

__all__ = ["Features", "likeness"]

CELL = 16.0
"""Side of a bin of surface colour."""
BLUR = 9.0
"""Noise and light move colours by about this much: standard deviation of the blur of histograms."""
EDGES = 10.0, 30.0, 80.0
"""Strength of an edge (grey levels across two pixels) from which it counts as faint, clear or hard."""
TEXTURES = 1 + 3 * 4
"""No edge, or one of three strengths in one of four directions."""
TEXTURE_WEIGHT = 0.5
"""Exponent of the likeness of textures: half as much as colour's, as they change with blur and distance."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """Sums over each atom, of which any set of atoms has its own by one small product.

    Attributes:
        counts: pixels of each bin of colour (blurred) and of texture, `[A + 1, C + T] float64`.
        moments: sums of x and y, and the count of pixels, `[A + 1, 3] float64`.
    """

    counts: _Floats
    moments: _Floats

    @classmethod
    def measure(cls, image: Image, regions: Regions) -> Features:
        """Measure `image`, `[h, w, 3] uint8` RGB of the regions' size."""
        n = regions.members.shape[1]
        table, bins = _color_bins()
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        across, down = (
            cv2.Sobel(gray, cv2.CV_16S, 1, 0, scale=0.25),
            cv2.Sobel(gray, cv2.CV_16S, 0, 1, scale=0.25),
        )
        counts = np.zeros((n, bins + TEXTURES))
        _count(
            np.ascontiguousarray(image),
            np.asarray(across),
            np.asarray(down),
            regions.atoms,
            table,
            bins,
            counts,
        )
        _spread(counts, _blur())
        areas = regions.atom_areas[:, None].astype(np.float64)
        return cls(counts, np.concatenate([regions.atom_centroids * areas, areas], axis=1))

    def area(self, members: BoolArray) -> _Floats:
        """Pixels of sets of atoms `[N, A + 1] bool`, `[N]`."""
        return totals(members, self.moments[:, 2:])[:, 0]

    def looks(self, members: BoolArray) -> FloatArray:
        """Histograms of surface colour and of texture, each of sum 1, `[N, C + T] float32`."""
        counts = totals(members, self.counts)
        return np.asarray(counts / np.maximum(self.area(members), 1)[:, None], np.float32)

    def whole(self) -> FloatArray:
        """Looks of the whole picture, `[1, C + T] float32`."""
        return np.asarray(
            self.counts.sum(axis=0, keepdims=True) / max(self.moments[:, 2].sum(), 1), np.float32
        )

    def centers(self, members: BoolArray) -> FloatArray:
        """Centroid x, y in pixels, `[N, 2] float32`."""
        sums = totals(members, self.moments)
        return np.asarray(sums[:, :2] / np.maximum(sums[:, 2:], 1), np.float32)


def likeness(a: FloatArray, b: FloatArray) -> FloatArray:
    """How alike two lists of looks are, 0 to 1, `[len(a), len(b)]`.

    Bhattacharyya's coefficient of the blurred histograms of colour, squared, and that of texture.
    """
    # Not `@`: products as small as these take longer to be shared out among threads than to be done.
    a, b = np.sqrt(a), np.sqrt(b)
    color = np.einsum("ik,jk->ij", a[:, :-TEXTURES], b[:, :-TEXTURES])
    texture = np.einsum("ik,jk->ij", a[:, -TEXTURES:], b[:, -TEXTURES:])
    like = np.square(color) * np.maximum(texture, 0.0) ** TEXTURE_WEIGHT
    return np.asarray(np.minimum(like, 1.0), np.float32)


@cache
def _cells() -> tuple[IntArray, FloatArray]:
    """Bin of each colour of 5 bits a channel, `[32768] int32`, and the bins' surface colours, `[C, 3]`."""
    five = np.arange(32, dtype=np.uint8) * 8 + 4
    r, g, b = np.meshgrid(five, five, five, indexing="ij")
    surface = surface_colors(np.stack([r, g, b], axis=-1).reshape(1, -1, 3))[0]
    cells, bins = np.unique(np.rint(surface / CELL), axis=0, return_inverse=True)
    return bins.ravel().astype(np.int32), (cells * CELL).astype(np.float32)


def _color_bins() -> tuple[IntArray, int]:
    table, cells = _cells()
    return table, len(cells)


@cache
def _blur() -> FloatArray:
    """What a pixel of one bin adds to every bin, `[C, C]`, rows of sum 1."""
    _, cells = _cells()
    apart = np.square(cells[:, None] - cells[None]).sum(axis=2)
    weights = np.exp(-0.5 * apart / BLUR**2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


@compiled
def _spread(counts: _Floats, blur: FloatArray) -> None:
    """Blur the colours of histograms in place."""
    bins = len(blur)
    row = np.empty(bins)
    for atom in range(len(counts)):
        row[:] = 0
        for k in range(bins):
            if counts[atom, k]:
                row += counts[atom, k] * blur[k]
        counts[atom, :bins] = row


@compiled
def _count(
    image: Image, across: Any, down: Any, atoms: IntArray, table: IntArray, bins: int, counts: _Floats
) -> None:
    h, w = atoms.shape
    faint, clear, hard = EDGES
    for y in range(h):
        for x in range(w):
            atom = atoms[y, x]
            r, g, b = image[y, x, 0] >> 3, image[y, x, 1] >> 3, image[y, x, 2] >> 3
            counts[atom, table[(r << 10) | (g << 5) | b]] += 1
            dx, dy = across[y, x], down[y, x]
            strength = (dx * dx + dy * dy) ** 0.5
            kind = 0
            if strength >= faint:
                level = 2 if strength >= hard else 1 if strength >= clear else 0
                if abs(dx) > 2.4 * abs(dy):  # within 22.5 degrees of an axis
                    way = 0
                elif abs(dy) > 2.4 * abs(dx):
                    way = 1
                else:
                    way = 2 if (dx > 0) == (dy > 0) else 3
                kind = 1 + level * 4 + way
            counts[atom, bins + kind] += 1
