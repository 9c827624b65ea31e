"""Tight boxes around masks."""

from __future__ import annotations

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation

__all__ = ["mask_boxes"]


def mask_boxes(masks: torch.Tensor, *, backend: Backend | None = None) -> torch.Tensor:
    """Find the tight box of each mask. Packed masks have theirs already: `PackedMasks.boxes`.

    Args:
        masks: `[N, H, W] bool`.
        backend: force an implementation; None chooses by device.

    Returns:
        `[N, 4] int32` as x0, y0, x1, y1 with x1 and y1 one past the last pixel, on the same device; zeros
        for an empty mask.

    Raises:
        TypeError: not a tensor of bool.
        ValueError: another shape.
    """
    _check.tensor("masks", masks, torch.bool, "N, H, W")
    boxes: torch.Tensor = implementation(__name__, backend, masks.device).mask_boxes(masks)
    return boxes
