"""Masks with one bit a pixel, packed once for many comparisons."""

from som_kernels.pack_masks.packed import PackedMasks, pack_masks

__all__ = ["PackedMasks", "pack_masks"]
