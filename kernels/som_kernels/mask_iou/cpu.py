"""Mask IoU on the CPU: AND and population count of words, only where two boxes share pixels."""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled, population
from som_kernels._threads import in_parts
from som_kernels.pack_masks import PackedMasks

__all__ = ["Packed", "arrays", "common_pixels", "mask_iou"]

Packed = tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32], npt.NDArray[np.int64]]


def arrays(masks: PackedMasks) -> Packed:
    """Words, boxes and areas for compiled functions."""
    words = np.ascontiguousarray(masks.words.numpy()).view(np.uint32)
    return words, np.ascontiguousarray(masks.boxes.numpy()), np.ascontiguousarray(masks.areas.numpy())


def mask_iou(a: PackedMasks, b: PackedMasks) -> torch.Tensor:
    """See `som_kernels.mask_iou`; both sides packed."""
    iou = np.empty((len(a), len(b)), np.float32)
    one, other = arrays(a), arrays(b)
    in_parts(lambda begin, end: _iou(*one, *other, begin, end, a is b, iou), len(a))
    return torch.from_numpy(iou)


@compiled
def _iou(words_a, boxes_a, areas_a, words_b, boxes_b, areas_b, begin, end, same, iou):
    """Fill in rows `begin` to `end` of the table; of a set with itself also what mirrors them."""
    for i in range(begin, end):
        for j in range(i if same else 0, len(words_b)):
            meet = common_pixels(words_a[i], boxes_a[i], words_b[j], boxes_b[j])
            union = areas_a[i] + areas_b[j] - meet
            iou[i, j] = meet / max(union, 1)
            if same:
                iou[j, i] = iou[i, j]


@compiled
def common_pixels(words_a, box_a, words_b, box_b):
    """Pixels that two masks `[H, words]` share, an int64."""
    x0, x1 = max(box_a[0], box_b[0]), min(box_a[2], box_b[2])
    y0, y1 = max(box_a[1], box_b[1]), min(box_a[3], box_b[3])
    meet = 0
    if x0 < x1:
        for y in range(y0, y1):
            row = np.uint32(0)
            for k in range(x0 // 32, (x1 + 31) // 32):
                row += population(words_a[y, k] & words_b[y, k])
            meet += row
    return meet
