"""COCO run-length encoding."""

from __future__ import annotations

import torch

from som_kernels._dispatch import Backend, implementation
from som_kernels.pack_masks import PackedMasks, packed

__all__ = ["encode_rle"]


def encode_rle(masks: torch.Tensor | PackedMasks, *, backend: Backend | None = None) -> list[str]:
    """Encode masks as COCO's compressed RLE: runs down the columns, the first one of zeros.

    `{"size": [H, W], "counts": counts}` is what `pycocotools.mask` reads and writes (it takes the counts as
    str or bytes).

    Args:
        masks: `[N, H, W] bool`, or the same packed.
        backend: force an implementation; None chooses by device.

    Returns:
        The compressed counts of each mask.

    Raises:
        TypeError: neither packed nor a tensor of bool.
        ValueError: another shape.
    """
    mine = packed("masks", masks, backend)
    counts: list[str] = implementation(__name__, backend, mine.device).encode_rle(mine)
    return counts
