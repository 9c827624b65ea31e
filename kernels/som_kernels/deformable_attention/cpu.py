"""Multi-scale deformable attention on the CPU, head by head: shares of the cells first, then the cells.

A head's values are laid side by side before, so that those a stretch of queries looks at stay in the cache:
rows of cells that lie a power of two apart drive each other out. Shares are worked out in vectors of points.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._threads import in_parts
from som_kernels.distance_transform.lanes import plus, times

__all__ = ["deformable_attention"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

LEAST = 64  # queries of one head that are worth waking a thread for


class Points(NamedTuple):
    """Of each point that a query has, level by level: size and first cell of its level, `[levels * points]`."""

    widths: Ints
    heights: Ints
    starts: Ints


def deformable_attention(
    values: torch.Tensor, levels: tuple[tuple[int, int], ...], locations: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """See `som_kernels.deformable_attention`."""
    return _in_single_precision(values, levels, locations, weights).to(values.dtype)


def _in_single_precision(
    values: torch.Tensor, levels: tuple[tuple[int, int], ...], locations: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    b, n_queries, heads, _, n_points = weights.shape
    shapes = np.repeat(np.array(levels, np.int32), n_points, axis=0)
    cells = np.array([0] + [h * w for h, w in levels[:-1]])
    starts = np.repeat(np.cumsum(cells), n_points).astype(np.int32)
    points = Points(shapes[:, 1].copy(), shapes[:, 0].copy(), starts)
    slabs = _array(values.transpose(1, 2))  # [B, heads, S, dim]
    seen = np.empty((b, n_queries, heads * values.shape[3]), np.float32)
    sizes = n_queries, heads, values.shape[3], values.shape[1]
    arrays = slabs, _array(locations), _array(weights), seen.reshape(-1)
    in_parts(
        lambda begin, end: _attend(*arrays, points, sizes, begin, end), b * heads * n_queries, least=LEAST
    )
    return torch.from_numpy(seen)


def _array(values: torch.Tensor) -> Floats:
    """All numbers, one after the other."""
    array: Floats = values.detach().float().contiguous().numpy().reshape(-1)
    return array


@compiled
def _attend(
    slabs: Floats,
    locations: Floats,
    weights: Floats,
    seen: Floats,
    points: Points,
    sizes: tuple[int, int, int, int],
    begin: int,
    end: int,
) -> None:
    """Look for queries `begin` to `end`, counted through all batches, then heads."""
    n_queries, heads, dim, n_cells = sizes
    n = len(points.starts)
    cells, shares = np.empty((3, n), np.int32), np.empty((4, n), np.float32)
    row = np.empty(dim, np.float32)
    for i in range(begin, end):
        slab, query = i // n_queries, i % n_queries
        at = (slab // heads * n_queries + query) * heads + slab % heads
        _share(
            locations[at * 2 * n : (at + 1) * 2 * n], weights[at * n : (at + 1) * n], points, cells, shares
        )
        values = slabs[slab * n_cells * dim : (slab + 1) * n_cells * dim]
        _gather(values, cells, shares, row)
        result = seen[at * dim : (at + 1) * dim]
        for d in range(np.uintp(dim)):
            result[d] = row[d]


@compiled
def _share(where: Floats, weight: Floats, points: Points, cells: Ints, shares: Floats) -> None:
    """The four cells around each point and their weighted shares, which are 0 for those outside the level.

    The cells are the upper left one, held to the level, or -1 for a point that sees nothing, and how many
    cells the right one and the lower one are further on.
    """
    upper_left, upper_right, lower_left, lower_right = shares
    first, aside, below = cells
    widths, heights, starts = points
    nothing, whole, half = np.float32(0), np.float32(1), np.float32(0.5)
    for i in range(np.uintp(len(weight))):
        width, number = widths[i], weight[i]
        w, h = np.float32(width), np.float32(heights[i])
        x = where[np.uintp(2) * i] * w - half
        y = where[np.uintp(2) * i + np.uintp(1)] * h - half
        inside = (x > -whole) & (x < w) & (y > -whole) & (y < h)  # not so for NaN
        x, y = x if inside else nothing, y if inside else nothing
        column, line = np.floor(x), np.floor(y)
        right, lower = x - column, y - line
        left = whole - right if column >= nothing else nothing
        upper = whole - lower if line >= nothing else nothing
        right = right if column + whole < w else nothing
        lower = lower if line + whole < h else nothing
        upper_left[i], upper_right[i] = number * (upper * left), number * (upper * right)
        lower_left[i], lower_right[i] = number * (lower * left), number * (lower * right)
        c, r = np.int32(max(column, nothing)), np.int32(max(line, nothing))
        first[i] = plus(plus(starts[i], times(r, width)), c) if inside else np.int32(-1)
        aside[i] = np.int32((column >= nothing) & (column + whole < w))
        below[i] = width if (line >= nothing) & (line + whole < h) else np.int32(0)


@compiled
def _gather(values: Floats, cells: Ints, shares: Floats, row: Floats) -> None:
    """Add up the cells around a query's points, `row` numbers each, by their shares."""
    # One array with offsets instead of a slice for each cell, whose making would take as long as its use.
    upper_left, upper_right, lower_left, lower_right = shares
    first, aside, below = cells
    step = np.uintp(len(row))
    for d in range(step):
        row[d] = np.float32(0)
    for i in range(np.uintp(len(first))):
        if first[i] < 0:
            continue
        a, b, c, e = upper_left[i], upper_right[i], lower_left[i], lower_right[i]
        p = np.uintp(first[i]) * step
        q = p + np.uintp(aside[i]) * step
        r = p + np.uintp(below[i]) * step
        s = r + np.uintp(aside[i]) * step
        for d in range(step):
            row[d] += (a * values[p + d] + b * values[q + d]) + (c * values[r + d] + e * values[s + d])
