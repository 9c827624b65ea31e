"""Measures of candidate masks in plain torch: resize each, then count."""

import torch

from som_kernels.mask_boxes.reference import mask_boxes
from som_kernels.resize import Resize

__all__ = ["measure_logits", "resized"]


def resized(logits: torch.Tensor, resize: Resize) -> torch.Tensor:
    """Logits `[h, w] float32` at the size of the picture, `[H, W]`, by the sums that `Resize` sets."""
    for taps, shape in ((resize.rows, (-1, 1)), (resize.columns, (1, -1))):
        axis = 0 if shape[0] == -1 else 1
        total = torch.zeros(())
        for k, weight in enumerate(taps.weights.unbind(1)):
            term = logits.index_select(axis, taps.start + k) * weight.view(shape)
            total = term if k == 0 else total + term
        logits = total
    return logits


def measure_logits(
    logits: torch.Tensor, chosen: torch.Tensor | None, resize: Resize, cutoffs: tuple[float, float, float]
) -> tuple[torch.Tensor, ...]:
    """Pixels above each of the three cutoffs, `[N] int64`, and boxes `[N, 4] int32` for the middle one."""
    logits = logits if chosen is None else logits[chosen]
    counts = torch.zeros(3, len(logits), dtype=torch.int64, device=logits.device)
    boxes = torch.zeros(len(logits), 4, dtype=torch.int32, device=logits.device)
    for i, small in enumerate(logits):
        large = resized(small, resize)
        for row, cutoff in zip(counts, cutoffs, strict=True):
            row[i] = (large > cutoff).sum()
        boxes[i] = mask_boxes(large[None] > cutoffs[1])[0]
    return *counts.unbind(0), boxes
