"""Masks of labels in plain torch: look every pixel's label up, one mask after the other."""

import torch

from som_kernels.pack_masks import WORD
from som_kernels.pack_masks.reference import pack_masks

__all__ = ["pack_labels"]


def pack_labels(
    labels: torch.Tensor, members: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    n, (h, w) = len(members), labels.shape
    words = torch.empty(n, h, -(-w // WORD), dtype=torch.int32, device=labels.device)
    boxes = torch.empty(n, 4, dtype=torch.int32, device=labels.device)
    areas = torch.empty(n, dtype=torch.int64, device=labels.device)
    for i, row in enumerate(members):
        words[i : i + 1], boxes[i : i + 1], areas[i : i + 1] = pack_masks(row[labels.long()][None])
    return words, boxes, areas
