"""Mask IoU on the CPU: AND and population count of words, only where boxes overlap."""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels.pack_masks import PackedMasks

__all__ = ["mask_iou"]

WORD = 64
CHUNK = 1 << 17  # words gathered at a time: 1 MiB stays in the cache


def mask_iou(a: PackedMasks, b: PackedMasks) -> torch.Tensor:
    """See `som_kernels.mask_iou`; both sides packed."""
    meet = _intersections(a, b)
    areas_a, areas_b = a.areas.numpy(), b.areas.numpy()
    unions = areas_a[:, None] + areas_b[None, :] - meet
    return torch.from_numpy((meet / np.maximum(unions, 1)).astype(np.float32))


def _intersections(a: PackedMasks, b: PackedMasks) -> npt.NDArray[np.int64]:
    """Common pixels of each pair, `[N, M] int64`."""
    words_a, words_b = a.words.numpy().view(np.uint64), b.words.numpy().view(np.uint64)
    boxes_a, boxes_b = a.boxes.numpy(), b.boxes.numpy()
    meet = np.zeros((len(a), len(b)), np.int64)
    for i, (x0, y0, x1, y1) in enumerate(boxes_a.tolist()):
        near = (boxes_b[:, 0] < x1) & (boxes_b[:, 1] < y1) & (boxes_b[:, 2] > x0) & (boxes_b[:, 3] > y0)
        others = np.flatnonzero(near)
        box = slice(y0, y1), slice(x0 // WORD, -(-x1 // WORD))
        own = words_a[i][box]
        step = max(1, CHUNK // max(1, own.size))
        for start in range(0, len(others), step):
            chunk = others[start : start + step]
            common = words_b[(chunk, *box)]  # a copy
            common &= own
            meet[i, chunk] = np.bitwise_count(common).reshape(len(chunk), -1).sum(axis=1, dtype=np.int64)
    return meet
