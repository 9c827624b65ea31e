"""Masks painted one after the other in plain torch."""

import torch

from som_kernels.pack_masks import PackedMasks

__all__ = ["largest_first", "paint_labels"]


def paint_labels(masks: torch.Tensor | PackedMasks, order: list[int] | None) -> torch.Tensor:
    """See `som_kernels.paint_labels`."""
    dense = masks.unpack() if isinstance(masks, PackedMasks) else masks
    labels = torch.zeros(dense.shape[1:], dtype=torch.int32, device=dense.device)
    for i in largest_first(dense.sum(dim=(1, 2))) if order is None else order:
        labels[dense[i]] = i + 1
    return labels


def largest_first(areas: torch.Tensor) -> list[int]:
    """Indices of areas `[N]`, the largest first, of equals the earlier one."""
    order: list[int] = torch.sort(areas, descending=True, stable=True).indices.tolist()
    return order
