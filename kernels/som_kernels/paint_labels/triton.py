"""Masks painted on the GPU: each pixel looks from the top mask down and reads no further than it must."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._launch import on_device

__all__ = ["paint_labels"]

BLOCK = 1024


@triton.jit
def paint_labels_kernel(masks_ptr, order_ptr, labels_ptr, n_order, n_pixels, block: tl.constexpr):
    """One program paints `block` pixels of the flattened picture; `masks_ptr` points at bytes."""
    p = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = p < n_pixels
    label = tl.zeros([block], tl.int32)
    for step in range(n_order):
        i = tl.load(order_ptr + n_order - 1 - step)  # int64
        bare = inside & (label == 0)
        covered = tl.load(masks_ptr + i * n_pixels + p, mask=bare, other=0)
        label = tl.where(covered != 0, (i + 1).to(tl.int32), label)
    tl.store(labels_ptr + p, label, mask=inside)


def paint_labels(masks: torch.Tensor, order: list[int]) -> torch.Tensor:
    """See `som_kernels.paint_labels`."""
    labels = torch.empty(masks.shape[1:], dtype=torch.int32, device=masks.device)
    indices = torch.tensor(order, dtype=torch.int64, device=masks.device)
    grid = (triton.cdiv(labels.numel(), BLOCK),)
    with on_device(masks):
        paint_labels_kernel[grid](
            masks.contiguous().view(torch.uint8), indices, labels, len(order), labels.numel(), block=BLOCK
        )
    return labels
