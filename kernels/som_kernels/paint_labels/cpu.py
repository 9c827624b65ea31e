"""Masks painted on the CPU from the top one down: every pixel is written once, by the mask that it shows."""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._crops import Crops, crops
from som_kernels._jit import compiled
from som_kernels._threads import in_parts
from som_kernels._words import first_bit, write_where
from som_kernels.pack_masks import PackedMasks

__all__ = ["paint_labels"]


def paint_labels(masks: torch.Tensor | PackedMasks, order: list[int] | None) -> torch.Tensor:
    """See `som_kernels.paint_labels`."""
    h, w = (masks.height, masks.width) if isinstance(masks, PackedMasks) else masks.shape[1:]
    made = crops(masks)
    painted = np.argsort(-made.areas, kind="stable") if order is None else np.array(order, np.int64)
    top_down = np.ascontiguousarray(painted[::-1])
    labels, covered = np.zeros((h, w), np.int32), np.zeros((h, (w + 31) // 32), np.uint32)
    in_parts(lambda begin, end: _paint(made, top_down, begin, end, covered, labels), h, least=64)
    return torch.from_numpy(labels)


@compiled
def _paint(
    masks: Crops,
    order: npt.NDArray[np.int64],
    begin: int,
    end: int,
    covered: npt.NDArray[np.uint32],
    labels: npt.NDArray[np.int32],
) -> None:
    """Paint rows `begin` to `end`."""
    w = labels.shape[1]
    flat = labels.reshape(-1)
    for i in order:
        x0, y0, x1, y1 = masks.boxes[i]
        k0, k1 = x0 // 32, (x1 + 31) // 32
        label = np.int32(i + 1)
        at = masks.start[i] + max(begin - y0, 0) * (k1 - k0)
        for y in range(max(y0, begin), min(y1, end)):
            for k in range(k0, k1):
                fresh = masks.words[at] & ~covered[y, k]
                at += 1
                if fresh == 0:
                    continue
                covered[y, k] |= fresh
                if 32 * k + 32 <= w:
                    write_where(flat, y * w + 32 * k, np.uint32(fresh), label)
                else:  # the rest of the word is in the next row, which may be another thread's
                    while fresh:
                        labels[y, 32 * k + first_bit(fresh)] = label
                        fresh &= fresh - np.uint32(1)
