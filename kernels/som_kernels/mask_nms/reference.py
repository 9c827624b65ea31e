"""Suppression in plain torch: all pairs first, then the masks one after the other."""

import torch

from som_kernels.mask_iou.reference import mask_iou
from som_kernels.pack_masks import PackedMasks

__all__ = ["mask_nms"]


def mask_nms(masks: torch.Tensor | PackedMasks, order: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """See `som_kernels.mask_nms`; `order` has the indices, best score first."""
    alike = mask_iou(masks, masks) > iou_threshold
    gone = torch.zeros(len(masks), dtype=torch.bool, device=masks.device)
    keep = []
    for i in order.tolist():
        if not gone[i]:
            keep.append(i)
            gone |= alike[i]
    return torch.tensor(keep, dtype=torch.int64, device=masks.device)
