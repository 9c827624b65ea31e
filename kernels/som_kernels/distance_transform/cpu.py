"""Distance transform on the CPU: exact squared distances for all labels at once, in two ways.

**Envelope.** Let q be the nearest pixel of another label to p. In p's own column its distance is v, how
far p is from the nearest end of its vertical run. Otherwise the pixel one step from q towards p in q's
row is nearer to p than q, so it has p's label, and q lies just behind a seam of its row. Let g say how
far each pixel is from the nearest end of its horizontal run; then the pixel in q's row and p's column
has g = the columns between p and q, and

    d²(p) = min(v²(p), min over k of k² + g²(pixel k rows from p))

None of the other pixels in the column offers less than the truth: either its run's end or the pixel
itself is of another label than p, and no further away than it says. So labels are not compared again. The
inner minimum takes d steps of `f = min(f, f above + 2k - 1, f below + 2k - 1)`, since the odd numbers up
to 2k - 1 add up to k²: three passes a step over 16-bit numbers that stay in the cache.

**Crops.** A few thick regions would take many steps; OpenCV's exact transform, label by label, is quicker.
The nearest pixel of another label touches a pixel of the label itself, so its box and one pixel around it
are enough. OpenCV works in float32 and its square roots are off by a bit here and there, so equal
distances may compare unequal. Squared and rounded they are whole and exact again.
"""

import cv2
import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from som_kernels._runs import Runs, label_runs, run_boxes

__all__ = ["distance_transform", "squared_distances"]

THIN = 40  # steps of the envelope that are always worth taking
THICK = 240  # most steps that 16-bit squares allow
STRIP = 1 << 17  # pixels in a strip of columns, which the envelope treats one after the other
EXACT = 1400  # a relative error of 2e-7 in a distance below this moves its square by less than a half

# Measured nanoseconds: the envelope a pixel and step, the crops a pixel and a label.
STEP_COST, CROP_COST, LABEL_COST = 0.2, 12, 9000

Squares = npt.NDArray[np.uint16] | npt.NDArray[np.float32]


def distance_transform(labels: torch.Tensor) -> torch.Tensor:
    """See `som_kernels.distance_transform`."""
    array = np.ascontiguousarray(labels.numpy())
    squares = squared_distances(array, label_runs(array), ground=True)
    return torch.from_numpy(np.sqrt(squares, dtype=np.float32))


def squared_distances(labels: npt.NDArray[np.int32], runs: Runs, *, ground: bool) -> Squares:
    """Squared distance to the nearest pixel of another label, exact whole numbers.

    Args:
        labels: `[H, W] int32`, contiguous.
        runs: its runs.
        ground: whether the background, label 0, is measured too; if not, it is 0.

    Returns:
        `[H, W]`, of a type that holds the numbers at hand.
    """
    transposed = np.ascontiguousarray(labels.T)
    in_row = _to_run_ends(runs, labels.shape)
    in_column = np.ascontiguousarray(_to_run_ends(label_runs(transposed), transposed.shape).T)
    within = np.minimum(in_row, in_column)
    if not ground:
        within *= labels > 0
    steps = int(within.max())  # no region is thicker
    if steps <= min(THIN, THICK):
        return _by_envelope(in_row, within)
    ids, index = np.unique(runs.label, return_inverse=True)
    boxes = run_boxes(runs, index, len(ids))
    if not ground:
        ids, boxes = ids[ids > 0], boxes[ids > 0]
    pixels = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1, dtype=np.int64).sum()
    if steps <= THICK and labels.size * steps * STEP_COST < pixels * CROP_COST + len(ids) * LABEL_COST:
        return _by_envelope(in_row, within)
    return _by_crops(labels, ids, boxes)


def _to_run_ends(runs: Runs, shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """Distance from each pixel to the nearest pixel of its row outside its run, at most 255."""
    kind = np.uint16 if shape[1] < np.iinfo(np.uint16).max else np.int32  # half the bytes, if they suffice
    length = runs.x1 - runs.x0
    x = np.arange(shape[1], dtype=kind)
    begin = np.repeat(runs.x0.astype(kind), length).reshape(shape)
    end = np.repeat(runs.x1.astype(kind), length).reshape(shape)
    nearest: npt.NDArray[np.uint16 | np.int32] = np.minimum(x + 1 - begin, end - x)
    return np.minimum(nearest, 255).astype(np.uint16, copy=False)


def _by_envelope(in_row: npt.NDArray[np.uint16], within: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    squares: npt.NDArray[np.uint16] = np.square(within)
    height, width = squares.shape
    columns = max(32, STRIP // height)
    for x in range(0, width, columns):
        strip = slice(x, x + columns)
        envelope = in_row[:, strip] ** 2
        raised = np.empty_like(envelope)
        step, best = 1, squares[:, strip]
        while step * step < best.max():
            for k in range(step, step + 4):
                np.add(envelope, 2 * k - 1, out=raised)
                np.minimum(envelope[1:], raised[:-1], out=envelope[1:])
                np.minimum(envelope[:-1], raised[1:], out=envelope[:-1])
            np.minimum(best, envelope, out=best)
            step += 4
    return squares


def _by_crops(
    labels: npt.NDArray[np.int32], ids: npt.NDArray[np.int32], boxes: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    squares = np.zeros(labels.shape, np.float32)
    for label, (x0, y0, x1, y1) in zip(ids.tolist(), boxes.tolist(), strict=True):
        padded = np.zeros((y1 - y0 + 2, x1 - x0 + 2), np.uint8)
        np.equal(labels[y0:y1, x0:x1], label, out=padded[1:-1, 1:-1].view(bool))
        squares[y0:y1, x0:x1] += _transform(padded)[1:-1, 1:-1]  # 0 outside the region
    return squares


def _transform(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Squared distance to the nearest 0 of a mask `[H, W]` with a border of 0."""
    if min(mask.shape) > 2 * EXACT:  # SciPy is exact at any size and four times slower
        distance = np.asarray(ndimage.distance_transform_edt(mask))
    else:
        distance = np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    squares: npt.NDArray[np.float32] = np.rint(distance * distance).astype(np.float32, copy=False)
    return squares
