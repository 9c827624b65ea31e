"""Mask IoU on the GPU: tiles of pairs, AND and population count of 32-bit halves of words."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._launch import on_device
from som_kernels.mask_iou.reference import ratio
from som_kernels.pack_masks import PackedMasks

__all__ = ["mask_iou"]

BLOCK_A, BLOCK_B, BLOCK_WORDS = 16, 16, 16
SPLIT = 128  # most steps of BLOCK_WORDS a program: few masks still fill the GPU


@triton.jit
def mask_intersections_kernel(
    a_ptr,
    b_ptr,
    out_ptr,
    n_a,
    n_b,
    n_words,
    block_a: tl.constexpr,
    block_b: tl.constexpr,
    block_words: tl.constexpr,
    split: tl.constexpr,
):
    """One program adds up a tile of pairs over one stretch of words."""
    i = tl.program_id(0).to(tl.int64) * block_a + tl.arange(0, block_a)
    j = tl.program_id(1).to(tl.int64) * block_b + tl.arange(0, block_b)
    first = tl.program_id(2).to(tl.int64) * split * block_words
    total = tl.zeros([block_a, block_b], tl.int32)
    for step in range(tl.minimum(split, tl.cdiv(n_words - first, block_words))):
        word = first + step * block_words + tl.arange(0, block_words)
        inside = (word < n_words)[None, :]
        a = tl.load(a_ptr + i[:, None] * n_words + word[None, :], mask=(i < n_a)[:, None] & inside, other=0)
        b = tl.load(b_ptr + j[:, None] * n_words + word[None, :], mask=(j < n_b)[:, None] & inside, other=0)
        total += tl.sum(_count_bits(a[:, None, :] & b[None, :, :]), axis=2)
    pair = i[:, None] * n_b + j[None, :]
    tl.atomic_add(out_ptr + pair, total, mask=(i < n_a)[:, None] & (j < n_b)[None, :], sem="relaxed")


@triton.jit
def _count_bits(x):
    """Bits set in each int32; the compilers turn this into one instruction."""
    x = x.to(tl.uint32, bitcast=True)
    x = x - ((x >> 1) & 0x55555555)
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F
    return ((x * 0x01010101) >> 24).to(tl.int32)


def mask_iou(a: PackedMasks, b: PackedMasks) -> torch.Tensor:
    """See `som_kernels.mask_iou`; both sides packed."""
    meet = torch.zeros(len(a), len(b), dtype=torch.int32, device=a.device)
    if meet.numel():
        halves_a, halves_b = a.words.view(torch.int32).flatten(1), b.words.view(torch.int32).flatten(1)
        n_words = halves_a.shape[1]
        grid = (
            triton.cdiv(len(a), BLOCK_A),
            triton.cdiv(len(b), BLOCK_B),
            triton.cdiv(n_words, SPLIT * BLOCK_WORDS),
        )
        with on_device(meet):
            mask_intersections_kernel[grid](
                halves_a,
                halves_b,
                meet,
                len(a),
                len(b),
                n_words,
                block_a=BLOCK_A,
                block_b=BLOCK_B,
                block_words=BLOCK_WORDS,
                split=SPLIT,
            )
    return ratio(meet.long(), a.areas, b.areas)
