"""Mask IoU on the CPU: AND and population count of words, only where two boxes share pixels."""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._crops import Crops, common_pixels, crops
from som_kernels._jit import compiled
from som_kernels._threads import in_parts
from som_kernels.pack_masks import PackedMasks

__all__ = ["mask_iou"]


def mask_iou(a: torch.Tensor | PackedMasks, b: torch.Tensor | PackedMasks) -> torch.Tensor:
    """See `som_kernels.mask_iou`."""
    iou = np.zeros((len(a), len(b)), np.float32)
    one = crops(a)
    other = one if a is b else crops(b)
    sides = np.ascontiguousarray(other.boxes.T)
    in_parts(lambda begin, end: _iou(one, other, sides, begin, end, a is b, iou), len(iou))
    return torch.from_numpy(iou)


@compiled
def _iou(
    a: Crops,
    b: Crops,
    sides: npt.NDArray[np.int32],
    begin: int,
    end: int,
    same: bool,
    iou: npt.NDArray[np.float32],
) -> None:
    """Fill in rows `begin` to `end` of a table of zeros; of a set with itself also what mirrors them."""
    left, top, right, bottom = sides
    near = np.empty(len(left), np.uint8)
    for i in range(begin, end):
        x0, y0, x1, y1 = a.boxes[i]
        for j in range(len(near)):  # all at once in vectors, as most pairs are apart
            near[j] = (left[j] < x1) & (right[j] > x0) & (top[j] < y1) & (bottom[j] > y0)
        for j in range(i if same else 0, len(near)):
            if near[j]:
                meet = common_pixels(a, i, b, j)
                value = np.float32(meet / (a.areas[i] + b.areas[j] - meet))
                iou[i, j] = value
                if same:
                    iou[j, i] = value
