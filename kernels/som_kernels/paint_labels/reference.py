"""Masks painted one after the other in plain torch."""

import torch

__all__ = ["paint_labels"]


def paint_labels(masks: torch.Tensor, order: list[int]) -> torch.Tensor:
    """See `som_kernels.paint_labels`."""
    labels = torch.zeros(masks.shape[1:], dtype=torch.int32, device=masks.device)
    for i in order:
        labels[masks[i]] = i + 1
    return labels
