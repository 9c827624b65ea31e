"""Measures of candidate masks on the CPU: most of the picture is decided at the size of the network's map.

A resized value is an average of a few neighbours in the map, so where all of them are above a cutoff it is
above too. Rows of the picture none of whose source rows reach the lowest cutoff are passed over; in the
others the source rows are averaged into one line, and the line is cut into cells, the pixels that average the
same few numbers of it. Only in cells through which a cutoff runs are the pixels worked out.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._threads import in_parts
from som_kernels.resize import Resize

__all__ = [
    "LineTaps",
    "above",
    "average",
    "below",
    "corners",
    "line_taps",
    "maps_and_indices",
    "measure_logits",
    "reach",
    "value_at",
]

# A sum of rounded products may end up beyond its largest term by its last bits, or vanish: values this close,
# as a share of them or by themselves, are worked out.
CLOSE, TINY = 1e-5, 1e-36

Floats = npt.NDArray[np.float32]
LineTaps = tuple[npt.NDArray[np.int32], Floats, npt.NDArray[np.int32], Floats, npt.NDArray[np.int32]]


def measure_logits(
    logits: torch.Tensor, chosen: torch.Tensor | None, resize: Resize, cutoffs: tuple[float, float, float]
) -> tuple[torch.Tensor, ...]:
    """Pixels above each of the three cutoffs, `[N] int64`, and boxes `[N, 4] int32` for the middle one."""
    maps, which = maps_and_indices(logits, chosen)
    counts, boxes = np.zeros((3, len(which)), np.int64), np.zeros((len(which), 4), np.int32)
    taps, limits = line_taps(resize), np.array(cutoffs, np.float32)
    in_parts(lambda begin, end: _measure(maps, which, begin, end, taps, limits, counts, boxes), len(which))
    return *map(torch.from_numpy, counts), torch.from_numpy(boxes)


def maps_and_indices(
    logits: torch.Tensor, chosen: torch.Tensor | None
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The maps, and the indices of those that are wanted."""
    maps = np.ascontiguousarray(logits.numpy())
    return maps, np.arange(len(maps)) if chosen is None else chosen.contiguous().numpy()


def line_taps(resize: Resize) -> LineTaps:
    """Taps for compiled functions: start and weights of the rows and of the columns, and `cell_ends`."""
    (rows, row_weights), (columns, column_weights) = (
        (taps.start.numpy(), taps.weights.numpy()) for taps in (resize.rows, resize.columns)
    )
    return rows, row_weights, columns, column_weights, cell_ends(columns, resize.source[1])


def cell_ends(start: npt.NDArray[np.int32], source: int) -> npt.NDArray[np.int32]:
    """One past the last output of each cell, the outputs whose taps start at the same input; `[source + 1]`.

    Entry `c + 1` ends cell `c`, so entry `c` begins it.
    """
    return np.searchsorted(start, np.arange(source + 1)).astype(np.int32)


@compiled
def _measure(
    maps: Floats,
    which: npt.NDArray[np.int64],
    begin: int,
    end: int,
    taps: LineTaps,
    cutoffs: Floats,
    counts: npt.NDArray[np.int64],
    boxes: npt.NDArray[np.int32],
) -> None:
    rows, row_weights, _, weights, cells = taps
    n_taps = weights.shape[1]
    h, w = maps.shape[1:]
    first, last, line = np.empty(h, np.int32), np.empty(h, np.int32), np.empty(w, np.float32)
    high, middle, low = cutoffs
    for i in range(begin, end):
        finite = reach(maps[which[i]], low, first, last)
        inner, area, outer = 0, 0, 0
        x0, y0, x1, y1 = len(weights), len(rows), 0, 0
        for y in range(len(rows)):
            c0, c1 = average(maps[which[i]], rows[y], row_weights[y], first, last, n_taps, line)
            left, right = len(weights), 0  # of this row's pixels above the middle cutoff
            for c in range(c0, c1):
                a, b = cells[c], cells[c + 1]
                if a == b:
                    continue
                least, most = corners(line, c, n_taps, finite)
                if below(most, low):
                    continue
                if above(least, high):
                    inner += b - a
                    area += b - a
                    outer += b - a
                    left, right = min(left, a), b
                elif above(least, middle) and below(most, high):
                    area += b - a
                    outer += b - a
                    left, right = min(left, a), b
                elif above(least, low) and below(most, middle):
                    outer += b - a
                else:
                    for x in range(a, b):
                        value = value_at(line, c, weights, x)
                        inner += value > high
                        outer += value > low
                        if value > middle:
                            area += 1
                            left, right = min(left, x), x + 1
            if right > 0:
                x0, y0, x1, y1 = min(x0, left), min(y0, y), max(x1, right), y + 1
        counts[0, i], counts[1, i], counts[2, i] = inner, area, outer
        if area:
            boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = x0, y0, x1, y1


