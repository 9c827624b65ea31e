"""Distance transform in plain torch: compare the picture with itself at every offset, nearest first."""

import torch

__all__ = ["distance_transform", "squared_distances"]


def distance_transform(labels: torch.Tensor) -> torch.Tensor:
    """See `som_kernels.distance_transform`."""
    return squared_distances(labels).double().sqrt().float()


def squared_distances(labels: torch.Tensor) -> torch.Tensor:
    """Squared distance to the nearest pixel of another label, `[H, W] int32`; exact."""
    h, w = labels.shape
    y = torch.arange(h, device=labels.device, dtype=torch.int32)
    x = torch.arange(w, device=labels.device, dtype=torch.int32)
    to_border = torch.minimum(torch.minimum(y + 1, h - y)[:, None], torch.minimum(x + 1, w - x)[None])
    nearest = to_border**2
    reach = int(to_border.max())
    offsets = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    for dy, dx in sorted(offsets, key=lambda offset: offset[0] ** 2 + offset[1] ** 2):
        squared = dy**2 + dx**2
        if squared >= int(nearest.max()):
            break  # no pixel can come closer
        here = slice(max(0, -dy), h - max(0, dy)), slice(max(0, -dx), w - max(0, dx))
        there = slice(max(0, dy), h - max(0, -dy)), slice(max(0, dx), w - max(0, -dx))
        other = labels[here] != labels[there]
        nearest[here] = torch.where(other, nearest[here].clamp(max=squared), nearest[here])
    return nearest
