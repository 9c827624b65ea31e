"""Boxes on the CPU: one pass over the bytes, 32 at a time."""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._threads import in_parts
from som_kernels._words import AHEAD, full_word, last_word, prefetch
from som_kernels.pack_masks.cpu import box_of

__all__ = ["mask_boxes"]


def mask_boxes(masks: torch.Tensor) -> torch.Tensor:
    """See `som_kernels.mask_boxes`."""
    n, h, w = masks.shape
    stack = np.ascontiguousarray(masks.numpy()).view(np.uint8).reshape(-1)
    boxes = np.empty((n, 4), np.int32)
    in_parts(lambda begin, end: _boxes(stack, begin * h * w, h, w, boxes[begin:end]), n)
    return torch.from_numpy(boxes)


@compiled
def _boxes(stack: npt.NDArray[np.uint8], start: int, h: int, w: int, boxes: npt.NDArray[np.int32]) -> None:
    """Boxes of masks in a flat stack of bytes, the first of them at `start`."""
    n_full = w // 32
    across = np.empty((w + 31) // 32, np.uint32)  # of one mask, all rows on top of each other
    for i in range(len(boxes)):
        across[:] = 0
        y0, y1 = h, 0
        for y in range(h):
            any_word = np.uint32(0)
            for k in range(n_full):
                prefetch(stack, start + 32 * k + AHEAD)
                word = full_word(stack, start + 32 * k)
                across[k] |= word
                any_word |= word
            if 32 * n_full < w:
                word = last_word(stack, start, w)
                across[n_full] |= word
                any_word |= word
            start += w
            if any_word:
                y0, y1 = min(y0, y), y + 1
        box_of(across, y0, y1, boxes[i])
