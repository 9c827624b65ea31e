"""Masks without their small holes or small islands."""

from __future__ import annotations

from typing import Literal, get_args

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation
from som_kernels.pack_masks import PackedMasks, packed

__all__ = ["Speck", "remove_small_regions"]

Speck = Literal["holes", "islands"]


def remove_small_regions(
    masks: torch.Tensor | PackedMasks, min_area: int, what: Speck, *, backend: Backend | None = None
) -> tuple[PackedMasks, torch.Tensor]:
    """Fill the small holes of masks, or clear their small islands.

    A hole is a connected piece of what a mask leaves free, also one at the picture's border; an island is a
    connected piece of the mask. Pixels that touch at a corner are connected. Where all islands are small the
    largest stays, of equals the one whose first pixel comes first in raster order. The rules are those of
    `segment_anything.utils.amg.remove_small_regions`, which leaves the choice among equals open.

    Args:
        masks: `[N, H, W] bool`, or the same packed.
        min_area: pieces of fewer pixels go.
        what: `"holes"` or `"islands"`.
        backend: force an implementation; None chooses by device.

    Returns:
        The masks after it, and which of them changed, `[N] bool`, on the same device.

    Raises:
        TypeError: `masks` neither packed nor a tensor of bool, or `min_area` not a whole number.
        ValueError: another shape, a negative area, or another word for `what`.
    """
    mine = packed("masks", masks, backend)
    min_area = _check.count("min_area", min_area)
    if what not in get_args(Speck):
        msg = f"`what` must be one of {', '.join(get_args(Speck))}, got {what!r}"
        raise ValueError(msg)
    module = implementation(__name__, backend, mine.device)
    words, boxes, areas, changed = module.remove_small_regions(mine, min_area, what == "holes")
    return PackedMasks(words, boxes, areas, mine.width), changed
