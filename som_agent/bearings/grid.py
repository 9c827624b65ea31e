"""Directions and solid angles of all pixels of the pictures that are processed, computed once a camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from som_agent.bearings.camera import Camera, Floats, angles_deg
from som_agent.bearings.ranges import Range
from som_agent.regions import Regions

__all__ = ["PixelGrid"]

NEAREST = 0.1
"""Share of a mask's depths that may be nearer than what counts as its range: stray ones of a border."""
LEAST_DEPTHS = 4
DEPTH_NOISE = 0.005
"""How exact a range from depth can be at best, as a share of it."""
FOOT = 0.05
"""A row of a mask may be its foot where it is at least this share of the mask's width."""
FOOT_NOISE_PX = 0.3
LEAST_DIP_DEG = 1.0
"""Nearer to the horizon a pixel more or less changes a range over the floor beyond use."""


@dataclass(frozen=True)
class PixelGrid:
    """`h` × `w` pixels of one camera's pictures, perhaps at a smaller size than the source's.

    Attributes:
        camera: the camera.
        shape: h, w.
        rays: unit vectors of the pixels' middles, level, `[h, w, 3]`.
        solid: steradians that each pixel covers, `[h, w]`.
        factors: distance for a metre of depth, `[h, w]`.
    """

    camera: Camera
    shape: tuple[int, int]
    rays: Floats
    solid: Floats
    factors: Floats

    @classmethod
    def of(cls, camera: Camera, shape: tuple[int, int]) -> PixelGrid:
        """The grid of pictures processed at h, w."""
        h, w = shape
        scale = np.array(camera.size) / (w, h)
        x, y = np.meshgrid(np.arange(w + 1), np.arange(h + 1))
        corners = camera.rays(np.stack([x, y], axis=-1).reshape(-1, 2) * scale).reshape(h + 1, w + 1, 3)
        a, b, c = corners[:-1, :-1], corners[:-1, 1:], corners[1:, :-1]
        middles = np.stack([x[:-1, :-1] + 0.5, y[:-1, :-1] + 0.5], axis=-1).reshape(-1, 2) * scale
        return cls(
            camera,
            shape,
            rays=camera.rays(middles).reshape(h, w, 3),
            # A pixel is so small that on the unit sphere it is a flat parallelogram.
            solid=np.linalg.norm(np.cross(b - a, c - a), axis=-1),
            factors=camera.depth_factors(middles).reshape(h, w),
        )

    @property
    def pixel_rad(self) -> float:
        """The angle that a pixel of this grid covers in the middle of the picture."""
        return self.camera.size[1] / self.shape[0] / self.camera.fy

    def middles(self, regions: Regions) -> tuple[Floats, Floats]:
        """Solid angle of each region, `[N]`, and the mean of the directions that it covers, `[N, 3]`."""
        atoms, n = regions.atoms.ravel(), regions.members.shape[1]
        weights = [self.solid, *(self.solid * self.rays[..., axis] for axis in range(3))]
        sums = np.stack([np.bincount(atoms, weight.ravel(), n) for weight in weights], axis=1)
        total = regions.members.astype(np.float64) @ sums
        return total[:, 0], total[:, 1:]

    def sides(self, boxes: Floats) -> Floats:
        """Azimuths of the left and right and elevations of the upper and lower side of boxes `[N, 4]`.

        Each is that of the side's middle, in degrees; `[N, 4]` as left, right, top, bottom.
        """
        x0, y0, x1, y1 = boxes.T
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        left, _ = angles_deg(self._level(x0, y))
        right, _ = angles_deg(self._level(x1, y))
        _, top = angles_deg(self._level(x, y0))
        _, bottom = angles_deg(self._level(x, y1))
        return np.stack([left, right, top, bottom], axis=1)

    def cut(self, boxes: Floats) -> npt.NDArray[np.bool_]:
        """Which boxes `[N, 4]` the picture's border may cut."""
        h, w = self.shape
        return np.asarray((boxes[:, :2] <= 0).any(axis=1) | (boxes[:, 2] >= w) | (boxes[:, 3] >= h))

    def depth_range(self, regions: Regions, k: int, depth: Floats) -> Range | None:
        """Range of region `k` by a depth map of the source, `[H, W]` metres, NaN where it is not known."""
        x0, y0, x1, y1 = regions.boxes[k]
        (h, w), (height, width) = self.shape, depth.shape
        rows = ((np.arange(y0, y1) + 0.5) * height / h).astype(np.int64)
        columns = ((np.arange(x0, x1) + 0.5) * width / w).astype(np.int64)
        mask = regions.crop(k)
        far = depth[rows[:, None], columns][mask] * self.factors[y0:y1, x0:x1][mask]
        known = np.isfinite(far)
        if known.sum() < LEAST_DEPTHS:
            return None
        far, rays = far[known], self.rays[y0:y1, x0:x1][mask][known]
        metres = float(np.quantile(far, NEAREST))
        ground = float(np.quantile(far * np.hypot(rays[:, 0], rays[:, 2]), NEAREST))
        at = angles_deg(rays[far <= metres].mean(axis=0, keepdims=True))[0][0]
        return Range(metres, ground, float(at), "depth", DEPTH_NOISE * metres)

    def floor_range(self, regions: Regions, k: int) -> Range | None:
        """Range of the point where region `k` stands on the floor, if it is seen to."""
        _, y0, _, y1 = (int(v) for v in regions.boxes[k])
        if self.camera.height_m is None or y1 >= self.shape[0]:
            return None
        mask = regions.crop(k)
        wide = mask.sum(axis=1)
        row = int(np.flatnonzero(wide >= max(1.0, FOOT * mask.shape[1]))[-1])
        x = float(regions.boxes[k][0]) + float(np.flatnonzero(mask[row]).mean()) + 0.5
        ray = self._level(np.array([x]), np.array([float(y0 + row + 1)]))[0]
        if ray[1] < np.sin(np.radians(LEAST_DIP_DEG)):
            return None
        metres = self.camera.height_m / float(ray[1])
        ground = metres * float(np.hypot(ray[0], ray[2]))
        # d(range) = range * ground / height * d(angle)
        noise = FOOT_NOISE_PX * self.pixel_rad * metres * ground / self.camera.height_m
        at = math.degrees(math.atan2(ray[0], ray[2]))
        return Range(metres, ground, at, "floor", noise)

    def _level(self, x: Floats, y: Floats) -> Floats:
        """Directions of points of this grid."""
        scale = np.array(self.camera.size) / self.shape[::-1]
        return self.camera.rays(np.stack([x, y], axis=1) * scale)
