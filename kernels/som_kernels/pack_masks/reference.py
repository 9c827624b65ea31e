"""Packing in plain torch: each word is the sum of its pixels' bits."""

import torch

__all__ = ["mask_boxes", "pack_masks"]

WORD = 64


def pack_masks(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    padding = -masks.shape[2] % WORD
    padded = torch.nn.functional.pad(masks, (0, padding)).reshape(
        *masks.shape[:2], -(-masks.shape[2] // WORD), WORD
    )
    bit = torch.ones((), dtype=torch.int64, device=masks.device) << torch.arange(WORD, device=masks.device)
    words = (padded * bit).sum(dim=-1)
    return words, mask_boxes(masks), masks.sum(dim=(1, 2))


def mask_boxes(masks: torch.Tensor) -> torch.Tensor:
    """Tight boxes of masks `[N, H, W] bool`, `[N, 4] int32` as x0, y0, x1, y1; zeros for empty masks."""
    ends = []
    for axis in (1, 2):  # over the rows for x, over the columns for y
        hit = masks.any(dim=axis)
        place = torch.arange(hit.shape[1], dtype=torch.int32, device=masks.device)
        ends.append((torch.where(hit, place, hit.shape[1]).amin(1), torch.where(hit, place + 1, 0).amax(1)))
    (x0, x1), (y0, y1) = ends
    return torch.stack([x0, y0, x1, y1], dim=1) * (x1 > 0)[:, None]
