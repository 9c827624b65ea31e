"""Contingency table on the GPU: only the ends of runs of equal pairs touch the table.

A run within a row from x0 to x1 adds x1 + 1 - x0 to its entry. Its first pixel adds -x0, its last adds
x1 + 1, so pixels inside a run write nothing, blocks need not know of each other, and a large background
costs two additions a row.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import COLUMNS, tile_pixels, tiling
from som_kernels._launch import Specimen, on_device

__all__ = ["label_overlap"]

PIXELS = 512  # a program


@triton.jit
def label_overlap_kernel(
    a_ptr,
    b_ptr,
    table_ptr,
    tiles_x,
    height,
    width,
    n_columns,
    a_stride_y,
    a_stride_x,
    b_stride_y,
    b_stride_x,
    rows: tl.constexpr,
    columns: tl.constexpr,
):
    """One program counts a tile of pixels."""
    y, x = tile_pixels(tiles_x, rows, columns)
    a_ptr += y * a_stride_y + x.to(tl.int64) * a_stride_x
    b_ptr += y * b_stride_y + x.to(tl.int64) * b_stride_x
    inside = (y < height) & (x < width)
    # Codes are never negative, so -1 differs from all of them.
    here = _code(a_ptr, b_ptr, inside, n_columns)
    left = _code(a_ptr - a_stride_x, b_ptr - b_stride_x, inside & (x > 0), n_columns)
    right = _code(a_ptr + a_stride_x, b_ptr + b_stride_x, inside & (x + 1 < width), n_columns)
    x = x.to(tl.int64)
    tl.atomic_add(table_ptr + here, -x, mask=inside & (left != here), sem="relaxed")
    tl.atomic_add(table_ptr + here, x + 1, mask=inside & (right != here), sem="relaxed")


@triton.jit
def _code(a_ptr, b_ptr, mask, n_columns):
    a = tl.load(a_ptr, mask=mask, other=0).to(tl.int64)
    b = tl.load(b_ptr, mask=mask, other=0).to(tl.int64)
    return tl.where(mask, a * n_columns + b, -1)


def label_overlap(a: torch.Tensor, b: torch.Tensor, n_a: int, n_b: int) -> torch.Tensor:
    """See `som_kernels.label_overlap`."""
    table = torch.zeros(n_a + 1, n_b + 1, dtype=torch.int64, device=a.device)
    h, w = a.shape
    grid, tiles_x, tile = tiling(h, w, PIXELS)
    with on_device(a):
        label_overlap_kernel[grid](a, b, table, tiles_x, h, w, n_b + 1, *a.stride(), *b.stride(), **tile)
    return table


SPECIMENS = [
    Specimen(
        label_overlap_kernel,
        {
            "a_ptr": "*i32",
            "b_ptr": "*i32",
            "table_ptr": "*i64",
            "tiles_x": "i32",
            "height": "i32",
            "width": "i32",
            "n_columns": "i32",
            "a_stride_y": "i32",
            "a_stride_x": "1",
            "b_stride_y": "i32",
            "b_stride_x": "1",
        },
        {"rows": PIXELS // COLUMNS, "columns": COLUMNS},
    )
]
