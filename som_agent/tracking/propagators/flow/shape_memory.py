"""The shape that an object had lately, kept in the pixels of the frame in which it was given."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from som_agent.regions import FloatArray
from som_agent.tracking.propagators.flow.votes import STEP
from som_agent.video.frame import Image
from som_kernels._jit import compiled

__all__ = ["Box", "box_of", "mean_depth_px", "points_of", "remember", "seen_share"]

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, the last two one past the end; empty where x1 <= x0."""


def mean_depth_px(soft: FloatArray) -> float:
    """How deep the pixels of a shape lie in it on average: a quarter of its width, for a band."""
    inside = np.pad(soft > 0.5, 1).view(np.uint8)
    return float(cv2.distanceTransform(inside, cv2.DIST_L2, 3).sum() / max(int(inside.sum()), 1))


@compiled
def points_of(
    soft: FloatArray, trust: FloatArray, smooth: Image, corner: tuple[int, int], most: int
) -> FloatArray:
    """Points spread over an object, in raster order.

    Args:
        soft: the object's share in a box, `[m, n] float32`.
        trust: how sure that is, one value a sample.
        smooth: blurred colours of the frame, `[h, w, 3] uint8`.
        corner: x, y of the box.
        most: how many points at most.

    Returns:
        x, y, three colours, and weights that sum to one, `[p, 6] float32`.
    """
    m, n = soft.shape
    count = 0
    for y in range(m):
        for x in range(n):
            count += soft[y, x] > 0.5
    kept = min(count, most)
    points = np.zeros((kept, 6), np.float32)
    index, k, total = 0, 0, np.float32(0)
    for y in range(m):
        for x in range(n):
            if soft[y, x] <= 0.5:
                continue
            # The k-th of the points is the one in the middle of the k-th of equal runs.
            if k < kept and index >= (2 * k + 1) * count // (2 * kept):
                points[k, 0], points[k, 1] = x + corner[0], y + corner[1]
                for c in range(3):
                    points[k, 2 + c] = smooth[y + corner[1], x + corner[0], c]
                points[k, 5] = soft[y, x] * trust[y // STEP, x // STEP] + np.float32(0.02)
                total += points[k, 5]
                k += 1
            index += 1
    for i in range(kept):
        points[i, 5] /= total
    return points


@compiled
def box_of(soft: FloatArray, corner: tuple[int, int], threshold: float) -> Box:
    """Box of what lies above a threshold."""
    m, n = soft.shape
    left, top, right, bottom = n, m, 0, 0
    for y in range(m):
        for x in range(n):
            if soft[y, x] > threshold:
                left, right = min(left, x), max(right, x + 1)
                top, bottom = min(top, y), max(bottom, y + 1)
    if right == 0:
        return 0, 0, 0, 0
    return left + corner[0], top + corner[1], right + corner[0], bottom + corner[1]


@compiled
def seen_share(soft: FloatArray, support: FloatArray) -> Any:
    """How much of the remembered shape is seen, 0 to 1.

    Args:
        soft: the object's share in a box, `[m, n] float32`.
        support: the remembered shape at the box's samples.
    """
    seen, whole = np.float32(0), np.float32(0)
    for j in range(support.shape[0]):
        for i in range(support.shape[1]):
            seen += support[j, i] * soft[STEP * j, STEP * i]
            whole += support[j, i]
    return seen / whole if whole > 0 else np.float32(0)


@compiled
def remember(
    shape: FloatArray,
    origin: tuple[int, int],
    pose: Any,
    soft: FloatArray,
    trust: FloatArray,
    corner: tuple[int, int],
    size: tuple[int, int],
    rate: float,
) -> None:
    """Let the remembered shape follow what was seen, in place.

    Growth counts only as far as the reference agrees: a leak must not become the shape.

    Args:
        shape: `[m, n] float32` in the reference's pixels.
        origin: x, y of the first one.
        pose: from there to the present, `[2, 3] float64`.
        soft: the object's share in a box of the present.
        trust: how far the reference agrees, one value a sample of that box.
        corner: x, y of it.
        size: height and width of the present frame; nothing is learnt of what lies outside.
        rate: share of the new in the memory, 0 to 1.
    """
    for v in range(shape.shape[0]):
        for u in range(shape.shape[1]):
            x = int(np.rint(pose[0, 0] * (u + origin[0]) + pose[0, 1] * (v + origin[1]) + pose[0, 2]))
            y = int(np.rint(pose[1, 0] * (u + origin[0]) + pose[1, 1] * (v + origin[1]) + pose[1, 2]))
            if x < 0 or y < 0 or x >= size[1] or y >= size[0]:
                continue
            a, b = x - corner[0], y - corner[1]
            seen, sure = np.float32(0), np.float32(1)
            if a >= 0 and b >= 0 and a < soft.shape[1] and b < soft.shape[0]:
                seen = soft[b, a]
                if seen > shape[v, u]:
                    sure = min(np.float32(2) * seen * trust[b // STEP, a // STEP], np.float32(1))
            shape[v, u] += np.float32(rate) * sure * (seen - shape[v, u])
