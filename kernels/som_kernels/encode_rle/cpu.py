"""Run-length encoding on the CPU: where a row differs from the one above it, sorted by columns.

COCO's runs go down the columns and the words along the rows. A run begins or ends where a pixel differs from
the one above it; counting these places by column, and then filling them in row by row, sorts them.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._threads import in_parts
from som_kernels._words import first_bit
from som_kernels.pack_masks import PackedMasks

__all__ = ["encode_rle", "strings"]

LONGEST = 7  # characters of a count below 2^34

Words = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.int64]


def encode_rle(masks: PackedMasks) -> list[str]:
    """See `som_kernels.encode_rle`."""
    words, boxes = masks.words.numpy().view(np.uint32), masks.boxes.numpy()
    texts = [""] * len(words)

    def encode(begin: int, end: int) -> None:
        column = np.zeros(masks.width + 1, np.int64)
        for i in range(begin, end):
            changes = np.empty(_count(words[i], boxes[i], column), np.int64)
            _fill(words[i], boxes[i], column, changes)
            texts[i] = _string(changes, masks.height * masks.width)

    in_parts(encode, len(words))
    return texts


def strings(changes: torch.Tensor, offsets: torch.Tensor, n_pixels: int) -> list[str]:
    """The compressed counts of masks whose runs are known.

    Args:
        changes: pixels, counted down the columns, at which runs begin, of all masks one after the other,
            `[T] int64`; without the first run of zeros.
        offsets: where each mask's changes begin, and `T` at the end, `[N + 1] int64`.
        n_pixels: pixels of a mask.
    """
    array, bounds = changes.numpy(), offsets.tolist()
    return [_string(array[begin:end], n_pixels) for begin, end in pairwise(bounds)]


def _string(changes: Numbers, n_pixels: int) -> str:
    text = np.empty(LONGEST * (len(changes) + 1), np.uint8)
    return text[: _compress(changes, n_pixels, text)].tobytes().decode("ascii")


@compiled
def _edges(words: Words, y: int, k: int) -> np.uint32:
    """Bits of word `k` of row `y` that differ from the pixel before them in the order of the columns."""
    if y > 0:
        return words[y, k] ^ words[y - 1, k]
    foot = words[len(words) - 1]  # of the column to the left
    carry = foot[k - 1] >> np.uint32(31) if k > 0 else np.uint32(0)
    return words[0, k] ^ np.uint32(foot[k] << np.uint32(1) | carry)  # Numba's shift has 64 bits


@compiled
def _span(words: Words, box: npt.NDArray[np.int32]) -> tuple[int, int, int, int]:
    """The words and rows in which a mask of this box can have edges, as x0, y0, x1, y1."""
    x0, y0, x1, y1 = box
    wide = x1 + 1 if y1 == len(words) else x1  # the column beyond differs at its head from this one's foot
    return x0 // 32, y0, min((wide + 31) // 32, words.shape[1]), min(y1 + 1, len(words))


@compiled
def _count(words: Words, box: npt.NDArray[np.int32], column: Numbers) -> int:
    """Fill in where each column's edges begin in the sorted order; returns how many edges there are."""
    column[:] = 0
    k0, y0, k1, y1 = _span(words, box)
    w = len(column) - 1
    for step in range(_first_step(words, box), y1):
        for k in range(k0, k1):
            edges = _edges(words, step if step >= y0 else 0, k)
            while edges:
                x = 32 * k + first_bit(edges)
                if x < w:
                    column[x + 1] += 1
                edges &= edges - np.uint32(1)
    for x in range(w):
        column[x + 1] += column[x]
    return column[w]


@compiled
def _first_step(words: Words, box: npt.NDArray[np.int32]) -> int:
    """The mask's first row; one less, for row 0, where only the feet of columns make edges at their heads."""
    return box[1] - 1 if box[1] > 0 and box[3] == len(words) else box[1]


@compiled
def _fill(words: Words, box: npt.NDArray[np.int32], column: Numbers, changes: Numbers) -> None:
    """Fill in the sorted edges as pixels counted down the columns; `column` is used up."""
    h, w = len(words), len(column) - 1
    k0, y0, k1, y1 = _span(words, box)
    for step in range(_first_step(words, box), y1):
        y = step if step >= y0 else 0
        for k in range(k0, k1):
            edges = _edges(words, y, k)
            while edges:
                x = 32 * k + first_bit(edges)
                if x < w:
                    changes[column[x]] = x * h + y
                    column[x] += 1
                edges &= edges - np.uint32(1)


@compiled
def _compress(changes: Numbers, n_pixels: int, text: npt.NDArray[np.uint8]) -> int:
    """Write the characters that `encode_rle.reference.compress` describes; returns how many."""
    size, before, last, second = 0, 0, 0, 0  # last and second: the counts one and two before
    for i in range(len(changes) + 1):
        end = changes[i] if i < len(changes) else n_pixels
        count = end - before
        value = count - second if i > 2 else count
        before, last, second = end, count, last
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text[size] = (bits | (32 if more else 0)) + 48
            size += 1
    return size
