"""Device code that several operations share: bits of words, tiles of pixels, tight boxes."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._launch import Specimen, on_device

__all__ = [
    "COLUMNS",
    "count_bits",
    "finish_boxes",
    "finish_boxes_kernel",
    "first_bit",
    "past_last_bit",
    "stretch_box",
    "tile_pixels",
    "tiling",
    "valid_bits",
]

BLOCK = 128
COLUMNS = 128  # of a tile of pixels: a warp reads along a row


@triton.jit
def count_bits(x):
    """Bits set in each int32; the compilers turn this into one instruction."""
    x = x.to(tl.uint32, bitcast=True)
    x = x - ((x >> 1) & 0x55555555)
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F
    return ((x * 0x01010101) >> 24).to(tl.int32)


@triton.jit
def first_bit(x):
    """Index of the lowest bit set in each int32; 32 where there is none."""
    return count_bits(~x & (x - 1))


@triton.jit
def past_last_bit(x):
    """One past the index of the highest bit set in each int32; 0 where there is none."""
    x = x.to(tl.uint32, bitcast=True)
    for power in tl.static_range(5):
        x = x | (x >> (1 << power))
    return count_bits(x)


@triton.jit
def valid_bits(column, width):
    """The bits of word `column` of a row that are pixels of a picture `width` wide."""
    left = tl.minimum(tl.maximum(width - column * 32, 0), 32)
    return tl.where(left == 32, -1, (1 << (left & 31)) - 1)


@triton.jit
def tile_pixels(tiles_x, rows: tl.constexpr, columns: tl.constexpr):
    """Rows (int64) and columns (int32) of the `rows` × `columns` pixels of the program's tile."""
    lane = tl.arange(0, rows * columns)
    y = (tl.program_id(0) // tiles_x).to(tl.int64) * rows + lane // columns
    return y, tl.program_id(0) % tiles_x * columns + lane % columns


@triton.jit
def stretch_box(ends_ptr, words, y, column, height, width):
    """Stretch one box, kept as `finish_boxes` wants it, over the bits of words `[block]` of rows `y`."""
    some = words != 0
    left = tl.max(tl.where(some, width - column * 32 - first_bit(words), 0))
    top = tl.max(tl.where(some, height - y, 0))
    right = tl.max(tl.where(some, column * 32 + past_last_bit(words), 0))
    bottom = tl.max(tl.where(some, y + 1, 0))
    tl.atomic_max(ends_ptr, left, mask=right > 0, sem="relaxed")
    tl.atomic_max(ends_ptr + 1, top, mask=right > 0, sem="relaxed")
    tl.atomic_max(ends_ptr + 2, right, mask=right > 0, sem="relaxed")
    tl.atomic_max(ends_ptr + 3, bottom, mask=right > 0, sem="relaxed")


@triton.jit
def finish_boxes_kernel(ends_ptr, n, height, width, block: tl.constexpr):
    """One program turns `block` boxes from distances to the far sides into x0, y0, x1, y1."""
    i = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = i < n
    left = tl.load(ends_ptr + i * 4, mask=inside, other=0)
    top = tl.load(ends_ptr + i * 4 + 1, mask=inside, other=0)
    tl.store(ends_ptr + i * 4, tl.where(left > 0, width - left, 0), mask=inside)
    tl.store(ends_ptr + i * 4 + 1, tl.where(top > 0, height - top, 0), mask=inside)


def tiling(height: int, width: int, pixels: int) -> tuple[tuple[int], int, dict[str, int]]:
    """Grid, tiles in a row, and the size of tiles of `pixels` pixels, as `tile_pixels` wants them."""
    columns = min(COLUMNS, pixels, triton.next_power_of_2(width))
    rows = pixels // columns
    tiles_x = triton.cdiv(width, columns)
    return (triton.cdiv(height, rows) * tiles_x,), tiles_x, {"rows": rows, "columns": columns}


def finish_boxes(ends: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Boxes `[n, 4] int32`, in place, of what kernels left in zeros: the largest of W - x0, H - y0, x1, y1.

    So zeros are a box of nothing, and one kind of atomic operation serves all four sides.
    """
    if len(ends):
        with on_device(ends):
            finish_boxes_kernel[(triton.cdiv(len(ends), BLOCK),)](ends, len(ends), height, width, block=BLOCK)
    return ends


SPECIMENS = [
    Specimen(
        finish_boxes_kernel,
        {"ends_ptr": "*i32", "n": "i32", "height": "i32", "width": "i32"},
        {"block": BLOCK},
    )
]
