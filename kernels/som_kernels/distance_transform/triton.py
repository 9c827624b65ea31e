"""Distance transform on the GPU, separable: along the rows by scans, then along the columns by a short walk.

The first kernel finds for each pixel the distance g to the nearest other label in its row. In the second
each pixel walks up and down its column; at step k a pixel of the same label offers k² + g², one of
another label k². It stops as soon as k² reaches the best offer, so it never leaves the run of equal
labels and its walk is as short as the answer. Integers throughout: the result is exact.
Squares fit in int32, since a side has at most 65535 pixels and no distance is more than half of it.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import tile_pixels, tiling
from som_kernels._launch import Specimen, on_device

__all__ = ["OPTIONS", "PIXELS", "distance_transform", "row_distances", "walk_columns"]

ROW_BLOCK = 1024
PIXELS = 64  # a program that walks
OPTIONS = {"num_warps": 1}  # so that asking whether all have arrived needs no barrier


@triton.jit
def _larger(a, b):
    return tl.maximum(a, b)


@triton.jit
def _smaller(a, b):
    return tl.minimum(a, b)


@triton.jit
def distance_rows_kernel(labels_ptr, out_ptr, width, stride_y, stride_x, block: tl.constexpr):
    """One program measures one row, `block` pixels at a time, rightwards and then back."""
    row = tl.program_id(0).to(tl.int64)
    labels_ptr += row * stride_y
    out_ptr += row * width
    lane = tl.arange(0, block)
    n_blocks = tl.cdiv(width, block)
    first = 0  # where the run began that reaches into this block
    for i in range(n_blocks):
        x = i * block + lane
        inside = x < width
        place = labels_ptr + x.to(tl.int64) * stride_x
        here = tl.load(place, mask=inside, other=-1)
        left = tl.load(place - stride_x, mask=inside & (x > 0), other=-1)
        begins = tl.where(inside & (here != left), x, first)
        start = tl.associative_scan(begins, 0, _larger)
        tl.store(out_ptr + x, x - start + 1, mask=inside)
        first = tl.max(start, 0)
    tl.debug_barrier()  # what one thread wrote above another may read below
    last = width - 1  # where the run ends that reaches into this block from the right
    for i in range(n_blocks):
        x = (n_blocks - 1 - i) * block + lane
        inside = x < width
        place = labels_ptr + x.to(tl.int64) * stride_x
        here = tl.load(place, mask=inside, other=-1)
        right = tl.load(place + stride_x, mask=x + 1 < width, other=-1)
        ends = tl.where(inside & (here != right), x, last)
        end = tl.associative_scan(ends, 0, _smaller, reverse=True)
        leftwards = tl.load(out_ptr + x, mask=inside, other=0)
        tl.store(out_ptr + x, tl.minimum(leftwards, end - x + 1), mask=inside)
        last = tl.min(end, 0)


@triton.jit
def walk_columns(labels_ptr, rows_ptr, y, here, best, height, width, stride_y):
    """Squared distances of pixels whose offer so far is `best`; where that is 0 nothing is read.

    Both pointers point at the pixels themselves.
    """
    k = 1
    furthest = tl.max(best, 0)
    while k * k < furthest:
        for _ in tl.static_range(4):  # ask less often whether all are done
            away = tl.full(y.shape, 0, tl.int64) + k  # times a stride it may leave int32
            step, row_step = away * stride_y, away * width
            best = _offer(labels_ptr - step, rows_ptr - row_step, y >= k, here, best, k)
            best = _offer(labels_ptr + step, rows_ptr + row_step, y + k < height, here, best, k)
            k += 1
        furthest = tl.max(best, 0)
    return best


@triton.jit
def _offer(labels_ptr, rows_ptr, in_picture, here, best, k):
    """`best`, or what the pixels pointed at, `k` rows away, offer; who cannot gain reads nothing."""
    gains = k * k < best
    there = tl.load(labels_ptr, mask=gains & in_picture, other=-1)
    in_row = tl.load(rows_ptr, mask=gains & in_picture & (there == here), other=0)
    return tl.where(gains, tl.minimum(best, k * k + in_row * in_row), best)


@triton.jit
def distance_columns_kernel(
    labels_ptr,
    rows_ptr,
    out_ptr,
    tiles_x,
    height,
    width,
    stride_y,
    stride_x,
    rows: tl.constexpr,
    columns: tl.constexpr,
):
    """One program finishes a tile of pixels."""
    y, x = tile_pixels(tiles_x, rows, columns)
    pixel = y * width + x
    inside = (y < height) & (x < width)
    labels_ptr += y * stride_y + x.to(tl.int64) * stride_x
    here = tl.load(labels_ptr, mask=inside, other=-1)
    in_row = tl.load(rows_ptr + pixel, mask=inside, other=0)
    best = walk_columns(labels_ptr, rows_ptr + pixel, y, here, in_row * in_row, height, width, stride_y)
    tl.store(out_ptr + pixel, tl.sqrt(best.to(tl.float64)).to(tl.float32), mask=inside)


def distance_transform(labels: torch.Tensor) -> torch.Tensor:
    """See `som_kernels.distance_transform`."""
    h, w = labels.shape
    rows = row_distances(labels)
    distance = torch.empty(h, w, dtype=torch.float32, device=labels.device)
    grid, tiles_x, tile = tiling(h, w, PIXELS)
    with on_device(labels):
        distance_columns_kernel[grid](
            labels, rows, distance, tiles_x, h, w, *labels.stride(), **tile, **OPTIONS
        )
    return distance


def row_distances(labels: torch.Tensor) -> torch.Tensor:
    """Distance to the nearest pixel of another label in the same row, `[H, W] int32`."""
    h, w = labels.shape
    rows = torch.empty(h, w, dtype=torch.int32, device=labels.device)
    block = min(ROW_BLOCK, triton.next_power_of_2(w))
    with on_device(labels):
        distance_rows_kernel[(h,)](labels, rows, w, *labels.stride(), block=block)
    return rows


SPECIMENS = [
    Specimen(
        distance_rows_kernel,
        {"labels_ptr": "*i32", "out_ptr": "*i32", "width": "i32", "stride_y": "i32", "stride_x": "1"},
        {"block": ROW_BLOCK},
    ),
    Specimen(
        distance_columns_kernel,
        {
            "labels_ptr": "*i32",
            "rows_ptr": "*i32",
            "out_ptr": "*fp32",
            "tiles_x": "i32",
            "height": "i32",
            "width": "i32",
            "stride_y": "i32",
            "stride_x": "1",
        },
        {"rows": 1, "columns": PIXELS},
        OPTIONS,
    ),
]
