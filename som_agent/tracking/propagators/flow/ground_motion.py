"""How what surrounds an object moves, and whether a pixel moves with it or with the object."""

from __future__ import annotations

from typing import Any

import numpy as np

from som_agent.regions import FloatArray
from som_agent.tracking.propagators.flow.object_motion import LEAST_POINTS, POINTS
from som_agent.tracking.propagators.flow.votes import STEP, Window
from som_kernels._jit import compiled

__all__ = ["fit_ground", "motion_cue"]

GROUND_ROUNDS = 2
MOTION_SCALE_PX = 1.5
"""Differences in flow below this say nothing."""


@compiled
def fit_ground(flow: FloatArray, ground: FloatArray, window: Window) -> tuple[bool, Any]:
    """The motion of what is around an object: an affine field, fitted robustly.

    Args:
        flow: from the present to the frame before, `[h, w, 2] float32`.
        ground: the object's share at samples of the present, `[rows, columns] float32`; below 0.05 is ground.
        window: where those samples lie.

    Returns:
        Whether there was enough ground, and the field `[2, 3] float64` from samples' column and row to flow.
    """
    x0, y0, columns, rows = window
    h, w = flow.shape[:2]
    field = np.zeros((2, 3))
    stride = max(1, int(np.sqrt(columns * rows / POINTS)))
    p = np.empty((4, (rows // stride + 1) * (columns // stride + 1)))
    n = 0
    for j in range(0, rows, stride):
        for i in range(0, columns, stride):
            x, y = x0 + STEP * i, y0 + STEP * j
            if ground[j, i] < 0.05 and 0 <= x < w and 0 <= y < h:
                p[0, n], p[1, n], p[2, n], p[3, n] = i, j, flow[y, x, 0], flow[y, x, 1]
                n += 1
    if n < 3 * LEAST_POINTS:
        return False, field
    left = np.empty(n)
    field[0, 2], field[1, 2] = np.median(p[2, :n]), np.median(p[3, :n])
    normal, right = np.empty((3, 3)), np.empty((3, 2))
    for _ in range(GROUND_ROUNDS):
        for k in range(n):
            u = p[2, k] - field[0, 0] * p[0, k] - field[0, 1] * p[1, k] - field[0, 2]
            v = p[3, k] - field[1, 0] * p[0, k] - field[1, 1] * p[1, k] - field[1, 2]
            left[k] = u * u + v * v
        unit = max(np.median(left), 0.1)
        normal[:], right[:] = 0, 0
        normal[0, 0], normal[1, 1] = 1, 1
        for k in range(n):
            weight = 1 / (1 + left[k] / unit)
            i, j, u, v = p[0, k], p[1, k], weight * p[2, k], weight * p[3, k]
            normal[0, 0] += weight * i * i
            normal[0, 1] += weight * i * j
            normal[0, 2] += weight * i
            normal[1, 1] += weight * j * j
            normal[1, 2] += weight * j
            normal[2, 2] += weight
            right[0, 0] += u * i
            right[1, 0] += u * j
            right[2, 0] += u
            right[0, 1] += v * i
            right[1, 1] += v * j
            right[2, 1] += v
        field = _solve(normal, right)
    return True, field


@compiled
def _solve(normal: Any, right: Any) -> Any:
    """Cramer's rule for two right-hand sides of a symmetric 3 × 3 system, its upper half given, `[2, 3]`."""
    a, b, c = normal[0, 0], normal[0, 1], normal[0, 2]
    d, e, f = normal[1, 1], normal[1, 2], normal[2, 2]
    inverse = np.empty((3, 3))
    inverse[0, 0], inverse[0, 1], inverse[0, 2] = d * f - e * e, c * e - b * f, b * e - c * d
    inverse[1, 1], inverse[1, 2], inverse[2, 2] = a * f - c * c, b * c - a * e, a * d - b * b
    inverse[1, 0], inverse[2, 0], inverse[2, 1] = inverse[0, 1], inverse[0, 2], inverse[1, 2]
    scale = 1 / (a * inverse[0, 0] + b * inverse[0, 1] + c * inverse[0, 2])
    result = np.zeros((2, 3))
    for k in range(2):
        for r in range(3):
            for s in range(3):
                result[k, r] += scale * inverse[r, s] * right[s, k]
    return result


@compiled
def motion_cue(flow: FloatArray, field: Any, back: Any, window: Window) -> FloatArray:
    """Whether samples move with the object or with the ground around it.

    The log of the ratio of two heavy-tailed likelihoods (Student's, with one degree of freedom).

    Args:
        flow: from the present to the frame before, `[h, w, 2] float32`.
        field: the ground's motion, see `fit_ground`.
        back: the object's motion from the present to the frame before, `[2, 3] float64`.
        window: where the samples lie.

    Returns:
        `[rows, columns] float32`, positive where they move with the object, at most 2 either way.
    """
    x0, y0, columns, rows = window
    h, w = flow.shape[:2]
    cue = np.zeros((rows, columns), np.float32)
    unit = MOTION_SCALE_PX * MOTION_SCALE_PX
    for j in range(rows):
        for i in range(columns):
            x, y = x0 + STEP * i, y0 + STEP * j
            if x < 0 or y < 0 or x >= w or y >= h:
                continue
            u, v = flow[y, x, 0], flow[y, x, 1]
            from_ground = (u - field[0, 0] * i - field[0, 1] * j - field[0, 2]) ** 2
            from_ground += (v - field[1, 0] * i - field[1, 1] * j - field[1, 2]) ** 2
            from_object = (u - (back[0, 0] * x + back[0, 1] * y + back[0, 2] - x)) ** 2
            from_object += (v - (back[1, 0] * x + back[1, 1] * y + back[1, 2] - y)) ** 2
            log = np.log((unit + from_ground) / (unit + from_object))
            cue[j, i] = min(max(log, -2.0), 2.0)
    return cue
