"""Distance transform on the GPU, separable: along the rows by scans, then along the columns by a short walk.

The first kernel finds for each pixel the distance g to the nearest other label in its row. In the second
each pixel walks up and down its column; at step k a pixel of the same label offers k² + g², one of
another label k². It stops as soon as k² reaches the best offer, so it never leaves the run of equal
labels and its walk is as short as the answer. Integers throughout: the result is exact.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._launch import on_device

__all__ = ["distance_transform", "squared_distances"]

ROW_BLOCK = 1024
COLUMN_BLOCK = 128
LARGEST_WIDTH = 65535  # squares of half of it fit in int32


@triton.jit
def _larger(a, b):
    return tl.maximum(a, b)


@triton.jit
def _smaller(a, b):
    return tl.minimum(a, b)


@triton.jit
def distance_rows_kernel(labels_ptr, out_ptr, width, block: tl.constexpr):
    """One program measures one row, `block` pixels at a time, rightwards and then back."""
    row = tl.program_id(0).to(tl.int64) * width
    lane = tl.arange(0, block)
    n_blocks = tl.cdiv(width, block)
    first = 0  # where the run began that reaches into this block
    for i in range(n_blocks):
        x = i * block + lane
        inside = x < width
        here = tl.load(labels_ptr + row + x, mask=inside, other=-1)
        left = tl.load(labels_ptr + row + x - 1, mask=inside & (x > 0), other=-1)
        begins = tl.where(inside & (here != left), x, first)
        start = tl.associative_scan(begins, 0, _larger)
        tl.store(out_ptr + row + x, x - start + 1, mask=inside)
        first = tl.max(start, 0)
    tl.debug_barrier()  # what one thread wrote above another may read below
    last = width - 1  # where the run ends that reaches into this block from the right
    for i in range(n_blocks):
        x = (n_blocks - 1 - i) * block + lane
        inside = x < width
        here = tl.load(labels_ptr + row + x, mask=inside, other=-1)
        right = tl.load(labels_ptr + row + x + 1, mask=x + 1 < width, other=-1)
        ends = tl.where(inside & (here != right), x, last)
        end = tl.associative_scan(ends, 0, _smaller, reverse=True)
        leftwards = tl.load(out_ptr + row + x, mask=inside, other=0)
        tl.store(out_ptr + row + x, tl.minimum(leftwards, end - x + 1), mask=inside)
        last = tl.min(end, 0)


@triton.jit
def distance_columns_kernel(labels_ptr, rows_ptr, out_ptr, n_pixels, width, block: tl.constexpr):
    """One program finishes `block` pixels of the flattened picture."""
    p = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = p < n_pixels
    here = tl.load(labels_ptr + p, mask=inside, other=-1)
    in_row = tl.load(rows_ptr + p, mask=inside, other=0)
    best = in_row * in_row
    k = 1
    furthest = tl.max(best, 0)
    while k * k < furthest:
        for _ in tl.static_range(4):  # ask less often whether all are done: it stops the whole block
            above, below = p - k * width, p + k * width
            best = _offer(labels_ptr, rows_ptr, above, above >= 0, here, best, k)
            best = _offer(labels_ptr, rows_ptr, below, below < n_pixels, here, best, k)
            k += 1
        furthest = tl.max(best, 0)
    tl.store(out_ptr + p, best, mask=inside)


@triton.jit
def _offer(labels_ptr, rows_ptr, q, in_picture, here, best, k):
    """`best`, or what the pixels `q`, `k` rows away, offer; pixels that cannot gain read nothing."""
    gains = k * k < best
    there = tl.load(labels_ptr + q, mask=gains & in_picture, other=-1)
    in_row = tl.load(rows_ptr + q, mask=gains & in_picture & (there == here), other=0)
    return tl.where(gains, tl.minimum(best, k * k + in_row * in_row), best)


def distance_transform(labels: torch.Tensor) -> torch.Tensor:
    """See `som_kernels.distance_transform`."""
    return squared_distances(labels).double().sqrt().float()


def squared_distances(labels: torch.Tensor) -> torch.Tensor:
    """Squared distance to the nearest pixel of another label, `[H, W] int32`; exact.

    Raises:
        ValueError: the picture is wider than 65535 pixels.
    """
    h, w = labels.shape
    if w > LARGEST_WIDTH:
        msg = f"`labels` must be at most {LARGEST_WIDTH} pixels wide on a GPU, got {w}"
        raise ValueError(msg)
    labels = labels.contiguous()
    rows = torch.empty(h, w, dtype=torch.int32, device=labels.device)
    squared = torch.empty_like(rows)
    row_block = min(ROW_BLOCK, triton.next_power_of_2(w))
    with on_device(labels):
        distance_rows_kernel[(h,)](labels, rows, w, block=row_block)
        grid = (triton.cdiv(h * w, COLUMN_BLOCK),)
        distance_columns_kernel[grid](labels, rows, squared, h * w, w, block=COLUMN_BLOCK)
    return squared
