"""Mask IoU on the GPU: tiles of pairs, AND and population count of words in the rows that boxes share.

Pixels are counted in int32, in a table that the IoUs then overwrite.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import COLUMNS, count_bits, tile_pixels, tiling
from som_kernels._launch import Specimen, mask_by_mask, on_device
from som_kernels.pack_masks import PackedMasks, packed

__all__ = ["SPLIT", "TILE", "common_pixels", "mask_iou", "quotient", "shared_rows"]

TILE = {"block_a": 16, "block_b": 16, "block_words": 16}
SPLIT = 128  # most steps of `block_words` a program: few masks still fill the GPU
PAIRS = 256  # a program that divides


@triton.jit
def shared_rows(a_boxes_ptr, a, a_inside, b_boxes_ptr, b, b_inside):
    """First row, and one past the last, in which masks `a` and masks `b` can meet; 0, 0 for none."""
    a_x0, a_y0, a_x1, a_y1 = _hull(a_boxes_ptr, a, a_inside)
    b_x0, b_y0, b_x1, b_y1 = _hull(b_boxes_ptr, b, b_inside)
    first, last = tl.maximum(a_y0, b_y0), tl.minimum(a_y1, b_y1)
    apart = (first >= last) | (tl.maximum(a_x0, b_x0) >= tl.minimum(a_x1, b_x1))
    return tl.where(apart, 0, first), tl.where(apart, 0, last)


@triton.jit
def _hull(boxes_ptr, i, inside):
    """The box around boxes `i`."""
    x1 = tl.load(boxes_ptr + i * 4 + 2, mask=inside, other=0)
    y1 = tl.load(boxes_ptr + i * 4 + 3, mask=inside, other=0)
    some = x1 > 0
    x0 = tl.load(boxes_ptr + i * 4, mask=some, other=2147483647)
    y0 = tl.load(boxes_ptr + i * 4 + 1, mask=some, other=2147483647)
    return tl.min(x0), tl.min(y0), tl.max(x1), tl.max(y1)


@triton.jit
def common_pixels(
    a_ptr,
    a_inside,
    b_ptr,
    b_inside,
    first,
    last,
    block_a: tl.constexpr,
    block_b: tl.constexpr,
    block_words: tl.constexpr,
):
    """Pixels that masks at `a_ptr` `[block_a]` and `b_ptr` `[block_b]` share in words `first` to `last`."""
    total = tl.zeros([block_a, block_b], tl.int32)
    for start in range(first, last, block_words):
        word = start + tl.arange(0, block_words)
        inside = (word < last)[None, :]
        a = tl.load(a_ptr[:, None] + word[None, :], mask=a_inside[:, None] & inside, other=0)
        b = tl.load(b_ptr[:, None] + word[None, :], mask=b_inside[:, None] & inside, other=0)
        total += tl.sum(count_bits(a[:, None, :] & b[None, :, :]), axis=2)
    return total


@triton.jit
def quotient(meet, area_a, area_b):
    """IoU from counts: divided once in double precision, rounded to float32; 0 for 0 / 0."""
    union = tl.maximum(area_a + area_b - meet, 1)
    return (meet.to(tl.float64) / union.to(tl.float64)).to(tl.float32)


@triton.jit
def mask_iou_intersections_kernel(
    a_ptr,
    a_boxes_ptr,
    b_ptr,
    b_boxes_ptr,
    meet_ptr,
    n_a,
    n_b,
    n_row,
    a_stride_n,
    b_stride_n,
    block_a: tl.constexpr,
    block_b: tl.constexpr,
    block_words: tl.constexpr,
    split: tl.constexpr,
):
    """One program adds up a tile of pairs over one stretch of words."""
    i = tl.program_id(0).to(tl.int64) * block_a + tl.arange(0, block_a)
    j = tl.program_id(1).to(tl.int64) * block_b + tl.arange(0, block_b)
    top, bottom = shared_rows(a_boxes_ptr, i, i < n_a, b_boxes_ptr, j, j < n_b)
    first = top * n_row + tl.program_id(2) * split * block_words
    last = tl.minimum(bottom * n_row, first + split * block_words)
    if first < last:
        total = common_pixels(
            a_ptr + i * a_stride_n,
            i < n_a,
            b_ptr + j * b_stride_n,
            j < n_b,
            first,
            last,
            block_a,
            block_b,
            block_words,
        )
        pair = i[:, None] * n_b + j[None, :]
        tl.atomic_add(meet_ptr + pair, total, mask=(i < n_a)[:, None] & (j < n_b)[None, :], sem="relaxed")


@triton.jit
def mask_iou_quotients_kernel(
    meet_ptr,
    iou_ptr,
    a_areas_ptr,
    b_areas_ptr,
    tiles_x,
    n_a,
    n_b,
    rows: tl.constexpr,
    columns: tl.constexpr,
):
    """One program divides for a tile of pairs; `iou_ptr` may be the same memory as `meet_ptr`."""
    i, j = tile_pixels(tiles_x, rows, columns)
    pair = i * n_b + j
    inside = (i < n_a) & (j < n_b)
    area_a = tl.load(a_areas_ptr + i, mask=inside, other=0)
    area_b = tl.load(b_areas_ptr + j, mask=inside, other=0)
    meet = tl.load(meet_ptr + pair, mask=inside, other=0)
    tl.store(iou_ptr + pair, quotient(meet, area_a, area_b), mask=inside)


def mask_iou(a: torch.Tensor | PackedMasks, b: torch.Tensor | PackedMasks) -> torch.Tensor:
    """See `som_kernels.mask_iou`."""
    same = a is b
    a = packed("a", a, "triton")
    b = a if same else packed("b", b, "triton")
    meet = torch.zeros(len(a), len(b), dtype=torch.int32, device=a.device)
    iou = meet.view(torch.float32)
    if meet.numel():
        a_words, b_words = mask_by_mask(a.words), mask_by_mask(b.words)
        n_row = a_words.shape[2]
        tiles = (
            triton.cdiv(len(a), TILE["block_a"]),
            triton.cdiv(len(b), TILE["block_b"]),
            triton.cdiv(a.height * n_row, SPLIT * TILE["block_words"]),
        )
        with on_device(meet):
            mask_iou_intersections_kernel[tiles](
                a_words,
                a.boxes.contiguous(),
                b_words,
                b.boxes.contiguous(),
                meet,
                len(a),
                len(b),
                n_row,
                a_words.stride(0),
                b_words.stride(0),
                **TILE,
                split=SPLIT,
            )
            areas = a.areas.contiguous(), b.areas.contiguous()
            grid, tiles_x, tile = tiling(len(a), len(b), PAIRS)
            mask_iou_quotients_kernel[grid](meet, iou, *areas, tiles_x, len(a), len(b), **tile)
    return iou


SPECIMENS = [
    Specimen(
        mask_iou_intersections_kernel,
        {
            "a_ptr": "*i32",
            "a_boxes_ptr": "*i32",
            "b_ptr": "*i32",
            "b_boxes_ptr": "*i32",
            "meet_ptr": "*i32",
            "n_a": "i32",
            "n_b": "i32",
            "n_row": "i32",
            "a_stride_n": "i32:16",
            "b_stride_n": "i32:16",
        },
        {**TILE, "split": SPLIT},
    ),
    Specimen(
        mask_iou_quotients_kernel,
        {
            "meet_ptr": "*i32",
            "iou_ptr": "*fp32",
            "a_areas_ptr": "*i64",
            "b_areas_ptr": "*i64",
            "tiles_x": "i32",
            "n_a": "i32",
            "n_b": "i32",
        },
        {"rows": PAIRS // COLUMNS, "columns": COLUMNS},
    ),
]