@compiled
def corners(line: Floats, c: int, n_taps: int, finite: bool) -> tuple[np.float32, np.float32]:
    """The least and the largest number that cell `c` averages.

    NaN, which decides nothing, if not all are finite: a product may then be 0 times infinity.
    """
    least, most = line[c], line[c]
    for k in range(1, n_taps):
        least, most = min(least, line[c + k]), max(most, line[c + k])
    nan = np.float32(np.nan)
    return (least, most) if finite else (nan, nan)


@compiled
def value_at(line: Floats, c: int, weights: Floats, x: int) -> np.float32:
    """The resized value of output `x`, which is in cell `c`."""
    value = line[c] * weights[x, 0]
    for k in range(1, weights.shape[1]):
        value += line[c + k] * weights[x, k]
    return value


@compiled
def above(value: np.float32, cutoff: np.float32) -> bool:
    """Whether averages of numbers that are `value` or more are above the cutoff, rounded as they may be."""
    return value - (np.float32(CLOSE) * abs(value) + np.float32(TINY)) > cutoff


@compiled
def below(value: np.float32, cutoff: np.float32) -> bool:
    """Whether averages of numbers that are `value` or less are not above the cutoff."""
    return value + (np.float32(CLOSE) * abs(value) + np.float32(TINY)) < cutoff


@compiled
def reach(small: Floats, cutoff: np.float32, first: Any, last: Any) -> bool:
    """For each row of a map, the first column and one past the last one that are not below the cutoff.

    Returns whether all numbers of the map are finite.
    """
    h, w = small.shape
    infinite = False
    for y in range(h):
        row = small[y]
        first[y], last[y] = w, 0
        top = row[0]
        for x in range(w):
            top = max(top, row[x])
            infinite |= abs(row[x]) == np.float32(np.inf)
        if below(top, cutoff):
            continue
        for x in range(w):
            if not below(row[x], cutoff):
                first[y], last[y] = min(first[y], x), x + 1
    return not infinite


@compiled
def average(
    small: Floats, y: int, weights: Floats, first: Any, last: Any, n_taps: int, line: Floats
) -> tuple[int, int]:
    """Average the rows from `y` on into a line, where anything can be above the cutoff.

    Returns the first and one past the last cell there; no cell looks beyond what was averaged.
    """
    w = small.shape[1]
    c0, c1 = w, 0
    for k in range(len(weights)):
        c0, c1 = min(c0, first[y + k]), max(c1, last[y + k])
    if c0 >= c1:
        return 0, 0
    c0 = max(c0 - n_taps + 1, 0)
    stop = min(c1 + n_taps - 1, w)
    row, weight = small[y], weights[0]
    for c in range(np.uintp(c0), np.uintp(stop)):
        line[c] = row[c] * weight
    for k in range(1, len(weights)):
        row, weight = small[y + k], weights[k]
        for c in range(np.uintp(c0), np.uintp(stop)):
            line[c] += row[c] * weight
    return c0, min(c1, w - n_taps + 1)
