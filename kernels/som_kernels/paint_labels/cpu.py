"""Masks painted on the CPU from the top one down: every pixel is written once, by the mask that it shows."""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled, first_bit
from som_kernels.pack_masks import PackedMasks

__all__ = ["paint_labels"]


def paint_labels(masks: PackedMasks, order: list[int]) -> torch.Tensor:
    """See `som_kernels.paint_labels`."""
    words = np.ascontiguousarray(masks.words.numpy()).view(np.uint32)
    boxes = np.ascontiguousarray(masks.boxes.numpy())
    labels = np.zeros((masks.height, masks.width), np.int32)
    covered = np.zeros(words.shape[1:], np.uint32)
    _paint(words, boxes, np.array(order[::-1], np.int64), covered, labels)
    return torch.from_numpy(labels)


@compiled
def _paint(
    words: npt.NDArray[np.uint32],
    boxes: npt.NDArray[np.int32],
    order: npt.NDArray[np.int64],
    covered: npt.NDArray[np.uint32],
    labels: npt.NDArray[np.int32],
) -> None:
    for i in order:
        x0, y0, x1, y1 = boxes[i]
        label = np.int32(i + 1)
        for y in range(y0, y1):
            for k in range(x0 // 32, (x1 + 31) // 32):
                fresh = words[i, y, k] & ~covered[y, k]
                if fresh == np.uint32(0xFFFFFFFF):
                    labels[y, 32 * k : 32 * k + 32] = label
                else:
                    bits = fresh
                    while bits:
                        labels[y, 32 * k + first_bit(bits)] = label
                        bits &= bits - np.uint32(1)
                covered[y, k] |= fresh
