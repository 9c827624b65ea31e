"""Masks painted one after the other in plain torch."""

import torch

from som_kernels.pack_masks import PackedMasks

__all__ = ["paint_labels"]


def paint_labels(masks: PackedMasks, order: list[int]) -> torch.Tensor:
    """See `som_kernels.paint_labels`."""
    labels = torch.zeros(masks.height, masks.width, dtype=torch.int32, device=masks.device)
    for i in order:
        labels[masks[i : i + 1].unpack()[0]] = i + 1
    return labels
