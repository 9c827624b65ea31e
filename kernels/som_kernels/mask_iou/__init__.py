"""Intersection over union of every pair of two sets of masks."""

from __future__ import annotations

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation
from som_kernels.pack_masks import PackedMasks, masks_argument

__all__ = ["mask_iou"]


def mask_iou(
    a: torch.Tensor | PackedMasks, b: torch.Tensor | PackedMasks, *, backend: Backend | None = None
) -> torch.Tensor:
    """Intersection over union of each mask of `a` with each mask of `b`.

    Masks that exclude each other are compared much faster as label maps, by `label_overlap`.

    Args:
        a: `[N, H, W] bool`, or the same packed.
        b: `[M, H, W] bool`, or the same packed, on the same device. Pass the same object twice to compare
            a set with itself.
        backend: force an implementation; None chooses by device.

    Returns:
        `[N, M] float32` on the same device; 0 for two empty masks.

    Raises:
        TypeError: neither packed nor tensors of bool.
        ValueError: other shapes, pictures of different sizes, or two devices.
    """
    _check.same("picture size", ("a", "b"), (_size("a", a), _size("b", b)))
    _check.same("device", ("a", "b"), (a.device, b.device))
    iou: torch.Tensor = implementation(__name__, backend, a.device).mask_iou(a, b)
    return iou


def _size(name: str, masks: torch.Tensor | PackedMasks) -> tuple[int, int]:
    """Height and width."""
    checked = masks_argument(name, masks)
    if isinstance(checked, PackedMasks):
        return checked.height, checked.width
    h, w = checked.shape[1:]
    return h, w
