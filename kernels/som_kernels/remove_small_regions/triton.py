"""Small pieces on the GPU, a batch of masks at a time, in five kernels.

The three of `pieces.py` find the connected pieces and their areas; then it is found which masks have small
ones, and the largest of each; then words, boxes and areas are written.

The scratch is eight bytes for every 2 × 2 pixels, sixteen times what a packed mask takes. A batch is as many
masks as keep it within twice the packed masks that come in and go out, and within 256 MiB, but at least one.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import count_bits, finish_boxes, stretch_box, valid_bits
from som_kernels._launch import Specimen, mask_by_mask, on_device
from som_kernels.pack_masks import PackedMasks
from som_kernels.remove_small_regions import pieces
from som_kernels.remove_small_regions.pieces import ONE_WARP, PIECES, SIZES, first_place, pixel_bit

__all__ = ["remove_small_regions"]

BLOCK = 128  # blocks of pixels a program
PAIRS = 32  # words of two rows a program that writes
BLOCKS_A_WORD = 16
SCRATCH = 1 << 28  # bytes
LOW = 0xFFFF_FFFF


@triton.jit
def remove_small_regions_judge_kernel(
    words_ptr,
    parents_ptr,
    areas_ptr,
    changed_ptr,
    largest_ptr,
    min_area,
    n_places,
    n_parts,
    n_row,
    height,
    width,
    stride_n,
    block: tl.constexpr,
    flip: tl.constexpr,
    low: tl.constexpr,
):
    """One program finds whether its places have small pieces, and offers its largest for the mask's.

    The offer is a sortable key as in `inscribed_circles`: the area, and the pixel counted backwards.
    """
    mask, i, x, y = first_place(n_parts, n_row, block)
    words_ptr += mask * stride_n
    a = pixel_bit(words_ptr, x, y, n_row, height, width, flip)
    b = pixel_bit(words_ptr, x + 1, y, n_row, height, width, flip)
    c = pixel_bit(words_ptr, x, y + 1, n_row, height, width, flip)
    some = (a | b | c | pixel_bit(words_ptr, x + 1, y + 1, n_row, height, width, flip)) != 0
    root = tl.load(parents_ptr + mask * n_places + i, mask=some, other=0)
    area = tl.load(areas_ptr + mask * n_places + root, mask=some, other=0)
    is_small = tl.max((some & (area < min_area)).to(tl.int32), 0)
    tl.atomic_max(changed_ptr + mask, is_small, mask=is_small > 0, sem="relaxed")
    upper = (a | b) != 0
    first_x = tl.where(upper, x + 1 - a, x + 1 - c)
    pixel = tl.where(upper, y, y + 1).to(tl.int64) * width + first_x
    key = tl.max(tl.where(some, area.to(tl.int64) << 32 | (low - pixel), 0), 0)
    tl.atomic_max(largest_ptr + mask, key, mask=key > tl.load(largest_ptr + mask), sem="relaxed")


@triton.jit
def remove_small_regions_write_kernel(
    words_ptr,
    parents_ptr,
    areas_ptr,
    largest_ptr,
    out_ptr,
    ends_ptr,
    new_areas_ptr,
    min_area,
    n_places,
    n_parts,
    n_row,
    height,
    width,
    stride_n,
    pairs: tl.constexpr,
    flip: tl.constexpr,
    low: tl.constexpr,
):
    """One program writes `pairs` words of two rows each, without the small pieces."""
    mask = tl.program_id(0).to(tl.int64) // n_parts
    i = tl.program_id(0) % n_parts * pairs + tl.arange(0, pairs)
    column, y = i % n_row, i // n_row * 2
    parents_ptr += mask * n_places
    areas_ptr += mask * n_places
    place = y.to(tl.int64) * n_row + column
    upper = tl.load(words_ptr + mask * stride_n + place, mask=y < height, other=0)
    lower = tl.load(words_ptr + mask * stride_n + place + n_row, mask=y + 1 < height, other=0)
    valid = valid_bits(column, width)
    upper_ground = tl.where(y < height, (upper ^ -flip) & valid, 0)
    lower_ground = tl.where(y + 1 < height, (lower ^ -flip) & valid, 0)
    shift = tl.arange(0, 16) * 2
    some = (((upper_ground | lower_ground)[:, None] >> shift[None, :]) & 3) != 0  # [pairs, 16]
    root = tl.load(parents_ptr + i[:, None] * 16 + tl.arange(0, 16)[None, :], mask=some, other=-1)
    small = some & (tl.load(areas_ptr + root, mask=some, other=0) < min_area)
    if flip == 0:
        key = tl.load(largest_ptr + mask)
        if (key > 0) & ((key >> 32) < min_area):  # all islands are small: the largest stays
            pixel = low - (key & low)
            x0, y0 = (pixel % width).to(tl.int32), (pixel // width).to(tl.int32)
            small = small & (root != tl.load(parents_ptr + (y0 // 2) * n_row * 16 + x0 // 2))
    gone = tl.sum(tl.where(small, 3, 0) << shift[None, :], axis=1)
    upper ^= gone & upper_ground
    lower ^= gone & lower_ground
    out_ptr += mask * height * n_row + place
    tl.store(out_ptr, upper, mask=y < height)
    tl.store(out_ptr + n_row, lower, mask=y + 1 < height)
    area = tl.sum(count_bits(upper) + count_bits(lower)).to(tl.int64)
    tl.atomic_add(new_areas_ptr + mask, area, mask=area > 0, sem="relaxed")
    stretch_box(ends_ptr + mask * 4, upper, y, column, height, width)
    stretch_box(ends_ptr + mask * 4, lower, y + 1, column, height, width)


def remove_small_regions(masks: PackedMasks, min_area: int, holes: bool) -> tuple[torch.Tensor, ...]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them, and which masks changed."""
    n, h, w = len(masks), masks.height, masks.width
    words = mask_by_mask(masks.words)
    n_row = words.shape[2]
    out = torch.empty(n, h, n_row, dtype=torch.int32, device=words.device)
    ends = torch.zeros(n, 4, dtype=torch.int32, device=words.device)
    areas = torch.zeros(n, dtype=torch.int64, device=words.device)
    changed = torch.zeros(n, dtype=torch.int32, device=words.device)
    largest = torch.zeros(n, dtype=torch.int64, device=words.device)
    n_pairs = triton.cdiv(h, 2) * n_row
    n_places = n_pairs * BLOCKS_A_WORD
    n_parts = triton.cdiv(n_places, BLOCK)
    batch = max(1, min(n // 4, SCRATCH // (8 * n_places)))
    scratch = torch.empty(2, min(n, batch), n_places, dtype=torch.int32, device=words.device)
    parents, sizes_of_pieces = scratch
    flip = {"flip": int(holes)}
    with on_device(words):
        for first in range(0, n, batch):
            part = slice(first, first + batch)
            some = words[part]
            grid = (len(some) * n_parts,)
            sizes = (n_places, n_parts, n_row, h, w, words.stride(0))
            found = (some, parents, sizes_of_pieces)
            pieces.remove_small_regions_runs_kernel[grid](*found, *sizes, block=BLOCK, **flip)
            pieces.remove_small_regions_join_kernel[grid](
                some, parents, *sizes, block=BLOCK, **flip, **ONE_WARP
            )
            pieces.remove_small_regions_areas_kernel[grid](*found, *sizes, block=BLOCK, **flip, **ONE_WARP)
            remove_small_regions_judge_kernel[grid](
                *found, changed[part], largest[part], min_area, *sizes, block=BLOCK, **flip, low=LOW
            )
            n_parts_written = triton.cdiv(n_pairs, PAIRS)
            remove_small_regions_write_kernel[(len(some) * n_parts_written,)](
                *found,
                largest[part],
                out[part],
                ends[part],
                areas[part],
                min_area,
                n_places,
                n_parts_written,
                *sizes[2:],
                pairs=PAIRS,
                **flip,
                low=LOW,
            )
    return out, finish_boxes(ends, h, w), areas, changed.bool()


_JUDGED = {"changed_ptr": "*i32", "largest_ptr": "*i64", "min_area": "i32"}
_WRITTEN = {"largest_ptr": "*i64", "out_ptr": "*i32", "ends_ptr": "*i32", "new_areas_ptr": "*i64"}
SPECIMENS = [
    *pieces.SPECIMENS,
    Specimen(
        remove_small_regions_judge_kernel, PIECES | _JUDGED | SIZES, {"block": BLOCK, "flip": 0, "low": LOW}
    ),
    Specimen(
        remove_small_regions_write_kernel,
        PIECES | _WRITTEN | {"min_area": "i32"} | SIZES,
        {"pairs": PAIRS, "flip": 0, "low": LOW},
    ),
]
