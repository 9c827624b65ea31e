"""Small pieces in plain torch: pixel numbers spread through each piece until nothing changes."""

import torch

from som_kernels.pack_masks import PackedMasks
from som_kernels.pack_masks.reference import pack_masks

__all__ = ["remove_small_regions"]


def pieces(mask: torch.Tensor) -> torch.Tensor:
    """The first pixel in raster order of each pixel's piece, `[H, W] int64`; -1 outside the mask."""
    h, w = mask.shape
    last = h * w
    first = torch.where(mask, torch.arange(last, device=mask.device).view(h, w), last)
    while True:
        spread = first
        for axis in (0, 1):  # the smallest of three along one axis, then the other: the 3 × 3 around
            size = spread.shape[axis]
            line = torch.full_like(spread.narrow(axis, 0, 1), last)
            before = torch.cat([line, spread.narrow(axis, 0, size - 1)], dim=axis)
            after = torch.cat([spread.narrow(axis, 1, size - 1), line], dim=axis)
            spread = torch.minimum(spread, torch.minimum(before, after))
        spread = torch.where(mask, spread, last)
        if torch.equal(spread, first):
            return torch.where(mask, first, -1)
        first = spread


def remove_small_regions(masks: PackedMasks, min_area: int, holes: bool) -> tuple[torch.Tensor, ...]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them, and which masks changed."""
    dense = masks.unpack()
    changed = torch.zeros(len(dense), dtype=torch.bool, device=dense.device)
    for i, mask in enumerate(dense):
        piece = pieces(~mask if holes else mask)
        names, areas = torch.unique(
            piece[piece >= 0], return_counts=True
        )  # in raster order of the first pixels
        small = areas < min_area
        changed[i] = small.any()
        if not holes and len(names) and small.all():
            small[areas.argmax()] = False
        speck = torch.isin(piece, names[small])
        dense[i] = mask | speck if holes else mask & ~speck
    return *pack_masks(dense), changed
