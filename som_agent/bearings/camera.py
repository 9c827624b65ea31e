"""The pinhole camera: from pixels to directions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.errors import InputError

__all__ = ["Camera", "angles_deg"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with the lens distortion of Brown ("Close-range camera calibration", 1971).

    Pixels are counted as everywhere here: 0, 0 is the corner of the picture, the middle of its first pixel
    is at 0.5, 0.5. OpenCV's calibration puts 0, 0 into that middle: add 0.5 to its `cx` and `cy`.

    Attributes:
        fx, fy: focal lengths in pixels.
        cx, cy: where the optical axis meets the picture, in pixels.
        size: width and height of the pictures in pixels.
        distortion: k1, k2, p1, p2, k3 in OpenCV's order.
        height_m: of the camera above a flat floor; None where there is none, or it is not known.
        pitch_deg: how far the optical axis looks up; a camera that looks down has a negative pitch.

    Raises:
        InputError: a number that no camera has.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    size: tuple[int, int]
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    height_m: float | None = None
    pitch_deg: float = 0.0

    def __post_init__(self) -> None:
        for name in ("fx", "fy"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"the camera's {name} must be a length in pixels above 0, got {value}")
        for name in ("cx", "cy"):
            if not math.isfinite(getattr(self, name)):
                raise InputError(f"the camera's {name} must be in pixels, got {getattr(self, name)}")
        if len(self.size) != 2 or min(self.size) < 1:
            raise InputError(f"the camera's size must be width and height in pixels, got {self.size}")
        if len(self.distortion) != 5 or not all(map(math.isfinite, self.distortion)):
            raise InputError(f"the camera's distortion must be k1, k2, p1, p2, k3, got {self.distortion}")
        if self.height_m is not None and not (math.isfinite(self.height_m) and self.height_m > 0):
            raise InputError(f"the camera's height_m must be above 0, got {self.height_m}")
        if not -90 < self.pitch_deg < 90:
            raise InputError(f"the camera's pitch_deg must be between -90 and 90, got {self.pitch_deg}")

    @classmethod
    def of_fov(
        cls,
        size: tuple[int, int],
        vertical_fov_deg: float,
        *,
        height_m: float | None = None,
        pitch_deg: float = 0.0,
    ) -> Camera:
        """A camera with square pixels, no distortion and its axis in the middle of the picture.

        Raises:
            InputError: a field of view that no pinhole has, or another such number.
        """
        if not 0 < vertical_fov_deg < 180:
            raise InputError(f"vertical_fov_deg must be between 0 and 180, got {vertical_fov_deg}")
        w, h = size
        focal = h / 2 / math.tan(math.radians(vertical_fov_deg) / 2)
        return cls(focal, focal, w / 2, h / 2, (w, h), height_m=height_m, pitch_deg=pitch_deg)

    def rays(self, points: npt.ArrayLike) -> Floats:
        """Directions in which pixels look.

        Args:
            points: x, y in pixels, `[N, 2]`.

        Returns:
            Unit vectors `[N, 3]`: right, down, ahead; level, that is with the pitch taken out.
        """
        flat = self._on_plane(np.asarray(points, np.float64).reshape(-1, 2))
        pitch = math.radians(self.pitch_deg)
        down = math.cos(pitch) * flat[:, 1] - math.sin(pitch)
        ahead = math.sin(pitch) * flat[:, 1] + math.cos(pitch)
        rays = np.stack([flat[:, 0], down, ahead], axis=1)
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))

    def depth_factors(self, points: npt.ArrayLike) -> Floats:
        """Distance of a point for each metre of its depth along the optical axis, `[N]` ≥ 1."""
        flat = self._on_plane(np.asarray(points, np.float64).reshape(-1, 2))
        return np.asarray(np.sqrt(1 + (flat**2).sum(axis=1)))

    def _on_plane(self, points: Floats) -> Floats:
        """Where their rays meet the plane one unit before the camera, `[N, 2]`."""
        matrix: Floats = np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])
        if not any(self.distortion) or not len(points):
            return np.asarray((points - matrix[:2, 2]) / np.array([self.fx, self.fy]))
        flat = cv2.undistortPoints(points[:, None], matrix, np.array(self.distortion))
        return np.asarray(flat, np.float64).reshape(-1, 2)


def angles_deg(rays: Floats) -> tuple[Floats, Floats]:
    """Azimuth, to the right, and elevation, upwards, of directions `[N, 3]`, in degrees."""
    azimuth = np.degrees(np.arctan2(rays[:, 0], rays[:, 2]))
    elevation = np.degrees(np.arctan2(-rays[:, 1], np.hypot(rays[:, 0], rays[:, 2])))
    return azimuth, elevation
