"""Suppression on the GPU: which pairs are alike as bits, then one program goes through the masks.

Rows of pairs are worked off in batches, best scores first, so that their counts, four bytes a pair, take no
more memory than the masks.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._launch import Specimen, mask_by_mask, on_device
from som_kernels.mask_iou.triton import SPLIT, TILE, common_pixels, quotient, shared_rows
from som_kernels.pack_masks import WORD, PackedMasks, packed

__all__ = ["mask_nms"]

BLOCK = 32  # words of bits a program


@triton.jit
def mask_nms_intersections_kernel(
    words_ptr,
    boxes_ptr,
    order_ptr,
    meet_ptr,
    first_rank,
    last_rank,
    n,
    n_row,
    stride_n,
    block_a: tl.constexpr,
    block_b: tl.constexpr,
    block_words: tl.constexpr,
    split: tl.constexpr,
):
    """One program adds up a tile of pairs over one stretch of words; rows are ranks of the batch."""
    i = first_rank + tl.program_id(0).to(tl.int64) * block_a + tl.arange(0, block_a)
    j = tl.program_id(1).to(tl.int64) * block_b + tl.arange(0, block_b)
    if tl.max(j) > tl.min(i):  # each pair once
        a = tl.load(order_ptr + i, mask=i < last_rank, other=0)
        b = tl.load(order_ptr + j, mask=j < n, other=0)
        top, bottom = shared_rows(boxes_ptr, a, i < last_rank, boxes_ptr, b, j < n)
        first = top * n_row + tl.program_id(2) * split * block_words
        last = tl.minimum(bottom * n_row, first + split * block_words)
        if first < last:
            total = common_pixels(
                words_ptr + a * stride_n,
                i < last_rank,
                words_ptr + b * stride_n,
                j < n,
                first,
                last,
                block_a,
                block_b,
                block_words,
            )
            pair = (i - first_rank)[:, None] * n + j[None, :]
            inside = (i < last_rank)[:, None] & (j < n)[None, :]
            tl.atomic_add(meet_ptr + pair, total, mask=inside, sem="relaxed")


@triton.jit
def mask_nms_bits_kernel(
    meet_ptr, areas_ptr, order_ptr, bits_ptr, first_rank, n, n_words, n_blocks, threshold, block: tl.constexpr
):
    """One program decides `block` words of one mask's row; bit j says that the mask suppresses rank j."""
    row = tl.program_id(0).to(tl.int64) // n_blocks
    word = tl.program_id(0) % n_blocks * block + tl.arange(0, block)
    bit = tl.arange(0, 32)
    rank = first_rank + row
    j = word[:, None] * 32 + bit[None, :]  # [block, 32]
    later = (j > rank) & (j < n)
    area = tl.load(areas_ptr + tl.load(order_ptr + rank))
    other = tl.load(areas_ptr + tl.load(order_ptr + j, mask=later, other=0), mask=later, other=0)
    meet = tl.load(meet_ptr + row * n + j, mask=later, other=0)
    alike = later & (quotient(meet, area, other) > threshold)
    bits = tl.sum(alike.to(tl.int32) << bit[None, :], axis=1)
    tl.store(bits_ptr + row * n_words + word, bits, mask=word < n_words)


@triton.jit
def mask_nms_sweep_kernel(bits_ptr, gone_ptr, first_rank, last_rank, n_words, block: tl.constexpr):
    """The only program goes through the batch; bits of the suppressed masks stay in `gone_ptr`."""
    lane = tl.arange(0, block)
    gone = tl.load(gone_ptr + lane, mask=lane < n_words, other=0)
    for word in range(first_rank // 32, tl.cdiv(last_rank, 32)):
        now = tl.sum(tl.where(lane == word, gone, 0))  # of these 32 masks
        for rank in range(word * 32, tl.minimum(word * 32 + 32, last_rank)):
            if ((now >> (rank & 31)) & 1) == 0:
                row = (rank - first_rank).to(tl.int64) * n_words
                now |= tl.load(bits_ptr + row + word)
                gone |= tl.load(bits_ptr + row + lane, mask=(lane >= word) & (lane < n_words), other=0)
    tl.store(gone_ptr + lane, gone, mask=lane < n_words)


def mask_nms(masks: torch.Tensor | PackedMasks, order: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """See `som_kernels.mask_nms`; `order` has the indices, best score first."""
    masks = packed("masks", masks, "triton")
    n = len(masks)
    words, boxes, areas = mask_by_mask(masks.words), masks.boxes.contiguous(), masks.areas.contiguous()
    n_row, n_words = words.shape[2], triton.cdiv(n, WORD)
    gone = torch.zeros(n_words, dtype=torch.int32, device=masks.device)
    batch = max(WORD, words.numel() // max(n, 1) // WORD * WORD)
    for first in range(0, n, batch):
        last = min(first + batch, n)
        meet = torch.zeros(last - first, n, dtype=torch.int32, device=masks.device)
        bits = torch.empty(last - first, n_words, dtype=torch.int32, device=masks.device)
        grid = (
            triton.cdiv(last - first, TILE["block_a"]),
            triton.cdiv(n, TILE["block_b"]),
            triton.cdiv(masks.height * n_row, SPLIT * TILE["block_words"]),
        )
        n_blocks = triton.cdiv(n_words, BLOCK)
        with on_device(words):
            mask_nms_intersections_kernel[grid](
                words, boxes, order, meet, first, last, n, n_row, words.stride(0), **TILE, split=SPLIT
            )
            mask_nms_bits_kernel[((last - first) * n_blocks,)](
                meet, areas, order, bits, first, n, n_words, n_blocks, iou_threshold, block=BLOCK
            )
            mask_nms_sweep_kernel[(1,)](
                bits, gone, first, last, n_words, block=triton.next_power_of_2(n_words), num_warps=1
            )
    place = torch.arange(WORD, dtype=torch.int32, device=masks.device)
    kept = ((gone[:, None] >> place) & 1).flatten()[:n] == 0
    return order[kept]


SPECIMENS = [
    Specimen(
        mask_nms_intersections_kernel,
        {
            "words_ptr": "*i32",
            "boxes_ptr": "*i32",
            "order_ptr": "*i64",
            "meet_ptr": "*i32",
            "first_rank": "i32:16",
            "last_rank": "i32",
            "n": "i32",
            "n_row": "i32",
            "stride_n": "i32:16",
        },
        {**TILE, "split": SPLIT},
    ),
    Specimen(
        mask_nms_bits_kernel,
        {
            "meet_ptr": "*i32",
            "areas_ptr": "*i64",
            "order_ptr": "*i64",
            "bits_ptr": "*i32",
            "first_rank": "i32:16",
            "n": "i32",
            "n_words": "i32",
            "n_blocks": "i32",
            "threshold": "fp32",
        },
        {"block": BLOCK},
    ),
    Specimen(
        mask_nms_sweep_kernel,
        {
            "bits_ptr": "*i32",
            "gone_ptr": "*i32",
            "first_rank": "i32:16",
            "last_rank": "i32",
            "n_words": "i32",
        },
        {"block": 64},
        {"num_warps": 1},
    ),
]
