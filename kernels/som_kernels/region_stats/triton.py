"""Region measures on the GPU in one pass: only the ends of runs of equal labels touch the table.

What a run adds up to is the difference of two sums, one up to its last pixel and one up to before its
first. Sums of ones, x and y from the row's beginning have a formula, those of the colours are cumulative
sums within the program's tile, at whose sides runs end as well.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import COLUMNS, finish_boxes, tile_pixels, tiling
from som_kernels._launch import Specimen, on_device

__all__ = ["region_stats"]

PIXELS = 512  # a program


@triton.jit
def region_stats_kernel(
    labels_ptr,
    image_ptr,
    sums_ptr,
    ends_ptr,
    tiles_x,
    height,
    width,
    stride_y,
    stride_x,
    image_stride_y,
    image_stride_x,
    image_stride_c,
    rows: tl.constexpr,
    columns: tl.constexpr,
):
    """One program measures a tile of pixels."""
    y, x = tile_pixels(tiles_x, rows, columns)
    inside = (y < height) & (x < width)
    in_tile = x % columns  # tiles begin at multiples of their width
    labels_ptr += y * stride_y + x.to(tl.int64) * stride_x
    here = tl.load(labels_ptr, mask=inside, other=0)
    left = tl.load(labels_ptr - stride_x, mask=inside & (in_tile > 0), other=-1)
    right = tl.load(labels_ptr + stride_x, mask=inside & (x + 1 < width) & (in_tile + 1 < columns), other=-1)
    begins, ends = (here > 0) & (left != here), (here > 0) & (right != here)
    sums_ptr += here.to(tl.int64) * 6
    ends_ptr += here.to(tl.int64) * 4
    x = x.to(tl.int64)
    _add(sums_ptr, x, x + 1, begins, ends)
    _add(sums_ptr + 1, x * (x - 1) // 2, x * (x + 1) // 2, begins, ends)
    _add(sums_ptr + 2, x * y, (x + 1) * y, begins, ends)
    image_ptr += y * image_stride_y + x * image_stride_x
    for channel in tl.static_range(3):
        value = tl.load(image_ptr, mask=inside, other=0).to(tl.int32)
        total = tl.cumsum(value, 0)
        _add(sums_ptr + 3 + channel, (total - value).to(tl.int64), total.to(tl.int64), begins, ends)
        image_ptr += image_stride_c
    tl.atomic_max(ends_ptr, (width - x).to(tl.int32), mask=begins, sem="relaxed")
    tl.atomic_max(ends_ptr + 1, (height - y).to(tl.int32), mask=begins, sem="relaxed")
    tl.atomic_max(ends_ptr + 2, (x + 1).to(tl.int32), mask=ends, sem="relaxed")
    tl.atomic_max(ends_ptr + 3, (y + 1).to(tl.int32), mask=ends, sem="relaxed")


@triton.jit
def _add(sums_ptr, before, until, begins, ends):
    """Add `until` where a run ends less `before` where it begins; once where a run is one pixel."""
    value = tl.where(ends, until, 0) - tl.where(begins, before, 0)
    tl.atomic_add(sums_ptr, value, mask=begins | ends, sem="relaxed")


def region_stats(labels: torch.Tensor, image: torch.Tensor, n: int) -> tuple[torch.Tensor, ...]:
    """See `som_kernels.region_stats`."""
    h, w = labels.shape
    sums = torch.zeros(n + 1, 6, dtype=torch.int64, device=labels.device)
    ends = torch.zeros(n + 1, 4, dtype=torch.int32, device=labels.device)
    grid, tiles_x, tile = tiling(h, w, PIXELS)
    with on_device(labels):
        region_stats_kernel[grid](
            labels, image, sums, ends, tiles_x, h, w, *labels.stride(), *image.stride(), **tile
        )
    areas = sums[1:, 0].contiguous()
    means = (sums[1:, 1:].double() / areas.clamp(min=1)[:, None]).float()
    centroids = torch.where(areas[:, None] > 0, means[:, :2], -1)
    return areas, finish_boxes(ends, h, w)[1:], centroids, means[:, 2:].contiguous()


SPECIMENS = [
    Specimen(
        region_stats_kernel,
        {
            "labels_ptr": "*i32",
            "image_ptr": "*u8",
            "sums_ptr": "*i64",
            "ends_ptr": "*i32",
            "tiles_x": "i32",
            "height": "i32",
            "width": "i32",
            "stride_y": "i32",
            "stride_x": "1",
            "image_stride_y": "i32",
            "image_stride_x": "i32",
            "image_stride_c": "1",
        },
        {"rows": PIXELS // COLUMNS, "columns": COLUMNS},
    )
]
