"""Inscribed circles on the GPU: the Triton transform, then one maximum a label over sortable keys."""

import torch

from som_kernels.distance_transform.triton import squared_distances

__all__ = ["inscribed_circles"]

LOW = 0xFFFF_FFFF


def inscribed_circles(labels: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """See `som_kernels.inscribed_circles`."""
    width = labels.shape[1]
    squared = squared_distances(labels).flatten().long()
    # Distance in the high half, the pixel counted backwards in the low one: the largest key is the
    # furthest pixel, and of equals the first in raster order.
    pixel = torch.arange(squared.numel(), device=labels.device)
    key = squared << 32 | (LOW - pixel)
    best = torch.zeros(n + 1, dtype=torch.int64, device=labels.device)
    best = best.scatter_reduce_(0, labels.flatten().long(), key, "amax")[1:]
    absent = best == 0
    pixel = LOW - (best & LOW)
    centres = torch.stack([pixel % width, pixel // width], dim=1).to(torch.int32)
    centres[absent] = -1
    return centres, (best >> 32).double().sqrt().float()
