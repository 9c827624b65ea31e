"""Distance transform on the CPU: along the columns by counting, then along the rows in one of two ways.

First each pixel learns how far it is from the nearest end of its vertical run, g, and of its horizontal run,
e. Let q be the nearest pixel of another label to p, and r the pixel of q's column in p's row. If r has p's
label, g(r) is how far q is from it; if not, q is the end of p's run. So

    d²(p) = min(e²(p), min over the pixels r of p's run of (p - r)² + g²(r))

and pixels beyond the run do no harm, since (p - r)² alone is e² or more: labels need not be compared again.

**Thin runs** look k pixels to the left and to the right until k² reaches what they have. Many pixels do so at
a time, as 16-bit numbers in one register.

**Thick runs** would look too far. There every r is a parabola over the row, and d² is the lower envelope of
them all (Felzenszwalb and Huttenlocher, Theory of Computing 2012): time in proportion to the pixels, whatever
the distances. Crossings are compared by products of whole numbers, so exactly.
"""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._runs import run_ends
from som_kernels._threads import in_parts
from som_kernels.distance_transform.lanes import BLOCK, largest, look_about, minus, plus, smaller, times

__all__ = [
    "FAR",
    "THIN",
    "Labels",
    "Lengths",
    "bounds",
    "distance_transform",
    "in_columns",
    "row_buffers",
    "walk",
]

THIN = 96  # largest distance bound of a thin run
FAR = 200  # stands for everything further in 16 bits: FAR² + (THIN + 4)² still fits, and is more than THIN²
MARGIN = THIN + 4  # what `walk` reads of a row of squares beyond both ends; on the right BLOCK more

Labels = npt.NDArray[np.int32]
Lengths = npt.NDArray[np.uint16]
RowBuffers = tuple[Labels, Lengths, Lengths, Lengths]


def distance_transform(labels: torch.Tensor) -> torch.Tensor:
    """See `som_kernels.distance_transform`."""
    array = np.ascontiguousarray(labels.numpy())
    vertical = in_columns(array)
    distance = np.empty(array.shape, np.float32)
    in_parts(lambda begin, end: _along_rows(array, vertical, begin, end, distance), len(array), least=16)
    return torch.from_numpy(distance)


def in_columns(labels: Labels) -> Lengths:
    """Distance of each pixel to the nearest pixel of its column outside its run, `[H, W] uint16`."""
    vertical = np.empty(labels.shape, np.uint16)
    flat, lengths, w = labels.reshape(-1), vertical.reshape(-1), labels.shape[1]
    in_parts(lambda begin, end: _in_columns(flat, w, begin, end, lengths), w, least=512)
    return vertical


@compiled
def _in_columns(labels: npt.NDArray[np.int32], w: int, begin: int, end: int, out: Lengths) -> None:
    """Fill in columns `begin` to `end`; labels and lengths are flat, with rows of `w`."""
    one = np.uint16(1)
    size = len(labels)
    out[begin:end] = one
    for row in range(w, size, w):
        own, other = labels[row + begin : row + end], labels[row - w + begin : row - w + end]
        here, above = out[row + begin : row + end], out[row - w + begin : row - w + end]
        for x in range(len(here)):
            longer = plus(above[x], one)
            here[x] = longer if own[x] == other[x] else one
    out[size - w + begin : size - w + end] = one
    for row in range(size - 2 * w, -1, -w):
        own, other = labels[row + begin : row + end], labels[row + w + begin : row + w + end]
        here, below = out[row + begin : row + end], out[row + w + begin : row + w + end]
        for x in range(len(here)):
            longer = plus(below[x], one)
            here[x] = smaller(here[x], longer if own[x] == other[x] else one)


