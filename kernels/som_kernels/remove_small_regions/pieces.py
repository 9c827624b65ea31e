"""Connected pieces on the GPU: union-find over blocks of 2 × 2 pixels.

Pixels that touch at a corner are connected, so those of one 2 × 2 block always are, and a quarter of the
pixels' number of entries is enough. Each block of pixels points at a block of the same piece with a smaller
number, in the end at the first. Three kernels: blocks point at the first of their run within a word; runs
are joined with what touches them above and on the left; pixels are counted a piece.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import triton
import triton.language as tl

from som_kernels._device import past_last_bit, valid_bits
from som_kernels._launch import Specimen

__all__ = [
    "ONE_WARP",
    "PIECES",
    "SIZES",
    "SPECIMENS",
    "first_place",
    "pixel_bit",
    "remove_small_regions_areas_kernel",
    "remove_small_regions_join_kernel",
    "remove_small_regions_runs_kernel",
]

ONE_WARP = {"num_warps": 1}  # loops that end when all lanes are done ask without a barrier


@triton.jit
def first_place(n_parts, n_row, block: tl.constexpr):
    """The program's mask (int64), its `block` places, and the x, y of their first pixels."""
    mask = tl.program_id(0).to(tl.int64) // n_parts
    i = tl.program_id(0) % n_parts * block + tl.arange(0, block)
    return mask, i, i % (n_row * 16) * 2, i // (n_row * 16) * 2


@triton.jit
def pixel_bit(words_ptr, x, y, n_row, height, width, flip: tl.constexpr):
    """1 where the pixel belongs to what is cut into pieces, else 0."""
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    word = tl.load(words_ptr + y.to(tl.int64) * n_row + (x >> 5), mask=inside, other=0)
    return tl.where(inside, ((word >> (x & 31)) & 1) ^ flip, 0)


@triton.jit
def _column(words_ptr, x, y, n_row, height, width, flip: tl.constexpr):
    """1 where one of the two pixels of a block in column `x` belongs."""
    upper = pixel_bit(words_ptr, x, y, n_row, height, width, flip)
    return upper | pixel_bit(words_ptr, x, y + 1, n_row, height, width, flip)


@triton.jit
def remove_small_regions_runs_kernel(
    words_ptr,
    parents_ptr,
    areas_ptr,
    n_places,
    n_parts,
    n_row,
    height,
    width,
    stride_n,
    block: tl.constexpr,
    flip: tl.constexpr,
):
    """One program points `block` places at the first of their run that is in the same word."""
    mask, i, x, y = first_place(n_parts, n_row, block)
    words_ptr += mask * stride_n + y.to(tl.int64) * n_row + (x >> 5)
    upper = tl.load(words_ptr, mask=y < height, other=-flip)
    lower = tl.load(words_ptr + n_row, mask=y + 1 < height, other=-flip)
    ground = ((upper ^ -flip) | (lower ^ -flip)) & valid_bits(x >> 5, width)
    # Bit 2 k is set unless block k of the word goes on with the run of block k - 1.
    begins = ~(ground & (ground << 1)) & 0x55555555
    k = (past_last_bit(begins & ((2 << (x & 31)) - 1)) - 1) // 2
    first = i - (x & 31) // 2 + k
    tl.store(parents_ptr + mask * n_places + i, first, mask=i < n_places)
    tl.store(areas_ptr + mask * n_places + i, tl.zeros([block], tl.int32), mask=i < n_places)


@triton.jit
def _find(parents_ptr, i, active):
    """The first place of each piece, as far as joined."""
    above = tl.load(parents_ptr + i, mask=active, other=0, volatile=True)
    climbing = active & (above != i)
    while tl.max(climbing.to(tl.int32), 0) > 0:
        i = tl.where(climbing, above, i)
        above = tl.load(parents_ptr + i, mask=climbing, other=0, volatile=True)
        climbing = climbing & (above != i)
    return i


@triton.jit
def _join(parents_ptr, a, b, active):
    """Join the pieces of places `a` and `b`.

    An old parent that a load may still see is of the same piece. Only the atomic operation decides, and
    every round ends with a smaller number to be joined, so it comes to an end.
    """
    while tl.max(active.to(tl.int32), 0) > 0:
        a, b = _find(parents_ptr, a, active), _find(parents_ptr, b, active)
        high, low = tl.maximum(a, b), tl.minimum(a, b)
        active = active & (high != low)
        old = tl.atomic_min(parents_ptr + high, low, mask=active, sem="relaxed")
        active = active & (old != high)  # another program was quicker: what it wrote is to be joined too
        a, b = tl.where(active, old, low), low


