"""Boxes in plain torch: the first and the last row and column with a pixel."""

import torch

__all__ = ["mask_boxes"]


def mask_boxes(masks: torch.Tensor) -> torch.Tensor:
    """See `som_kernels.mask_boxes`."""
    ends = []
    for axis in (1, 2):  # over the rows for x, over the columns for y
        hit = masks.any(dim=axis)
        place = torch.arange(hit.shape[1], dtype=torch.int32, device=masks.device)
        ends.append((torch.where(hit, place, hit.shape[1]).amin(1), torch.where(hit, place + 1, 0).amax(1)))
    (x0, x1), (y0, y1) = ends
    return torch.stack([x0, y0, x1, y1], dim=1) * (x1 > 0)[:, None]
