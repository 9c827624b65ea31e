"""Run-length encoding on the GPU: where the masks change down their columns; the host makes it characters.

The changes are counted a column and then written, in the order of columns, as four bytes each.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._launch import Specimen, mask_by_mask, on_device
from som_kernels.encode_rle.cpu import strings
from som_kernels.pack_masks import PackedMasks

__all__ = ["encode_rle"]

BLOCK = 64  # rows at a time


@triton.jit
def _changed_rows(boxes_ptr, mask, column, height):
    """First row, and one past the last, where pixels of word `column` may differ from those before them."""
    x0, y0 = tl.load(boxes_ptr + mask * 4), tl.load(boxes_ptr + mask * 4 + 1)
    x1, y1 = tl.load(boxes_ptr + mask * 4 + 2), tl.load(boxes_ptr + mask * 4 + 3)
    # The head of the first column after the box differs from the foot of the last one in it.
    beside = (x1 == 0) | (column * 32 > x1) | (column * 32 + 32 <= x0)
    first = tl.where(y1 == height, 0, y0)
    return first, tl.where(beside, first, tl.minimum(y1 + 1, height))


@triton.jit
def _changes(words_ptr, y, column, n_row, height, width):
    """0 or 1 `[block, 32]`: whether a pixel differs from the one above, or a head from the foot before."""
    words_ptr += column
    bit = tl.arange(0, 32)
    here = tl.load(words_ptr + y * n_row, mask=y < height, other=0)
    above = tl.load(words_ptr + (y - 1) * n_row, mask=(y > 0) & (y < height), other=0)
    is_head = y == 0
    foot_ptr = words_ptr + (y + height - 1) * n_row  # y is 0 where this is read
    foot = tl.load(foot_ptr, mask=is_head, other=0)
    before = tl.load(foot_ptr - 1, mask=is_head & (column > 0), other=0)
    above = tl.where(is_head, (foot << 1) | ((before >> 31) & 1), above)
    inside = (y < height)[:, None] & (column * 32 + bit < width)[None, :]
    return tl.where(inside, ((here ^ above)[:, None] >> bit[None, :]) & 1, 0)


@triton.jit
def encode_rle_counts_kernel(
    words_ptr, boxes_ptr, counts_ptr, n_row, height, width, stride_n, block: tl.constexpr
):
    """One program counts the changes in the 32 columns of one word."""
    mask = tl.program_id(0).to(tl.int64) // n_row
    column = tl.program_id(0) % n_row
    words_ptr += mask * stride_n
    count = tl.zeros([32], tl.int32)
    first, last = _changed_rows(boxes_ptr, mask, column, height)
    for start in range(first, last, block):
        y = (start + tl.arange(0, block)).to(tl.int64)
        count += tl.sum(_changes(words_ptr, y, column, n_row, height, width), axis=0)
    x = column * 32 + tl.arange(0, 32)
    tl.store(counts_ptr + mask * width + x, count, mask=x < width)


@triton.jit
def encode_rle_places_kernel(
    words_ptr,
    boxes_ptr,
    ends_ptr,
    counts_ptr,
    places_ptr,
    n_row,
    height,
    width,
    stride_n,
    block: tl.constexpr,
):
    """One program writes where the 32 columns of one word change, as pixels counted down the columns."""
    mask = tl.program_id(0).to(tl.int64) // n_row
    column = tl.program_id(0) % n_row
    words_ptr += mask * stride_n
    x = column * 32 + tl.arange(0, 32)
    entry = mask * width + x
    free = tl.load(ends_ptr + entry, mask=x < width, other=0)  # int64: where each column's places go
    free -= tl.load(counts_ptr + entry, mask=x < width, other=0)
    first, last = _changed_rows(boxes_ptr, mask, column, height)
    for start in range(first, last, block):
        y = (start + tl.arange(0, block)).to(tl.int64)
        change = _changes(words_ptr, y, column, n_row, height, width)
        place = free[None, :] + tl.cumsum(change, axis=0) - 1
        pixel = x[None, :] * height + y.to(tl.int32)[:, None]
        tl.store(places_ptr + place, pixel, mask=change != 0)
        free += tl.sum(change, axis=0)


def encode_rle(masks: PackedMasks) -> list[str]:
    """See `som_kernels.encode_rle`."""
    n, h, w = len(masks), masks.height, masks.width
    if not n:
        return []
    words, boxes = mask_by_mask(masks.words), masks.boxes.contiguous()
    n_row = words.shape[2]
    counts = torch.empty(n, w, dtype=torch.int32, device=masks.device)
    grid, sizes = (n * n_row,), (n_row, h, w, words.stride(0))
    with on_device(words):
        encode_rle_counts_kernel[grid](words, boxes, counts, *sizes, block=BLOCK)
        ends = counts.flatten().cumsum(0)
        last = ends[w - 1 :: w].cpu()
        places = torch.empty(int(last[-1]), dtype=torch.int32, device=masks.device)
        encode_rle_places_kernel[grid](words, boxes, ends, counts, places, *sizes, block=BLOCK)
    return strings(places.cpu().long(), torch.cat([last.new_zeros(1), last]), h * w)


_SIZES = {"n_row": "i32", "height": "i32", "width": "i32", "stride_n": "i32:16"}
SPECIMENS = [
    Specimen(
        encode_rle_counts_kernel,
        {"words_ptr": "*i32", "boxes_ptr": "*i32", "counts_ptr": "*i32"} | _SIZES,
        {"block": BLOCK},
    ),
    Specimen(
        encode_rle_places_kernel,
        {
            "words_ptr": "*i32",
            "boxes_ptr": "*i32",
            "ends_ptr": "*i64",
            "counts_ptr": "*i32",
            "places_ptr": "*i32",
        }
        | _SIZES,
        {"block": BLOCK},
    ),
]