@triton.jit
def remove_small_regions_join_kernel(
    words_ptr,
    parents_ptr,
    n_places,
    n_parts,
    n_row,
    height,
    width,
    stride_n,
    block: tl.constexpr,
    flip: tl.constexpr,
):
    """One program joins `block` places with those above, and with those to the left in another word."""
    mask, i, x, y = first_place(n_parts, n_row, block)
    words_ptr += mask * stride_n
    parents_ptr += mask * n_places
    above = i - n_row * 16
    left = pixel_bit(words_ptr, x, y, n_row, height, width, flip)
    right = pixel_bit(words_ptr, x + 1, y, n_row, height, width, flip)
    over_left = pixel_bit(words_ptr, x, y - 1, n_row, height, width, flip)
    over_right = pixel_bit(words_ptr, x + 1, y - 1, n_row, height, width, flip)
    _join(parents_ptr, i, above, ((left | right) & (over_left | over_right)) != 0)
    corner = pixel_bit(words_ptr, x - 1, y - 1, n_row, height, width, flip)
    _join(parents_ptr, i, above - 1, (left & corner) != 0)
    corner = pixel_bit(words_ptr, x + 2, y - 1, n_row, height, width, flip)
    _join(parents_ptr, i, above + 1, (right & corner) != 0)
    beside = _column(words_ptr, x, y, n_row, height, width, flip)
    beside &= _column(words_ptr, x - 1, y, n_row, height, width, flip)
    _join(parents_ptr, i, i - 1, (beside != 0) & ((x & 31) == 0))


@triton.jit
def remove_small_regions_areas_kernel(
    words_ptr,
    parents_ptr,
    areas_ptr,
    n_places,
    n_parts,
    n_row,
    height,
    width,
    stride_n,
    block: tl.constexpr,
    flip: tl.constexpr,
):
    """One program points `block` places at the first of their piece, and adds up the pixels of runs there."""
    mask, i, x, y = first_place(n_parts, n_row, block)
    words_ptr += mask * stride_n
    parents_ptr += mask * n_places
    a = pixel_bit(words_ptr, x, y, n_row, height, width, flip)
    b = pixel_bit(words_ptr, x + 1, y, n_row, height, width, flip)
    c = pixel_bit(words_ptr, x, y + 1, n_row, height, width, flip)
    d = pixel_bit(words_ptr, x + 1, y + 1, n_row, height, width, flip)
    pixels = a + b + c + d
    root = _find(parents_ptr, i, pixels > 0)
    tl.store(parents_ptr + i, root, mask=pixels > 0)
    lane = tl.arange(0, block)
    to_left = ((a | c) & _column(words_ptr, x - 1, y, n_row, height, width, flip)) != 0
    to_right = ((b | d) & _column(words_ptr, x + 2, y, n_row, height, width, flip)) != 0
    begins = (pixels > 0) & ((lane == 0) | ~to_left)
    ends = (pixels > 0) & ((lane + 1 == block) | ~to_right)
    total = tl.cumsum(pixels, 0)
    value = tl.where(ends, total, 0) - tl.where(begins, total - pixels, 0)
    tl.atomic_add(areas_ptr + mask * n_places + root, value, mask=begins | ends, sem="relaxed")


PIECES = {"words_ptr": "*i32", "parents_ptr": "*i32", "areas_ptr": "*i32"}
SIZES = {
    "n_places": "i32:16",
    "n_parts": "i32",
    "n_row": "i32",
    "height": "i32",
    "width": "i32",
    "stride_n": "i32:16",
}
_CONSTANTS = {"block": 128, "flip": 0}
SPECIMENS = [
    Specimen(remove_small_regions_runs_kernel, PIECES | SIZES, _CONSTANTS),
    Specimen(
        remove_small_regions_join_kernel,
        {"words_ptr": "*i32", "parents_ptr": "*i32"} | SIZES,
        _CONSTANTS,
        ONE_WARP,
    ),
    Specimen(remove_small_regions_areas_kernel, PIECES | SIZES, _CONSTANTS, ONE_WARP),
]
