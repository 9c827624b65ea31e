"""Measures of candidate masks on the GPU: resized values exist in registers only."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import finish_boxes, stretch_box
from som_kernels._launch import Specimen, on_device
from som_kernels._resized import CONSTANTS, OPTIONS, RESIZING, resized, resizing, straddles, value_range
from som_kernels.resize import Resize

__all__ = ["measure_logits"]


@triton.jit
def measure_logits_kernel(
    logits_ptr,
    stride_n,
    stride_y,
    stride_x,
    start_y_ptr,
    weights_y_ptr,
    start_x_ptr,
    weights_x_ptr,
    counts_ptr,
    ends_ptr,
    n,
    n_tiles,
    tiles_x,
    height,
    width,
    upper,
    cutoff,
    lower,
    rows: tl.constexpr,
    columns: tl.constexpr,
    taps_y: tl.constexpr,
    taps_x: tl.constexpr,
    look_first: tl.constexpr,
):
    """One program measures a tile of `rows` × `columns` words of one mask."""
    mask = tl.program_id(0).to(tl.int64) // n_tiles
    tile = tl.program_id(0) % n_tiles
    top, first = tile // tiles_x * rows, tile % tiles_x * columns
    logits_ptr += mask * stride_n
    low, high = float("-inf"), float("inf")
    if look_first:
        low, high = value_range(
            logits_ptr, stride_y, stride_x, start_y_ptr, start_x_ptr, top, first * 32, height, width,
            rows, columns, taps_y, taps_x,
        )  # fmt: skip
    lane = tl.arange(0, rows * columns)
    bit = tl.arange(0, 32)
    y, column = top + lane // columns, first + lane % columns
    x = column[:, None] * 32 + bit[None, :]  # [rows * columns, 32]
    inside = (y < height)[:, None] & (x < width)
    value = tl.zeros([rows * columns, 32], tl.float32) + low  # will do where all are on one side
    if straddles(low, high, upper) | straddles(low, high, cutoff) | straddles(low, high, lower):
        value = resized(
            logits_ptr, stride_y, stride_x, start_y_ptr, weights_y_ptr, start_x_ptr, weights_x_ptr,
            y, x, height, width, taps_y, taps_x,
        )  # fmt: skip
    _count(counts_ptr + mask, inside & (value > upper))
    _count(counts_ptr + n + mask, inside & (value > cutoff))
    _count(counts_ptr + 2 * n + mask, inside & (value > lower))
    words = tl.sum((inside & (value > cutoff)).to(tl.int32) << bit[None, :], axis=1)
    stretch_box(ends_ptr + mask * 4, words, y, column, height, width)


@triton.jit
def _count(count_ptr, above):
    count = tl.sum(tl.sum(above.to(tl.int32), axis=1), axis=0)
    tl.atomic_add(count_ptr, count.to(tl.int64), mask=count > 0, sem="relaxed")


def measure_logits(
    logits: torch.Tensor, chosen: torch.Tensor | None, resize: Resize, cutoffs: tuple[float, float, float]
) -> tuple[torch.Tensor, ...]:
    """Pixels above each of the three cutoffs, `[N] int64`, and boxes `[N, 4] int32` for the middle one."""
    logits = logits if chosen is None else logits[chosen]
    n, (h, w) = len(logits), resize.size
    counts = torch.zeros(3, n, dtype=torch.int64, device=logits.device)
    ends = torch.zeros(n, 4, dtype=torch.int32, device=logits.device)
    if n:
        arrays, constants, tiles = resizing(resize)
        with on_device(logits):
            measure_logits_kernel[(n * tiles[0],)](
                logits,
                *logits.stride(),
                *arrays,
                counts,
                ends,
                n,
                *tiles,
                h,
                w,
                *cutoffs,
                **constants,
                **OPTIONS,
            )
    return *counts.unbind(0), finish_boxes(ends, h, w)


SPECIMENS = [
    Specimen(
        measure_logits_kernel,
        RESIZING
        | {"counts_ptr": "*i64", "ends_ptr": "*i32"}
        | dict.fromkeys(("n", "n_tiles", "tiles_x", "height", "width"), "i32")
        | dict.fromkeys(("upper", "cutoff", "lower"), "fp32"),
        CONSTANTS,
        OPTIONS,
    )
]
