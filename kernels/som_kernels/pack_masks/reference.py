"""Packing in plain torch, a bit of all words at a time."""

import torch

from som_kernels.mask_boxes.reference import mask_boxes
from som_kernels.pack_masks import WORD

__all__ = ["pack_masks", "unpack_masks"]


def pack_masks(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    n, h, w = masks.shape
    words = torch.zeros(n, h, -(-w // WORD), dtype=torch.int32, device=masks.device)
    for bit in range(min(WORD, w)):
        column = masks[:, :, bit::WORD].int() << bit
        words[:, :, : column.shape[2]] |= column
    return words, mask_boxes(masks), masks.sum(dim=(1, 2))


def unpack_masks(words: torch.Tensor, width: int) -> torch.Tensor:
    """Masks `[N, H, width] bool` of words as `som_kernels.PackedMasks` describes them."""
    masks = torch.empty(*words.shape[:2], width, dtype=torch.bool, device=words.device)
    for bit in range(min(WORD, width)):
        column = masks[:, :, bit::WORD]
        column.copy_(words[:, :, : column.shape[2]] >> bit & 1)
    return masks
