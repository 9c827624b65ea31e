"""Device code of resized logits, and what the kernels that use it are launched with.

A tile of the picture draws on a small patch of the map, and its values lie between the patch's least and
largest. Where that already tells for every cutoff on which side all are, nothing is interpolated: most
tiles of a mask are not at its edge.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels.pack_masks import WORD
from som_kernels.resize import Resize

__all__ = ["CONSTANTS", "OPTIONS", "RESIZING", "WORD", "resized", "resizing", "straddles", "value_range"]

TILE = {"rows": 8, "columns": 4}  # rows and words of a program's tile: 8 × 128 pixels
CONSTANTS = {**TILE, "taps_y": 3, "taps_x": 3, "look_first": True}  # as for Segment Anything
OPTIONS = {"enable_fp_fusion": False}  # a fused multiply-add rounds once where the reference rounds twice


@triton.jit
def value_range(
    source_ptr,
    stride_y,
    stride_x,
    start_y_ptr,
    start_x_ptr,
    top,
    left,
    height,
    width,
    rows: tl.constexpr,
    columns: tl.constexpr,
    taps_y: tl.constexpr,
    taps_x: tl.constexpr,
):
    """Bounds of the resized values in a tile whose first pixel is at row `top`, column `left`."""
    y0 = tl.load(start_y_ptr + top)
    y1 = tl.load(start_y_ptr + tl.minimum(top + rows, height) - 1) + taps_y
    x0 = tl.load(start_x_ptr + left)
    x1 = tl.load(start_x_ptr + tl.minimum(left + columns * 32, width) - 1) + taps_x
    n = (y1 - y0) * (x1 - x0)
    least = tl.full([256], float("inf"), tl.float32)
    most = tl.full([256], float("-inf"), tl.float32)
    for first in range(0, n, 256):
        i = first + tl.arange(0, 256)
        y, x = (y0 + i // (x1 - x0)).to(tl.int64), (x0 + i % (x1 - x0)).to(tl.int64)
        source = source_ptr + y * stride_y + x * stride_x
        least = tl.minimum(least, tl.load(source, mask=i < n, other=float("inf")))
        most = tl.maximum(most, tl.load(source, mask=i < n, other=float("-inf")))
    low, high = tl.min(least, 0), tl.max(most, 0)
    # Rounding carries a value past its corners by a few parts in ten million at most.
    margin = tl.maximum(tl.abs(low), tl.abs(high)) * 1e-5 + 1e-36
    return low - margin, high + margin


@triton.jit
def straddles(low, high, cutoff):
    """Whether a tile with values from `low` to `high` may have some above the cutoff and some not."""
    return (low <= cutoff) & (high > cutoff)


@triton.jit
def resized(
    source_ptr,
    stride_y,
    stride_x,
    start_y_ptr,
    weights_y_ptr,
    start_x_ptr,
    weights_x_ptr,
    y,
    x,
    height,
    width,
    taps_y: tl.constexpr,
    taps_x: tl.constexpr,
):
    """Values at rows `y` `[block]` and columns `x` `[block, 32]`, summed in the order of the reference."""
    from_y = tl.load(start_y_ptr + y, mask=y < height, other=0).to(tl.int64)[:, None]
    from_x = tl.load(start_x_ptr + x, mask=x < width, other=0).to(tl.int64)
    inside = (y < height)[:, None] & (x < width)
    source_ptr += from_y * stride_y + from_x * stride_x
    total = tl.zeros(x.shape, tl.float32)
    for k_x in tl.static_range(taps_x):
        column = tl.zeros(x.shape, tl.float32)
        for k_y in tl.static_range(taps_y):
            weight_y = tl.load(weights_y_ptr + y * taps_y + k_y, mask=y < height, other=0)[:, None]
            term = tl.load(source_ptr + k_y * stride_y, mask=inside, other=0) * weight_y
            column = term if k_y == 0 else column + term  # 0 + -0 would not be -0
        term = column * tl.load(weights_x_ptr + x * taps_x + k_x, mask=x < width, other=0)
        total = term if k_x == 0 else total + term
        source_ptr += stride_x
    return total


def resizing(resize: Resize) -> tuple[tuple[torch.Tensor, ...], dict[str, int], tuple[int, int]]:
    """What both kernels are launched with: starts and weights, constants, tiles in all and in a row."""
    (h, w), taps = resize.size, (resize.rows, resize.columns)
    arrays = tuple(array.contiguous() for axis in taps for array in (axis.start, axis.weights))
    tiles_x = triton.cdiv(w, TILE["columns"] * WORD)
    # A patch of a map that is made smaller is larger than its tile: looking first would not pay.
    look_first = h * w >= 2 * resize.source[0] * resize.source[1]
    taps_y, taps_x = (axis.weights.shape[1] for axis in taps)
    constants = {**TILE, "taps_y": taps_y, "taps_x": taps_x, "look_first": look_first}
    return arrays, constants, (triton.cdiv(h, TILE["rows"]) * tiles_x, tiles_x)


RESIZING = {
    "logits_ptr": "*fp32",
    "stride_n": "i32:16",
    "stride_y": "i32:16",
    "stride_x": "1",
    "start_y_ptr": "*i32",
    "weights_y_ptr": "*fp32",
    "start_x_ptr": "*i32",
    "weights_x_ptr": "*fp32",
}
