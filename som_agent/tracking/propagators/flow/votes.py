"""Pixels ask pixels of the past that look alike and lie near: were you part of the object?

A bilateral filter across frames, in the spirit of bilateral space video segmentation (Märki et al., CVPR
2016) and of non-local label transfer. It stands between a flow, which must be right to the pixel, and a
colour model, which knows nothing of places. All is done on every second pixel of a box, in compiled loops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from som_agent.regions import FloatArray
from som_agent.video.frame import Image
from som_kernels._jit import compiled

__all__ = ["STEP", "Window", "all_votes", "past_by_flow", "past_by_pose", "vote"]

STEP = 2
"""Pixels from one sample to the next."""

Window = tuple[int, int, int, int]
"""Where samples lie: x and y of the first one in pixels, columns and rows."""


@compiled
def past_by_flow(
    lab: Image, soft: FloatArray, corner: tuple[int, int], flow: FloatArray, window: Window
) -> FloatArray:
    """Samples of the frame before, each taken where the flow says that the pixel was.

    Args:
        lab: colours of the frame before, `[h, w, 3] uint8`.
        soft: how much each pixel of a box of it was the object, `[m, n] float32`, 0 to 1; 0 outside the box.
        corner: x, y of that box.
        flow: from the present to the frame before, `[h, w, 2] float32`.
        window: which pixels of the present; they may lie outside.

    Returns:
        `[5, rows, columns] float32`: three colours, the object's share, and 1 where there was a pixel at all.
    """
    x0, y0, columns, rows = window
    h, w = lab.shape[:2]
    past = np.zeros((5, rows, columns), np.float32)
    half = np.float32(0.5)
    for j in range(rows):
        y = y0 + STEP * j
        if y < 0 or y >= h:
            continue
        for i in range(columns):
            x = x0 + STEP * i
            if x < 0 or x >= w:
                continue
            u, v = x + flow[y, x, 0] + half, y + flow[y, x, 1] + half
            if u >= 0 and v >= 0 and u < w and v < h:
                _take(lab, int(u), int(v), soft, int(u) - corner[0], int(v) - corner[1], past, j, i)
    return past


@compiled
def past_by_pose(
    lab: Image,
    origin: tuple[int, int],
    soft: FloatArray,
    corner: tuple[int, int],
    back: Any,
    window: Window,
) -> FloatArray:
    """Samples of another frame, each taken where an affine map says that the pixel was; see `past_by_flow`.

    Args:
        lab: colours of a box of the other frame, `[m, n, 3] uint8`.
        origin: x, y of that box.
        soft: the object's share in another box of it.
        corner: x, y of that one.
        back: from the present to the other frame, `[2, 3] float64`.
        window: which pixels of the present.
    """
    x0, y0, columns, rows = window
    m, n = lab.shape[:2]
    past = np.zeros((5, rows, columns), np.float32)
    for j in range(rows):
        y = y0 + STEP * j
        u0 = back[0, 0] * x0 + back[0, 1] * y + back[0, 2] - origin[0] + 0.5
        v0 = back[1, 0] * x0 + back[1, 1] * y + back[1, 2] - origin[1] + 0.5
        for i in range(columns):
            u, v = u0 + STEP * i * back[0, 0], v0 + STEP * i * back[1, 0]
            if u >= 0 and v >= 0 and u < n and v < m:
                a, b = int(u) + origin[0] - corner[0], int(v) + origin[1] - corner[1]
                _take(lab, int(u), int(v), soft, a, b, past, j, i)
    return past


@compiled
def _take(
    lab: Image, u: int, v: int, soft: FloatArray, a: int, b: int, past: FloatArray, j: int, i: int
) -> None:
    """Copy pixel u, v of the other frame, which is a, b in the object's box, into the sample j, i."""
    past[0, j, i], past[1, j, i], past[2, j, i] = lab[v, u, 0], lab[v, u, 1], lab[v, u, 2]
    past[4, j, i] = 1
    if a >= 0 and b >= 0 and a < soft.shape[1] and b < soft.shape[0]:
        past[3, j, i] = soft[b, a]


@compiled
def vote(
    now: FloatArray,
    past: FloatArray,
    reach: int,
    color_scale: float,
    space_scale: float,
    given: FloatArray,
    asked: FloatArray,
) -> None:
    """Add the votes of a window around each sample.

    A vote weighs less the more colours differ and the farther apart samples are: Gaussians, the one of
    colour as the compact power (1 - x/8)^8, which needs no exponential and is 0 from four scales on.

    Args:
        now: colours of the present with a rim as wide as the window's reach, `[3, rows, columns] float32`.
        past: samples of the past at the same places, `[5, rows, columns] float32`.
        reach: radius of the round window in samples.
        color_scale: in the units of the colours.
        space_scale: in samples.
        given: votes for the object are added here, `[rows, columns] float32`; what falls on the rim is void.
        asked: all votes are added here.
    """
    _, rows, columns = now.shape
    # Over flat arrays one shift is one long loop. It is split in two because the compiler checks arrays for
    # overlap before it uses vector instructions, and gives up where there are too many of them.
    rim = reach * columns + reach
    count = rows * columns - 2 * rim
    l0, a0, b0 = now[0].ravel()[rim:], now[1].ravel()[rim:], now[2].ravel()[rim:]
    yes, all_ = given.ravel()[rim:], asked.ravel()[rim:]
    alike = np.empty(count, np.float32)
    sharp, one, none = np.float32(1 / (16 * color_scale * color_scale)), np.float32(1), np.float32(0)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            far = dy * dy + dx * dx
            if far > reach * reach + 1:
                continue
            near = np.float32(np.exp(-far / (2 * space_scale * space_scale)))
            start = rim + dy * columns + dx
            l1, a1, b1 = past[0].ravel()[start:], past[1].ravel()[start:], past[2].ravel()[start:]
            share, known = past[3].ravel()[start:], past[4].ravel()[start:]
            for x in range(count):
                p, q, r = l0[x] - l1[x], a0[x] - a1[x], b0[x] - b1[x]
                weight = one - (p * p + q * q + r * r) * sharp
                weight = weight if weight > none else none
                weight *= weight
                weight *= weight
                weight *= weight
                alike[x] = weight * near * known[x]
            for x in range(count):
                yes[x] += alike[x] * share[x]
                all_[x] += alike[x]


@compiled
def all_votes(reach: int, space_scale: float) -> float:
    """What all votes come to where every colour is the same."""
    total = 0.0
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if dy * dy + dx * dx <= reach * reach + 1:
                total += np.exp(-(dy * dy + dx * dx) / (2 * space_scale * space_scale))
    return total
