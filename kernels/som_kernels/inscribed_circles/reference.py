"""Inscribed circles in plain torch: the whole transform, then each label's first maximum."""

import torch

from som_kernels.distance_transform.reference import squared_distances

__all__ = ["inscribed_circles"]


def inscribed_circles(labels: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """See `som_kernels.inscribed_circles`."""
    squared = squared_distances(labels)
    centres = torch.full((n, 2), -1, dtype=torch.int32, device=labels.device)
    radii = torch.zeros(n, dtype=torch.float32, device=labels.device)
    for i in range(n):
        own = labels == i + 1
        if own.any():
            largest = squared[own].max()
            y, x = (own & (squared == largest)).nonzero()[0]
            centres[i] = torch.stack([x, y])
            radii[i] = largest.double().sqrt().float()
    return centres, radii
