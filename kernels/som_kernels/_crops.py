"""Masks as the CPU twins compare them: the words of each mask's box, one mask after the other.

A picture's worth of a thousand masks is larger than any cache, and a row of a mask is a line of it; what is
inside the boxes fits.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._threads import in_parts
from som_kernels._words import common_bits
from som_kernels.pack_masks import PackedMasks
from som_kernels.pack_masks.cpu import pack_mask

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
    n = len(masks)
    start = np.zeros(n, np.int64)
    parts: dict[int, npt.NDArray[np.uint32]] = {}  # of the words, by the first mask in them
    if isinstance(masks, PackedMasks):
        boxes, areas = np.ascontiguousarray(masks.boxes.numpy()), np.ascontiguousarray(masks.areas.numpy())
        packed = np.ascontiguousarray(masks.words.numpy()).view(np.uint32)

        def fill(begin: int, end: int) -> None:
            room = np.empty(packed[begin:end].size, np.uint32)
            parts[begin] = room[: _copy_crops(packed, boxes, begin, end, room, start)]

    else:
        _, h, w = masks.shape
        boxes, areas = np.empty((n, 4), np.int32), np.empty(n, np.int64)
        stack = np.ascontiguousarray(masks.numpy()).view(np.uint8).reshape(-1)

        def fill(begin: int, end: int) -> None:
            whole = np.empty((h, (w + 31) // 32), np.uint32)  # one mask after the other, in the cache
            room = np.empty((end - begin) * whole.size, np.uint32)
            parts[begin] = room[: _pack_crops(stack, w, boxes, areas, begin, end, whole, room, start)]

    in_parts(fill, n)
    used = 0
    bounds = [*sorted(parts), n]
    for begin, end in pairwise(bounds):
        start[begin:end] += used
        used += len(parts[begin])
    words = np.concatenate([*(parts[begin] for begin in bounds[:-1]), np.zeros(1, np.uint32)])
    return Crops(words, start, boxes, areas)


@compiled
def _copy_crops(
    packed: npt.NDArray[np.uint32],
    boxes: npt.NDArray[np.int32],
    begin: int,
    end: int,
    room: npt.NDArray[np.uint32],
    start: npt.NDArray[np.int64],
) -> int:
    """Copy the crops of masks `begin` to `end` into `room`; returns how much of it they take."""
    used = 0
    for i in range(begin, end):
        start[i] = used
        used = _copy_crop(packed[i], boxes[i], room, used)
    return used


@compiled
def _pack_crops(
    stack: npt.NDArray[np.uint8],
    width: int,
    boxes: npt.NDArray[np.int32],
    areas: npt.NDArray[np.int64],
    begin: int,
    end: int,
    whole: npt.NDArray[np.uint32],
    room: npt.NDArray[np.uint32],
    start: npt.NDArray[np.int64],
) -> int:
    """The same from a flat stack of bytes; fills in boxes and areas too."""
    used = 0
    across = np.empty(whole.shape[1], np.uint32)
    for i in range(begin, end):
        areas[i] = pack_mask(stack, i * len(whole) * width, width, whole, across, boxes[i])
        start[i] = used
        used = _copy_crop(whole, boxes[i], room, used)
    return used


@compiled
def _copy_crop(
    words: npt.NDArray[np.uint32], box: npt.NDArray[np.int32], room: npt.NDArray[np.uint32], at: int
) -> int:
    """Copy the words of a box from a mask `[H, words]` to index `at` of `room`; returns where they end."""
    for y in range(box[1], box[3]):
        for k in range(box[0] // 32, (box[2] + 31) // 32):
            room[at] = words[y, k]
            at += 1
    return at


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
