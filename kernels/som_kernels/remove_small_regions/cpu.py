"""Small pieces on the CPU: runs of bits joined to pieces from row to row, one number a run.

Runs are numbered in raster order. `parents` leads each run to an earlier one of its piece, and the first run
of a piece holds minus the piece's pixels instead. A second pass finds the same runs again and changes the
bits of those whose piece is small, so that no run has to be remembered but for its number.
"""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._threads import in_parts
from som_kernels._words import first_bit, low_bits, population, span_bits
from som_kernels.pack_masks import PackedMasks
from som_kernels.pack_masks.cpu import summarise

__all__ = ["remove_small_regions"]

Words = npt.NDArray[np.uint32]
Integers = npt.NDArray[np.int32]


def remove_small_regions(masks: PackedMasks, min_area: int, holes: bool) -> tuple[torch.Tensor, ...]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them, and which masks changed."""
    words = masks.words.numpy().view(np.uint32).copy()
    boxes, areas = masks.boxes.numpy().copy(), masks.areas.numpy().copy()
    changed = np.zeros(len(words), bool)

    def remove(begin: int, end: int) -> None:
        for i in range(begin, end):
            parents = np.empty(_count_runs(words[i], masks.width, holes), np.int32)
            _join(words[i], masks.width, holes, parents)
            changed[i] = _flip(words[i], masks.width, holes, parents, min_area)
            if changed[i]:
                summarise(words[i : i + 1], boxes[i : i + 1], areas[i : i + 1])

    in_parts(remove, len(words))
    return (*map(torch.from_numpy, (words.view(np.int32), boxes, areas, changed)),)


@compiled
def _word(row: Words, k: int, width: int, holes: bool) -> np.uint32:
    """Word `k` of a row, or of what the row leaves free."""
    return ~row[k] & low_bits(min(width - 32 * k, 32)) if holes else row[k]


@compiled
def _count_runs(words: Words, width: int, holes: bool) -> int:
    """Runs of a mask `[H, words]` within its rows."""
    total = 0
    for row in words:
        before = np.uint32(0)
        for k in range(len(row)):
            word = _word(row, k, width, holes)
            total += population(word & ~(word << np.uint32(1) | before))
            before = word >> np.uint32(31)
    return total


@compiled
def _runs(row: Words, width: int, holes: bool, ends: Integers) -> int:
    """Write begin and end of each run of a row, one after the other; returns how many numbers these are."""
    count, before = 0, np.uint32(0)
    for k in range(len(row)):
        word = _word(row, k, width, holes)
        edges = np.uint32(word ^ (word << np.uint32(1) | before))  # Numba's shift has 64 bits
        before = word >> np.uint32(31)
        while edges:
            ends[count] = 32 * k + first_bit(edges)
            count += 1
            edges &= edges - np.uint32(1)
    if count % 2:
        ends[count] = width
        count += 1
    return count


@compiled
def _root(parents: Integers, i: int) -> int:
    """The first run of the piece of run `i`; leads the runs on the way straight to it."""
    root = i
    while parents[root] >= 0:
        root = parents[root]
    while i != root:
        parents[i], i = root, parents[i]
    return root


@compiled
def _join(words: Words, width: int, holes: bool, parents: Integers) -> None:
    """Fill in `parents`."""
    above, below = np.empty(width + 2, np.int32), np.empty(width + 2, np.int32)
    n_above, number = 0, 0
    for row in words:
        n_below = _runs(row, width, holes, below)
        j = 0
        for i in range(0, n_below, 2):
            run = number + i // 2
            x0, x1 = below[i], below[i + 1]
            parents[run] = x0 - x1
            while j < n_above and above[j + 1] < x0:  # a shared corner is enough
                j += 2
            near = j
            while near < n_above and above[near] <= x1:
                a, b = _root(parents, run), _root(parents, number - n_above // 2 + near // 2)
                if a != b:
                    a, b = min(a, b), max(a, b)
                    parents[a] += parents[b]
                    parents[b] = a
                near += 2
        number += n_below // 2
        above, below, n_above = below, above, n_below


@compiled
def _flip(words: Words, width: int, holes: bool, parents: Integers, min_area: int) -> bool:
    """Flip the pixels of small pieces, but for the largest island; returns whether any piece is small."""
    spared, any_small, all_small = -1, False, True
    for run in range(len(parents)):
        if parents[run] < 0:
            small = -parents[run] < min_area
            any_small |= small
            all_small &= small
            if spared < 0 or parents[run] < parents[spared]:
                spared = run
    if not any_small:
        return False
    if holes or not all_small:
        spared = -1
    ends = np.empty(width + 2, np.int32)
    run = 0
    for row in words:
        count = _runs(row, width, holes, ends)
        for i in range(0, count, 2):
            root = _root(parents, run)
            if root != spared and -parents[root] < min_area:
                for k in range(ends[i] // 32, (ends[i + 1] + 31) // 32):
                    row[k] ^= span_bits(k, ends[i], ends[i + 1])
            run += 1
    return True
