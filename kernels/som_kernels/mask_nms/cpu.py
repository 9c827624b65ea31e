"""Suppression on the CPU: only against the masks kept so far, and only where the IoU can be large enough."""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._crops import Crops, common_pixels, crops
from som_kernels._jit import compiled
from som_kernels.pack_masks import PackedMasks

__all__ = ["mask_nms"]


def mask_nms(masks: torch.Tensor | PackedMasks, order: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """See `som_kernels.mask_nms`; `order` has the indices, best score first."""
    keep = np.empty(len(masks), np.int64)
    count = _suppress(crops(masks), order.numpy(), np.float32(iou_threshold), keep)
    return torch.from_numpy(keep[:count].copy())


@compiled
def _suppress(
    masks: Crops,
    order: npt.NDArray[np.int64],
    threshold: np.float32,
    keep: npt.NDArray[np.int64],
) -> int:
    """Write the indices that stay to `keep`; returns how many there are."""
    areas = masks.areas
    count = 0
    for i in order:
        stays = True
        for j in keep[:count]:
            small, large = min(areas[i], areas[j]), max(areas[i], areas[j])
            if np.float32(small / max(large, 1)) <= threshold:
                continue  # if one were inside the other they would still be unlike
            meet = common_pixels(masks, i, masks, j)
            if np.float32(meet / max(areas[i] + areas[j] - meet, 1)) > threshold:
                stays = False
                break
        if stays:
            keep[count] = i
            count += 1
    return count
