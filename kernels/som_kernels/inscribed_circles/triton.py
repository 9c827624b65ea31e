"""Inscribed circles on the GPU: each pixel that could be its label's furthest walks, and offers a key.

A key has the squared distance in its high half and the pixel counted backwards in its low half, so the
largest is the furthest pixel, and of equals the first in raster order. The distances within the row and
to the upper and lower border bound what the walk can find; pixels that cannot beat their label's best key
so far do not walk.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import tile_pixels, tiling
from som_kernels._launch import Specimen, on_device
from som_kernels.distance_transform.triton import OPTIONS, PIXELS, row_distances, walk_columns

__all__ = ["inscribed_circles"]

LOW = 0xFFFF_FFFF


@triton.jit
def inscribed_circles_kernel(
    labels_ptr,
    rows_ptr,
    keys_ptr,
    tiles_x,
    height,
    width,
    stride_y,
    stride_x,
    rows: tl.constexpr,
    columns: tl.constexpr,
    low: tl.constexpr,
):
    """One program offers the keys of a tile of pixels."""
    y, x = tile_pixels(tiles_x, rows, columns)
    pixel = y * width + x
    labels_ptr += y * stride_y + x.to(tl.int64) * stride_x
    here = tl.load(labels_ptr, mask=(y < height) & (x < width), other=0)
    region = here > 0
    keys_ptr += here
    in_row = tl.load(rows_ptr + pixel, mask=region, other=0)
    reach = tl.minimum(in_row, tl.minimum(y + 1, height - y).to(tl.int32))
    bound = reach * reach
    # An old key that another program is about to replace costs a walk too many, no more.
    worth = region & (_key(bound, pixel, low) > tl.load(keys_ptr, mask=region, other=0))
    bound = tl.where(worth, bound, 0)
    key = _key(
        walk_columns(labels_ptr, rows_ptr + pixel, y, here, bound, height, width, stride_y), pixel, low
    )
    better = worth & (key > tl.load(keys_ptr, mask=worth, other=0))
    tl.atomic_max(keys_ptr, key, mask=better, sem="relaxed")


@triton.jit
def _key(squared, pixel, low: tl.constexpr):
    return squared.to(tl.int64) << 32 | (low - pixel)


def inscribed_circles(labels: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """See `som_kernels.inscribed_circles`."""
    h, w = labels.shape
    rows = row_distances(labels)
    keys = torch.zeros(n + 1, dtype=torch.int64, device=labels.device)
    grid, tiles_x, tile = tiling(h, w, PIXELS)
    with on_device(labels):
        inscribed_circles_kernel[grid](
            labels, rows, keys, tiles_x, h, w, *labels.stride(), **tile, low=LOW, **OPTIONS
        )
    best = keys[1:]
    pixel = LOW - (best & LOW)
    centres = torch.stack([pixel % w, pixel // w], dim=1).to(torch.int32)
    centres = torch.where((best > 0)[:, None], centres, -1)
    return centres, (best >> 32).double().sqrt().float()


SPECIMENS = [
    Specimen(
        inscribed_circles_kernel,
        {
            "labels_ptr": "*i32",
            "rows_ptr": "*i32",
            "keys_ptr": "*i64",
            "tiles_x": "i32",
            "height": "i32",
            "width": "i32",
            "stride_y": "i32",
            "stride_x": "1",
        },
        {"rows": 1, "columns": PIXELS, "low": LOW},
        OPTIONS,
    )
]
