"""Whose each pixel is: objects compete with each other and with the background."""

from __future__ import annotations

from typing import Any

import numpy as np

from som_agent.regions import FloatArray, IntArray
from som_kernels._jit import compiled

__all__ = ["claim", "count_owned", "enlarged", "settle"]


@compiled
def claim(
    posterior: FloatArray,
    corner: tuple[int, int],
    own: int,
    total: FloatArray,
    most: FloatArray,
    owners: IntArray,
) -> None:
    """Enter an object's odds into the competition for pixels, and turn the posterior into them.

    Args:
        posterior: `[m, n] float32`, becomes odds.
        corner: x, y of its first pixel.
        own: the object's number in the map of owners.
        total: sum of the odds of all objects, `[h, w] float32`.
        most: the greatest of them, at least 1: below that the background is likelier, `[h, w] float32`.
        owners: whose that is, `[h, w] int32`.
    """
    m, n = posterior.shape
    for y in range(m):
        v = y + corner[1]
        for x in range(n):
            u = x + corner[0]
            odds = posterior[y, x] / (np.float32(1.0001) - posterior[y, x])
            posterior[y, x] = odds
            total[v, u] += odds
            if odds > most[v, u]:
                most[v, u] = odds
                owners[v, u] = own


@compiled
def settle(odds: FloatArray, corner: tuple[int, int], total: FloatArray) -> None:
    """Turn an object's odds into its share of each pixel, all objects and the background counted."""
    m, n = odds.shape
    for y in range(m):
        for x in range(n):
            odds[y, x] /= np.float32(1) + total[y + corner[1], x + corner[0]]


@compiled
def count_owned(owners: IntArray, most: int) -> Any:
    """Pixels of each object in a map of owners, `[most + 1] int64`."""
    counts = np.zeros(most + 1, np.int64)
    for y in range(owners.shape[0]):
        for x in range(owners.shape[1]):
            counts[owners[y, x]] += 1
    return counts


@compiled
def enlarged(owners: IntArray, w: int, h: int) -> IntArray:
    """A map of owners at a larger size, `[h, w] int32`: of the four nearest pixels, those of one owner join.

    Outlines come out smooth, as if each object were enlarged by itself (bilinear) and the strongest shown.
    """
    rows, columns = owners.shape
    large = np.empty((h, w), np.int32)
    left, part = np.empty(w, np.int64), np.empty(w, np.float32)
    for x in range(w):
        u = max((x + 0.5) * columns / w - 0.5, 0.0)
        left[x] = min(int(u), columns - 1)
        part[x] = u - left[x]
    for y in range(h):
        v = max((y + 0.5) * rows / h - 0.5, 0.0)
        j = min(int(v), rows - 1)
        t = np.float32(v - j)
        above, below = owners[j], owners[min(j + 1, rows - 1)]
        for x in range(w):
            i = left[x]
            k = min(i + 1, columns - 1)
            a, b, c, d = above[i], above[k], below[i], below[k]
            if a == b and a == c and a == d:
                large[y, x] = a
                continue
            s, one = part[x], np.float32(1)
            p, q, r, o = (one - s) * (one - t), s * (one - t), (one - s) * t, s * t
            votes_a = p + (q if b == a else 0) + (r if c == a else 0) + (o if d == a else 0)
            votes_b = q + (p if a == b else 0) + (r if c == b else 0) + (o if d == b else 0)
            votes_c = r + (p if a == c else 0) + (q if b == c else 0) + (o if d == c else 0)
            votes_d = o + (p if a == d else 0) + (q if b == d else 0) + (r if c == d else 0)
            best, most = a, votes_a
            if votes_b > most:
                best, most = b, votes_b
            if votes_c > most:
                best, most = c, votes_c
            if votes_d > most:
                best = d
            large[y, x] = best
    return large
