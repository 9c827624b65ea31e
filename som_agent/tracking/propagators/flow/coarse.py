"""Large objects among many are followed at half the size, in a quarter of the pixels, and refined then."""

from __future__ import annotations

import numpy as np

from som_agent.regions import FloatArray
from som_agent.video.frame import Image
from som_kernels._jit import compiled

__all__ = ["HALF", "pooled", "refined"]

HALF = 2
"""Pixels of the working size to one of the coarse one."""
DECIDED = 0.1
"""Difference between neighbours up to which there is no edge to be found between them."""
COLOR_SCALE = 10.0
"""Difference in colour at which a coarse pixel's word counts for about 0.6."""
LEAST_WEIGHT = 1e-3


@compiled
def refined(soft: FloatArray, corner: tuple[int, int], fine: Image, coarse: Image) -> FloatArray:
    """An object's share of each pixel from that of each coarse pixel.

    Where the four nearest disagree, those of a pixel's own colour decide: joint bilateral upsampling (Kopf
    et al., SIGGRAPH 2007).

    Args:
        soft: the share in a box of the coarse picture, `[m, n] float32`.
        corner: x, y of the box in coarse pixels.
        fine: colours at working size, `[h, w, 3] uint8`.
        coarse: colours at half of it.

    Returns:
        The share in the same box at working size, what is outside the picture left out.
    """
    m, n = soft.shape
    x0, y0 = HALF * corner[0], HALF * corner[1]
    rows, columns = min(HALF * m, fine.shape[0] - y0), min(HALF * n, fine.shape[1] - x0)
    sharp, near, far = 1 / (16 * COLOR_SCALE * COLOR_SCALE), np.float32(0.75), np.float32(0.25)
    result = np.empty((rows, columns), np.float32)
    for y in range(rows):
        j = y // HALF  # the pixel that it lies in, and the nearer one of those beside it
        k = max(j - 1, 0) if y % HALF == 0 else min(j + 1, m - 1)
        for x in range(columns):
            i = x // HALF
            o = max(i - 1, 0) if x % HALF == 0 else min(i + 1, n - 1)
            a, b, c, d = soft[j, i], soft[j, o], soft[k, i], soft[k, o]
            if max(a, b, c, d) - min(a, b, c, d) < DECIDED:
                result[y, x] = near * (near * a + far * b) + far * (near * c + far * d)
                continue
            total, weights = np.float32(0), np.float32(0)
            for v in range(2):
                for u in range(2):
                    row, column = (j if v == 0 else k), (i if u == 0 else o)
                    apart = 0.0
                    for channel in range(3):
                        there = coarse[corner[1] + row, corner[0] + column, channel]
                        apart += (float(fine[y0 + y, x0 + x, channel]) - float(there)) ** 2
                    weight = np.float32(max(1 - apart * sharp, 0.0) ** 8 + LEAST_WEIGHT)
                    weight *= (near if v == 0 else far) * (near if u == 0 else far)
                    total += weight * soft[row, column]
                    weights += weight
            result[y, x] = total / weights
    return result


@compiled
def pooled(fine: FloatArray, m: int, n: int) -> FloatArray:
    """The share of each coarse pixel of a box, `[m, n] float32`: the mean of its pixels."""
    soft = np.empty((m, n), np.float32)
    rows, columns = fine.shape
    for j in range(m):
        for i in range(n):
            total, count = np.float32(0), 0
            for y in range(HALF * j, min(HALF * j + HALF, rows)):
                for x in range(HALF * i, min(HALF * i + HALF, columns)):
                    total += fine[y, x]
                    count += 1
            soft[j, i] = total / max(count, 1)
    return soft
