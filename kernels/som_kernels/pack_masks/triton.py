"""Packing on the GPU: one lane a word, 32 pixels each; boxes and areas in torch on the device."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._launch import on_device
from som_kernels.pack_masks.reference import mask_boxes

__all__ = ["pack_masks"]

WORD = 64
BLOCK = 128  # half words a program


@triton.jit
def pack_masks_kernel(masks_ptr, halves_ptr, width, n_row, n_halves, block: tl.constexpr):
    """One program packs `block` 32-bit halves of words; `masks_ptr` points at bytes, `n_row` are in a row."""
    half = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    row, column = half // n_row, half % n_row
    bit = tl.arange(0, 32)
    x = column[:, None] * 32 + bit[None, :]  # [block, 32]
    inside = (half < n_halves)[:, None] & (x < width)
    pixel = tl.load(masks_ptr + row[:, None] * width + x, mask=inside, other=0).to(tl.int32)
    tl.store(halves_ptr + half, tl.sum(pixel << bit[None, :], axis=1), mask=half < n_halves)


def pack_masks(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    n, h, w = masks.shape
    words = torch.empty(n, h, triton.cdiv(w, WORD), dtype=torch.int64, device=masks.device)
    if n:
        halves = words.view(torch.int32)  # the low half first: GPUs are little-endian
        grid = (triton.cdiv(halves.numel(), BLOCK),)
        with on_device(masks):
            pack_masks_kernel[grid](
                masks.contiguous().view(torch.uint8), halves, w, halves.shape[2], halves.numel(), block=BLOCK
            )
    return words, mask_boxes(masks), masks.sum(dim=(1, 2))
