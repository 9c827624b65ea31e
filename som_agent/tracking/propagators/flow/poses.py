"""Boxes and affine maps of objects, compiled. A map is `[2, 3] float64`, a box x0, y0, x1, y1."""

from __future__ import annotations

from typing import Any

import numpy as np

from som_agent.tracking.propagators.flow.shape_memory import Box
from som_kernels._jit import compiled

__all__ = ["follow", "inverse", "joined", "moved", "widened"]

MARGIN_SHARE, MARGIN_PX = 0.2, 7
"""How far around the object's box it is looked for."""


@compiled
def widened(x0: int, y0: int, x1: int, y1: int, h: int, w: int) -> Box:
    """A box with the margin in which an object is looked for, inside a picture of `h` × `w`."""
    x, y = max(int(MARGIN_SHARE * (x1 - x0)), MARGIN_PX), max(int(MARGIN_SHARE * (y1 - y0)), MARGIN_PX)
    return max(x0 - x, 0), max(y0 - y, 0), min(x1 + x, w), min(y1 + y, h)


@compiled
def follow(pose: Any, motion: Any) -> None:
    """Put a motion after a pose, in place."""
    for c in range(3):
        x, y = pose[0, c], pose[1, c]
        pose[0, c] = motion[0, 0] * x + motion[0, 1] * y
        pose[1, c] = motion[1, 0] * x + motion[1, 1] * y
    pose[0, 2] += motion[0, 2]
    pose[1, 2] += motion[1, 2]


@compiled
def inverse(pose: Any) -> Any:
    """The inverse of an affine map `[2, 3]`."""
    a, b, c, d = pose[0, 0], pose[0, 1], pose[1, 0], pose[1, 1]
    area = a * d - b * c
    back = np.empty((2, 3))
    back[0, 0], back[0, 1], back[1, 0], back[1, 1] = d / area, -b / area, -c / area, a / area
    back[0, 2] = -back[0, 0] * pose[0, 2] - back[0, 1] * pose[1, 2]
    back[1, 2] = -back[1, 0] * pose[0, 2] - back[1, 1] * pose[1, 2]
    return back


@compiled
def moved(box: Box, pose: Any) -> Box:
    """The box around a box under an affine map without turning."""
    x0, y0 = pose[0, 0] * box[0] + pose[0, 2], pose[1, 1] * box[1] + pose[1, 2]
    x1, y1 = pose[0, 0] * box[2] + pose[0, 2], pose[1, 1] * box[3] + pose[1, 2]
    return int(np.floor(x0)), int(np.floor(y0)), int(np.ceil(x1)), int(np.ceil(y1))


@compiled
def joined(a: Box, b: Box) -> Box:
    """The box around both; an empty first one does not count."""
    if a[2] <= a[0]:
        return b
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
