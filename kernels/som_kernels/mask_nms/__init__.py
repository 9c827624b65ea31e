"""Non-maximum suppression by mask IoU."""

from __future__ import annotations

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation
from som_kernels.pack_masks import PackedMasks, masks_argument

__all__ = ["mask_nms"]


def mask_nms(
    masks: torch.Tensor | PackedMasks,
    scores: torch.Tensor,
    iou_threshold: float,
    *,
    backend: Backend | None = None,
) -> torch.Tensor:
    """Go through the masks, best score first, and keep each that is unlike all kept before.

    Unlike `torchvision.ops.nms` it compares the masks, not their boxes: a ring and the disc inside it both
    stay.

    Args:
        masks: `[N, H, W] bool`, or the same packed.
        scores: `[N] float32`, on the same device, no NaN; of equal scores the earlier mask comes first.
        iou_threshold: a mask goes when its IoU with a kept one is larger than this, 0 to 1.
        backend: force an implementation; None chooses by device.

    Returns:
        Indices of the kept masks, best score first, `[K] int64` on the same device.

    Raises:
        TypeError: `masks` neither packed nor a tensor of bool, or `scores` not of float32.
        ValueError: other shapes, two devices, a score that is NaN, or a threshold outside 0 to 1.
    """
    mine = masks_argument("masks", masks)
    _check.tensor("scores", scores, torch.float32, "N")
    _check.same("length", ("masks", "scores"), (len(mine), len(scores)))
    _check.same("device", ("masks", "scores"), (mine.device, scores.device))
    _check.no_nan("scores", scores)
    _check.between("iou_threshold", iou_threshold, 0, 1)
    order = torch.sort(scores, descending=True, stable=True).indices
    keep: torch.Tensor = implementation(__name__, backend, mine.device).mask_nms(mine, order, iou_threshold)
    return keep
