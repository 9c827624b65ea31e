"""Inscribed circles on the CPU: exact distances, but only of the pixels that can still win.

No pixel is further from other labels than from the nearer end of its run in the row or in the column. Where
this bound is largest, in a few rows, gives each label a first radius. Then the rows are gone through in
order, with all those pixels left out whose bound is not above the best of their label so far. What is left
looks about as in the distance transform.

In thick runs a pixel at a time looks about, until it has lost; and since distance changes by no more than one
from pixel to pixel, one that lost by five takes five neighbours with it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._runs import run_ends
from som_kernels._threads import in_parts
from som_kernels.distance_transform.cpu import (
    FAR,
    THIN,
    Labels,
    Lengths,
    bounds,
    in_columns,
    row_buffers,
    walk,
)
from som_kernels.distance_transform.lanes import largest

__all__ = ["inscribed_circles"]

SEED_ROWS = 8  # every eighth row is looked at for a first radius

Numbers = npt.NDArray[np.int64]


def inscribed_circles(labels: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """See `som_kernels.inscribed_circles`."""
    array = np.ascontiguousarray(labels.numpy())
    vertical = in_columns(array)
    squares, centres = np.zeros(n + 1, np.int64), np.full((n + 1, 2), -1, np.int32)
    _first_radii(array, vertical, squares)
    bands: dict[int, tuple[Numbers, Labels]] = {}

    def search(begin: int, end: int) -> None:
        bands[begin] = squares.copy(), centres.copy()
        _search(array, vertical, begin, end, *bands[begin])

    in_parts(search, len(array), least=64)
    for _, (found, where) in sorted(bands.items()):  # the upper band first: of equals it has the first pixel
        better = found > squares
        squares[better], centres[better] = found[better], where[better]
    return torch.from_numpy(centres[1:].copy()), torch.from_numpy(np.sqrt(squares[1:]).astype(np.float32))


@compiled
def _search(
    labels: Labels, vertical: Lengths, begin: int, end: int, squares: Numbers, centres: Labels
) -> None:
    """Raise the squared radius of each label, and set its centre, where rows `begin` to `end` do better.

    Those of label 0 are of no meaning.
    """
    w = labels.shape[1]
    flat = labels.reshape(-1)
    row = row_buffers(w)
    ends, _, near, best = row
    for y in range(begin, end):
        n_runs = bounds(flat, y * w, vertical[y], row)
        hopeful, x0 = False, 0
        for x1 in ends[:n_runs]:
            label = labels[y, x0]
            most = np.int64(largest(best, x0, x1)) if label > 0 else 0
            if most > THIN * THIN:
                _search_thick(vertical[y], x0, x1, y, squares[label : label + 1], centres[label])
                most = 0
            lost = (
                np.uint16(min(squares[label], FAR * FAR)) if most > squares[label] else np.uint16(FAR * FAR)
            )
            hopeful |= most > squares[label]
            for x in range(np.uintp(x0), np.uintp(x1)):
                best[x] = best[x] if best[x] > lost else np.uint16(0)
            x0 = x1
        if hopeful:
            walk(near, best)
            x0 = 0
            for x1 in ends[:n_runs]:
                label = labels[y, x0]
                most = np.int64(largest(best, x0, x1))
                # Thick runs of this row came before; of equals the one further left has the first pixel.
                first = centres[label, 1] == y and x0 < centres[label, 0]
                if most > squares[label] or (most == squares[label] and first):
                    squares[label] = most
                    centres[label, 0], centres[label, 1] = x0 + best[x0:x1].argmax(), y
                x0 = x1


@compiled
def _first_radii(labels: Labels, vertical: Lengths, squares: Numbers) -> None:
    """Fill in a square for each label that is below its largest, and often just by one."""
    h, w = labels.shape
    flat = labels.reshape(-1)
    ends = np.empty(w, np.int32)
    bound = np.zeros(len(squares), np.int64)
    place = np.zeros((len(squares), 4), np.int64)  # y, x, begin and end of the run
    for y in range(SEED_ROWS // 2, h, SEED_ROWS):
        x0 = 0
        for x1 in ends[: run_ends(flat, y * w, (y + 1) * w, ends)]:
            label, middle = labels[y, x0], (x0 + x1 - 1) // 2
            here = np.int64(min(vertical[y, middle], middle - x0 + 1))
            if here > bound[label]:
                bound[label] = here
                place[label, 0], place[label, 1], place[label, 2], place[label, 3] = y, middle, x0, x1
            x0 = x1
    for label in range(1, len(squares)):
        if bound[label]:
            y, x, x0, x1 = place[label]
            # One less, for the first pixel of that radius may come earlier.
            squares[label] = _squared_distance(vertical[y], x, x0, x1, 0) - 1


@compiled
def _search_thick(lengths: Lengths, x0: int, x1: int, y: int, square: Numbers, centre: Labels) -> None:
    """Look for a better circle in one run of a row."""
    radius = np.int64(np.sqrt(np.float64(square[0])))
    x = x0 + radius  # nearer to the ends nothing is better
    while x < x1 - radius:
        if lengths[x] > radius:
            found = _squared_distance(lengths, x, x0, x1, square[0])
            if found > square[0]:
                square[0] = found
                centre[0], centre[1] = x, y
                radius = np.int64(np.sqrt(np.float64(found)))
            else:
                x += max(0, np.int64(np.sqrt(np.float64(square[0])) - np.sqrt(np.float64(found)) - 1e-6))
        x += 1


@compiled
def _squared_distance(lengths: Lengths, x: Any, x0: Any, x1: Any, enough: Any) -> Any:
    """Squared distance of pixel x of a row to other labels; a bound of it once that is no more than `enough`.

    Args:
        lengths: the row of `in_columns`.
        x: the pixel.
        x0: begin of its run.
        x1: end of its run.
        enough: a square that does not win.
    """
    side, own = np.int64(min(x - x0 + 1, x1 - x)), np.int64(lengths[x])
    best = min(own * own, side * side)
    k = 1
    while k * k < best and best > enough:
        nearest = np.int64(min(lengths[x - k], lengths[x + k]))
        best = min(best, k * k + nearest * nearest)
        k += 1
    return best
