"""Mask IoU in plain torch: a product of matrices of zeros and ones."""

import torch

__all__ = ["mask_iou", "ratio"]


def mask_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """See `som_kernels.mask_iou`; both sides dense."""
    flat_a, flat_b = a.flatten(1).double(), b.flatten(1).double()
    return ratio((flat_a @ flat_b.T).long(), flat_a.sum(1).long(), flat_b.sum(1).long())


def ratio(intersections: torch.Tensor, areas_a: torch.Tensor, areas_b: torch.Tensor) -> torch.Tensor:
    """IoU from exact counts `[N, M]`, `[N]` and `[M]`, divided once in double precision; 0 for 0 / 0."""
    unions = areas_a[:, None] + areas_b[None, :] - intersections
    return (intersections.double() / unions.clamp(min=1)).float()
