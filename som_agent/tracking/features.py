"""What a region looks like and where it is, from one pass over the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from som_agent.appearance import surface_colors
from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.video.frame import Image

__all__ = ["Features", "likeness"]

COLOR_SCALE = 12.0
"""Difference of mean surface colours at which likeness falls to 0.61."""


@dataclass(frozen=True)
class Features:
    """Sums over each atom, `[A + 1, 6]`: surface colour, x, y and the pixel count.

    Any set of atoms then has its mean colour and centre from one small product.
    """

    sums: npt.NDArray[np.float64]

    @classmethod
    def measure(cls, image: Image, regions: Regions) -> Features:
        """Measure `image`, `[h, w, 3] uint8` RGB of the regions' size."""
        surface = surface_colors(image)
        n = regions.members.shape[1]
        flat = regions.atoms.ravel()
        colors = [np.bincount(flat, weights=surface[..., c].ravel(), minlength=n) for c in range(3)]
        areas = regions.atom_areas[:, None].astype(np.float64)
        return cls(np.concatenate([np.stack(colors, axis=1), regions.atom_centroids * areas, areas], axis=1))

    def area(self, members: BoolArray) -> npt.NDArray[np.float64]:
        """Pixels of sets of atoms `[N, A + 1] bool`, `[N]`."""
        area: npt.NDArray[np.float64] = members @ self.sums[:, 5]
        return area

    def colors(self, members: BoolArray) -> FloatArray:
        """Mean `surface_colors`, `[N, 3] float32`."""
        return self._mean(members, slice(0, 3))

    def centers(self, members: BoolArray) -> FloatArray:
        """Centroid x, y in pixels, `[N, 2] float32`."""
        return self._mean(members, slice(3, 5))

    def _mean(self, members: BoolArray, columns: slice) -> FloatArray:
        mean = members @ self.sums[:, columns] / np.maximum(self.area(members), 1)[:, None]
        return np.asarray(mean, dtype=np.float32)


def likeness(a: FloatArray, b: FloatArray) -> FloatArray:
    """How alike mean surface colours are, 0 to 1, `[len(a), len(b)]`."""
    distance = np.linalg.norm(a[:, None] - b[None], axis=2)
    return np.asarray(np.exp(-0.5 * np.square(distance / COLOR_SCALE)), np.float32)
