"""Masks as the CPU twins compare them: the words of each mask's box, one mask after the other.

A picture's worth of a thousand masks is larger than any cache, and a row of a mask is a line of it; what is
inside the boxes fits. Masks of bytes are packed here only where they have pixels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import common_bits, compiled, full_word, last_word, population
from som_kernels._threads import in_parts
from som_kernels.mask_boxes.cpu import mask_boxes
from som_kernels.pack_masks import PackedMasks

__all__ = ["Crops", "common_pixels", "crops"]


class Crops(NamedTuple):
    """`N` masks.

    Attributes:
        words: flat `uint32`; row by row those words of the row that the box touches, and one more at the end.
        start: where each mask's words begin, `[N] int64`.
        boxes: as in `som_kernels.PackedMasks`, `[N, 4] int32`.
        areas: pixels, `[N] int64`.
    """

    words: npt.NDArray[np.uint32]
    start: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int32]
    areas: npt.NDArray[np.int64]


def crops(masks: torch.Tensor | PackedMasks) -> Crops:
    """The crops of masks on the CPU, packed or `[N, H, W] bool`."""
    if isinstance(masks, PackedMasks):
        boxes, areas = np.ascontiguousarray(masks.boxes.numpy()), np.ascontiguousarray(masks.areas.numpy())
        source: npt.NDArray[Any] = np.ascontiguousarray(masks.words.numpy()).view(np.uint32)
    else:
        masks = masks.contiguous()
        boxes, areas = mask_boxes(masks).numpy(), np.zeros(len(masks), np.int64)
        source = masks.numpy().view(np.uint8)
    sizes = (boxes[:, 3] - boxes[:, 1]).astype(np.int64) * ((boxes[:, 2] + 31) // 32 - boxes[:, 0] // 32)
    start = np.cumsum(sizes) - sizes
    made = Crops(np.empty(int(sizes.sum()) + 1, np.uint32), start, boxes, areas)
    fill = _copy if isinstance(masks, PackedMasks) else _pack
    flat, (_, h, w) = source.reshape(-1), source.shape
    in_parts(lambda begin, end: fill(flat, h, w, begin, end, made), len(boxes), least=16)
    return made


@compiled
def _copy(words: npt.NDArray[np.uint32], h: int, n_row: int, begin: int, end: int, made: Crops) -> None:
    """Fill in crops `begin` to `end` from packed masks."""
    for i in range(begin, end):
        x0, y0, x1, y1 = made.boxes[i]
        to = made.start[i]
        for y in range(y0, y1):
            row = (i * h + y) * n_row
            for k in range(x0 // 32, (x1 + 31) // 32):
                made.words[to] = words[row + k]
                to += 1


@compiled
def _pack(stack: npt.NDArray[np.uint8], h: int, w: int, begin: int, end: int, made: Crops) -> None:
    """Fill in crops and areas `begin` to `end` from bytes."""
    for i in range(begin, end):
        x0, y0, x1, y1 = made.boxes[i]
        to, area = made.start[i], 0
        for y in range(y0, y1):
            row = (i * h + y) * w
            for k in range(x0 // 32, (x1 + 31) // 32):
                word = full_word(stack, row + 32 * k) if 32 * k + 32 <= w else last_word(stack, row, w)
                made.words[to] = word
                area += population(word)
                to += 1
        made.areas[i] = area


@compiled
def common_pixels(a: Crops, i: int, b: Crops, j: int) -> Any:
    """Pixels that mask `i` of `a` and mask `j` of `b` share."""
    x0, x1 = max(a.boxes[i, 0], b.boxes[j, 0]), min(a.boxes[i, 2], b.boxes[j, 2])
    y0, y1 = max(a.boxes[i, 1], b.boxes[j, 1]), min(a.boxes[i, 3], b.boxes[j, 3])
    meet = 0
    if x0 >= x1 or y0 >= y1:
        return meet
    k0 = x0 // 32
    n_words = (x1 + 31) // 32 - k0
    first_a, first_b = a.boxes[i, 0] // 32, b.boxes[j, 0] // 32
    row_a, row_b = (a.boxes[i, 2] + 31) // 32 - first_a, (b.boxes[j, 2] + 31) // 32 - first_b
    at_a = a.start[i] + (y0 - a.boxes[i, 1]) * row_a + k0 - first_a
    at_b = b.start[j] + (y0 - b.boxes[j, 1]) * row_b + k0 - first_b
    every = np.uint64(0xFFFFFFFFFFFFFFFF)
    last, of_last = (n_words - 1) // 2 * 2, every if n_words % 2 == 0 else np.uint64(0xFFFFFFFF)
    for _ in range(y0, y1):
        for k in range(0, last, 2):
            meet += common_bits(a.words, at_a + k, b.words, at_b + k, every)
        meet += common_bits(a.words, at_a + last, b.words, at_b + last, of_last)
        at_a += row_a
        at_b += row_b
    return meet
