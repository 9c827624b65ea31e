"""Packed masks from logits on the GPU: resized values, compared and kept as bits."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import count_bits, finish_boxes, stretch_box
from som_kernels._launch import Specimen, on_device
from som_kernels._resized import (
    CONSTANTS,
    OPTIONS,
    RESIZING,
    WORD,
    resized,
    resizing,
    straddles,
    value_range,
)
from som_kernels.resize import Resize

__all__ = ["threshold_logits"]


@triton.jit
def threshold_logits_kernel(
    logits_ptr,
    stride_n,
    stride_y,
    stride_x,
    start_y_ptr,
    weights_y_ptr,
    start_x_ptr,
    weights_x_ptr,
    words_ptr,
    ends_ptr,
    areas_ptr,
    n_row,
    n_tiles,
    tiles_x,
    height,
    width,
    cutoff,
    rows: tl.constexpr,
    columns: tl.constexpr,
    taps_y: tl.constexpr,
    taps_x: tl.constexpr,
    look_first: tl.constexpr,
):
    """One program writes a tile of `rows` × `columns` words of one mask."""
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
    if straddles(low, high, cutoff):
        value = resized(
            logits_ptr, stride_y, stride_x, start_y_ptr, weights_y_ptr, start_x_ptr, weights_x_ptr,
            y, x, height, width, taps_y, taps_x,
        )  # fmt: skip
    words = tl.sum((inside & (value > cutoff)).to(tl.int32) << bit[None, :], axis=1)
    tl.store(words_ptr + (mask * height + y) * n_row + column, words, mask=(y < height) & (column < n_row))
    area = tl.sum(count_bits(words)).to(tl.int64)
    tl.atomic_add(areas_ptr + mask, area, mask=area > 0, sem="relaxed")
    stretch_box(ends_ptr + mask * 4, words, y, column, height, width)


def threshold_logits(
    logits: torch.Tensor, chosen: torch.Tensor | None, resize: Resize, cutoff: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    logits = logits if chosen is None else logits[chosen]
    n, (h, w) = len(logits), resize.size
    words = torch.empty(n, h, triton.cdiv(w, WORD), dtype=torch.int32, device=logits.device)
    ends = torch.zeros(n, 4, dtype=torch.int32, device=logits.device)
    areas = torch.zeros(n, dtype=torch.int64, device=logits.device)
    if n:
        arrays, constants, tiles = resizing(resize)
        with on_device(logits):
            threshold_logits_kernel[(n * tiles[0],)](
                logits,
                *logits.stride(),
                *arrays,
                words,
                ends,
                areas,
                words.shape[2],
                *tiles,
                h,
                w,
                cutoff,
                **constants,
                **OPTIONS,
            )
    return words, finish_boxes(ends, h, w), areas


SPECIMENS = [
    Specimen(
        threshold_logits_kernel,
        RESIZING
        | {"words_ptr": "*i32", "ends_ptr": "*i32", "areas_ptr": "*i64"}
        | dict.fromkeys(("n_row", "n_tiles", "tiles_x", "height", "width"), "i32")
        | {"cutoff": "fp32"},
        CONSTANTS,
        OPTIONS,
    )
]
