"""Mask IoU in plain torch: the common pixels of each pair."""

import torch

from som_kernels.pack_masks import PackedMasks

__all__ = ["mask_iou", "ratio"]


def mask_iou(a: torch.Tensor | PackedMasks, b: torch.Tensor | PackedMasks) -> torch.Tensor:
    """See `som_kernels.mask_iou`."""
    a, b = (masks.unpack() if isinstance(masks, PackedMasks) else masks for masks in (a, b))
    meet = torch.zeros(len(a), len(b), dtype=torch.int64, device=a.device)
    for i, mask in enumerate(a):
        for j, other in enumerate(b):
            meet[i, j] = (mask & other).sum()
    return ratio(meet, a.sum(dim=(1, 2)), b.sum(dim=(1, 2)))


def ratio(intersections: torch.Tensor, areas_a: torch.Tensor, areas_b: torch.Tensor) -> torch.Tensor:
    """IoU from exact counts `[N, M]`, `[N]` and `[M]`, divided once in double precision; 0 for 0 / 0."""
    unions = areas_a[:, None] + areas_b[None, :] - intersections
    return (intersections.double() / unions.clamp(min=1)).float()
