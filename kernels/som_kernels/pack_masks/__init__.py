"""Masks with one bit a pixel, packed once for many comparisons."""

from som_kernels.pack_masks.packed import WORD, PackedMasks, masks_argument, pack_masks, packed

__all__ = ["WORD", "PackedMasks", "masks_argument", "pack_masks", "packed"]
