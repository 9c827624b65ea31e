"""Masks painted on the CPU: a maximum of ranks, one byte a pixel, instead of masked writes.

The rank of a mask is its place in the order. Rank times mask, then the running maximum, are two passes
over bytes that the processor does 64 at a time; a masked write looks at every pixel by itself.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

__all__ = ["paint_labels"]

RANKS = 255  # that fit in one byte beside 0, unpainted


def paint_labels(masks: torch.Tensor, order: list[int]) -> torch.Tensor:
    """See `som_kernels.paint_labels`."""
    stack = masks.numpy().view(np.uint8)
    labels: npt.NDArray[Any] = np.zeros(stack.shape[1:], np.int32)
    painted = np.empty(stack.shape[1:], np.uint8)
    for start in range(0, len(order), RANKS):
        block = order[start : start + RANKS]
        top = np.zeros_like(painted)
        for rank, i in enumerate(block, start=1):
            np.multiply(stack[i], np.uint8(rank), out=painted)
            np.maximum(top, painted, out=top)
        label_of_rank = np.zeros(RANKS + 1, np.int32)
        label_of_rank[1 : len(block) + 1] = np.array(block) + 1
        fresh = cv2.LUT(top, label_of_rank)
        labels = np.where(top > 0, fresh, labels) if start else fresh
    return torch.from_numpy(labels)
