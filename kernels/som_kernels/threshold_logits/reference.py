"""Packed masks of logits in plain torch: resize, compare and pack one after the other."""

import torch

from som_kernels.measure_logits.reference import resized
from som_kernels.pack_masks import WORD
from som_kernels.pack_masks.reference import pack_masks
from som_kernels.resize import Resize

__all__ = ["threshold_logits"]


def threshold_logits(
    logits: torch.Tensor, chosen: torch.Tensor | None, resize: Resize, cutoff: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    logits = logits if chosen is None else logits[chosen]
    n, (h, w) = len(logits), resize.size
    words = torch.empty(n, h, -(-w // WORD), dtype=torch.int32, device=logits.device)
    boxes = torch.empty(n, 4, dtype=torch.int32, device=logits.device)
    areas = torch.empty(n, dtype=torch.int64, device=logits.device)
    for i, small in enumerate(logits):
        words[i : i + 1], boxes[i : i + 1], areas[i : i + 1] = pack_masks(
            resized(small, resize)[None] > cutoff
        )
    return words, boxes, areas
