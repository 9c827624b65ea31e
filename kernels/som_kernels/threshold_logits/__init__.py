"""Packed masks straight from a network's small logits."""

from __future__ import annotations

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation
from som_kernels.measure_logits import LARGEST, check_logits
from som_kernels.pack_masks import PackedMasks
from som_kernels.resize import Resize

__all__ = ["threshold_logits"]


def threshold_logits(
    logits: torch.Tensor,
    *,
    chosen: torch.Tensor | None = None,
    cutoff: float = 0.0,
    resize: Resize | None = None,
    backend: Backend | None = None,
) -> PackedMasks:
    """The masks of the pixels whose resized logit is above the cutoff, one bit a pixel from the start.

    Args:
        logits: `[N, h, w] float32`, no NaN.
        chosen: the maps to take, `[K] int64` on the same device; None takes all.
        cutoff: a pixel belongs to the mask where its logit is larger.
        resize: from the maps' size to the picture's; None leaves the maps as they are.
        backend: force an implementation; None chooses by device.

    Returns:
        The masks of the chosen maps, of the size of the picture, on the same device.

    Raises:
        TypeError: not a tensor of float32, or of int64, or no `Resize`.
        ValueError: another shape, an index without a map, a resizing for another size, or a cutoff out of
            its range.
    """
    resize = check_logits(logits, chosen, resize)
    _check.between("cutoff", cutoff, -LARGEST, LARGEST)
    words, boxes, areas = implementation(__name__, backend, logits.device).threshold_logits(
        logits, chosen, resize, cutoff
    )
    return PackedMasks(words, boxes, areas, width=resize.size[1])