@compiled
def _along_rows(
    labels: Labels, vertical: Lengths, begin: int, end: int, distance: npt.NDArray[np.float32]
) -> None:
    """Fill in the distances of rows `begin` to `end`."""
    w = labels.shape[1]
    flat = labels.reshape(-1)
    row = row_buffers(w)
    ends, _, squares, best = row
    place, height = np.empty(w + 2, np.int64), np.empty(w + 2, np.int64)
    for y in range(begin, end):
        n_runs = bounds(flat, y * w, vertical[y], row)
        thick = largest(best, 0, w) > THIN * THIN
        if thick:
            x0 = 0
            for x1 in ends[:n_runs]:
                if largest(best, x0, x1) > THIN * THIN:
                    best[x0:x1] = np.uint16(0)  # not for `walk`
                x0 = x1
        walk(squares, best)
        out = distance[y]
        for x in range(w):
            out[x] = np.sqrt(np.float32(best[x]))
        if thick:
            x0 = 0
            for x1 in ends[:n_runs]:
                if best[x0] == 0:
                    _envelope(vertical[y], x0, x1, place, height, out)
                x0 = x1


@compiled
def row_buffers(w: int) -> RowBuffers:
    """What `bounds` and `walk` write for one row of `w` pixels after the other.

    Ends of its runs, 1 to w, squares with margins, and the squares so far, padded to whole blocks.
    """
    padded = (w + BLOCK - 1) // BLOCK * BLOCK
    squares = np.full(MARGIN + padded + MARGIN, np.uint16(FAR * FAR))
    return np.empty(w, np.int32), np.arange(1, w + 1).astype(np.uint16), squares, np.zeros(padded, np.uint16)


@compiled
def bounds(labels: Labels, start: int, lengths: Lengths, buffers: RowBuffers) -> int:
    """Fill in the buffers for the row that begins at index `start` of flat labels, and count its runs.

    The squares are those of g, `lengths`; the squares so far those of min(e, g); both cut at FAR.
    """
    ends, ramp, squares, best = buffers
    w, far = len(lengths), np.uint16(FAR)
    n_runs = run_ends(labels, start, start + w, ends)
    x0 = 0
    for x1 in ends[:n_runs]:
        beyond = np.uint16(x1 - x0 + 1)
        for i in range(np.uintp(x1 - x0)):
            best[np.uintp(x0) + i] = smaller(ramp[i], minus(beyond, ramp[i]))
        x0 = x1
    inner = squares[MARGIN : MARGIN + w]
    for x in range(w):
        g = smaller(lengths[x], far)
        inner[x] = times(g, g)
        bound = smaller(best[x], g)
        best[x] = times(bound, bound)
    return n_runs


@compiled
def walk(squares: Lengths, best: Lengths) -> None:
    """Lower each square in `best` to the least of the squares k pixels away plus k²."""
    for x in range(0, len(best), BLOCK):
        look_about(squares, x + MARGIN, best, x)


@compiled
def _envelope(
    vertical: Lengths,
    x0: int,
    x1: int,
    place: npt.NDArray[np.int64],
    height: npt.NDArray[np.int64],
    distance: npt.NDArray[np.float32],
) -> None:
    """Fill in the distances of the run `x0` to `x1` of a row.

    `place` and `height` hold the parabolas of the envelope so far: where each is lowest, and how low, plus
    the square of where.
    """
    place[0], height[0] = x0 - 1, (x0 - 1) * (x0 - 1)
    top = 0
    for x in range(x0, x1 + 1):
        g = np.int64(vertical[x]) if x < x1 else 0
        h = g * g + x * x
        # The last one goes if the new one is below it before it gets below the one before it.
        while top > 0 and (h - height[top]) * (place[top] - place[top - 1]) <= (
            height[top] - height[top - 1]
        ) * (x - place[top]):
            top -= 1
        top += 1
        place[top], height[top] = x, h
    k = 0
    for x in range(x0, x1):
        best = height[k] - 2 * x * place[k]
        while k < top:
            offer = height[k + 1] - 2 * x * place[k + 1]
            if offer > best:
                break
            best = offer
            k += 1
        distance[x] = np.sqrt(np.float64(best + x * x))
