"""Packing on the CPU: bits, boxes and areas in one pass over the bytes."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._threads import in_parts
from som_kernels._words import AHEAD, first_bit, full_word, last_bit, last_word, population, prefetch
from som_kernels.pack_masks import WORD

__all__ = ["box_of", "pack_mask", "pack_masks", "summarise", "unpack_masks"]


Words = npt.NDArray[np.uint32]


def pack_masks(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    n, h, w = masks.shape
    stack = np.ascontiguousarray(masks.numpy()).view(np.uint8).reshape(-1)
    words = np.empty((n, h, -(-w // WORD)), np.uint32)
    boxes, areas = np.empty((n, 4), np.int32), np.empty(n, np.int64)

    in_parts(lambda begin, end: _pack(stack, w, begin, end, words, boxes, areas), n)
    return torch.from_numpy(words.view(np.int32)), torch.from_numpy(boxes), torch.from_numpy(areas)


@compiled
def _pack(
    stack: npt.NDArray[np.uint8],
    width: int,
    begin: int,
    end: int,
    words: Words,
    boxes: npt.NDArray[np.int32],
    areas: npt.NDArray[np.int64],
) -> None:
    """Fill in masks `begin` to `end` from a flat stack of bytes."""
    h = words.shape[1]
    across = np.empty(words.shape[2], np.uint32)
    for i in range(begin, end):
        areas[i] = pack_mask(stack, i * h * width, width, words[i], across, boxes[i])


@compiled
def pack_mask(
    stack: npt.NDArray[np.uint8],
    start: int,
    width: int,
    words: Words,
    across: Words,
    box: npt.NDArray[np.int32],
) -> int:
    """Fill in the words `[H, words]` and the box of the mask whose bytes begin at `start`; returns its area.

    `across` is room for all its rows on top of each other.
    """
    h, n_words = words.shape
    n_full = width // 32
    across[:] = 0
    area, y0, y1 = 0, h, 0
    for y in range(h):
        row = words[y]
        total, any_word = np.uint32(0), np.uint32(0)
        for k in range(n_full):
            prefetch(stack, start + 32 * k + AHEAD)
            word = full_word(stack, start + 32 * k)
            row[k] = word
            across[k] |= word
            any_word |= word
            total += population(word)
        if n_full < n_words:
            word = last_word(stack, start, width)
            row[n_full] = word
            across[n_full] |= word
            any_word |= word
            total += population(word)
        start += width
        area += total
        if any_word:
            y0, y1 = min(y0, y), y + 1
    box_of(across, y0, y1, box)
    return area


@compiled
def summarise(words: Words, boxes: npt.NDArray[np.int32], areas: npt.NDArray[np.int64]) -> None:
    """Fill in boxes and areas of packed masks, as `som_kernels.PackedMasks` describes them."""
    n, h, n_words = words.shape
    across = np.empty(n_words, np.uint32)  # of one mask, all rows on top of each other
    for i in range(n):
        across[:] = 0
        area, y0, y1 = 0, h, 0
        for y in range(h):
            total, any_word = np.uint32(0), np.uint32(0)
            for k in range(n_words):
                word = words[i, y, k]
                across[k] |= word
                any_word |= word
                total += population(word)
            area += total
            if any_word:
                y0, y1 = min(y0, y), y + 1
        areas[i] = area
        box_of(across, y0, y1, boxes[i])


@compiled
def box_of(across: Words, y0: int, y1: int, box: npt.NDArray[np.int32]) -> None:
    """Fill in the box of a mask from its rows on top of each other, and from its first and last row."""
    box[:] = 0
    for k in range(len(across)):
        if across[k]:
            if y1 > box[3]:
                box[0], box[1], box[3] = 32 * k + first_bit(across[k]), y0, y1
            box[2] = 32 * k + last_bit(across[k]) + 1


def unpack_masks(words: torch.Tensor, width: int) -> torch.Tensor:
    """Masks `[N, H, width] bool` of words as `som_kernels.PackedMasks` describes them."""
    array: npt.NDArray[Any] = np.ascontiguousarray(words.numpy()).astype("<i4", copy=False).view(np.uint8)
    masks = np.empty((*words.shape[:2], width), np.uint8)

    def unpack(begin: int, end: int) -> None:
        for i in range(begin, end):
            masks[i] = np.unpackbits(array[i], axis=1, count=width, bitorder="little")

    in_parts(unpack, len(masks))
    return torch.from_numpy(masks.view(bool))
