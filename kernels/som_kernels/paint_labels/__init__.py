"""Masks painted over each other into one label map."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation
from som_kernels.pack_masks import PackedMasks, masks_argument

__all__ = ["paint_labels"]


def paint_labels(
    masks: torch.Tensor | PackedMasks,
    order: Sequence[int] | torch.Tensor | None = None,
    *,
    backend: Backend | None = None,
) -> torch.Tensor:
    """Paint masks over each other; where they overlap, the one later in the order stays.

    Args:
        masks: `[N, H, W] bool`, or the same packed.
        order: indices into `masks`, in the order of painting: a sequence of whole numbers or an integer
            tensor `[K]` on any device. Masks that it leaves out are not painted. None paints the largest
            first, so that small masks lie on top (of equals the later one): what is left of each is where
            Set-of-Mark prompting puts its mark (arXiv 2310.11441, algorithm 1).
        backend: force an implementation; None chooses by device.

    Returns:
        `[H, W] int32` on the device of `masks`: mask `i` paints label `i + 1`; 0 where nothing was painted.

    Raises:
        TypeError: `masks` neither packed nor a tensor of bool, or `order` not of whole numbers.
        ValueError: another shape, or an index in `order` without a mask.
    """
    mine = masks_argument("masks", masks)
    indices = None if order is None else _check.order_indices(order, len(mine))
    labels: torch.Tensor = implementation(__name__, backend, mine.device).paint_labels(mine, indices)
    return labels
