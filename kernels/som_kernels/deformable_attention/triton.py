"""Multi-scale deformable attention on the GPU: a program sums up for a block of queries of one head."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

from functools import lru_cache

import torch
import triton
import triton.language as tl

from som_kernels._launch import Specimen, on_device

__all__ = ["deformable_attention"]

BLOCK = 32  # queries of a program
OPTIONS = {"num_warps": 4}


@triton.jit
def deformable_attention_kernel(
    values_ptr,
    values_stride_b,
    values_stride_s,
    values_stride_h,
    values_stride_d,
    levels_ptr,
    locations_ptr,
    locations_stride_b,
    locations_stride_q,
    locations_stride_h,
    locations_stride_l,
    locations_stride_p,
    locations_stride_xy,
    weights_ptr,
    weights_stride_b,
    weights_stride_q,
    weights_stride_h,
    weights_stride_l,
    weights_stride_p,
    seen_ptr,
    n_queries,
    n_blocks,
    heads,
    n_levels: tl.constexpr,
    n_points: tl.constexpr,
    dim: tl.constexpr,
    block: tl.constexpr,
    block_d: tl.constexpr,
):
    """One program looks for `block` queries with one head of one batch."""
    slab = tl.program_id(0) // n_blocks
    batch, head = (slab // heads).to(tl.int64), (slab % heads).to(tl.int64)
    query = (tl.program_id(0) % n_blocks).to(tl.int64) * block + tl.arange(0, block)
    there = query < n_queries
    d = tl.arange(0, block_d).to(tl.int64)
    values_ptr += batch * values_stride_b + head * values_stride_h
    locations_ptr += batch * locations_stride_b + head * locations_stride_h
    weights_ptr += batch * weights_stride_b + head * weights_stride_h
    lane_ptr = values_ptr + (d * values_stride_d)[None, :]
    total = tl.zeros([block, block_d], tl.float32)
    for level in range(n_levels):
        height, width = tl.load(levels_ptr + 3 * level), tl.load(levels_ptr + 3 * level + 1)
        start = tl.load(levels_ptr + 3 * level + 2)
        place_ptr = locations_ptr + query * locations_stride_q
        weight_ptr = weights_ptr + query * weights_stride_q
        for _point in tl.static_range(n_points):
            x = tl.load(place_ptr, mask=there, other=-1).to(tl.float32) * width - 0.5
            y = tl.load(place_ptr + locations_stride_xy, mask=there, other=-1).to(tl.float32) * height - 0.5
            weight = tl.load(weight_ptr, mask=there, other=0).to(tl.float32)
            inside = there & (x > -1) & (x < width) & (y > -1) & (y < height)  # not so for NaN
            x, y = tl.where(inside, x, 0), tl.where(inside, y, 0)
            column, row = tl.floor(x), tl.floor(y)
            right, lower = x - column, y - row
            left, upper = tl.where(column >= 0, 1 - right, 0), tl.where(row >= 0, 1 - lower, 0)
            right, lower = tl.where(column + 1 < width, right, 0), tl.where(row + 1 < height, lower, 0)
            first, last = tl.maximum(column, 0).to(tl.int32), tl.minimum(column + 1, width - 1).to(tl.int32)
            top, bottom = tl.maximum(row, 0).to(tl.int32), tl.minimum(row + 1, height - 1).to(tl.int32)
            top, bottom = start + top * width, start + bottom * width
            upper, lower = weight * upper, weight * lower
            total += _cell(lane_ptr, values_stride_s, top + first, upper * left, inside, d, dim)
            total += _cell(lane_ptr, values_stride_s, top + last, upper * right, inside, d, dim)
            total += _cell(lane_ptr, values_stride_s, bottom + first, lower * left, inside, d, dim)
            total += _cell(lane_ptr, values_stride_s, bottom + last, lower * right, inside, d, dim)
            place_ptr += locations_stride_p
            weight_ptr += weights_stride_p
        locations_ptr += locations_stride_l
        weights_ptr += weights_stride_l
    out = ((batch * n_queries + query) * heads + head) * dim
    result = total.to(seen_ptr.dtype.element_ty)
    tl.store(seen_ptr + out[:, None] + d[None, :], result, mask=there[:, None] & (d < dim)[None, :])


@triton.jit
def _cell(lane_ptr, stride, cell, share, inside, d, dim: tl.constexpr):
    """The share of one cell each, `[block, block_d]`; 0 for points that see nothing."""
    ptr = lane_ptr + (cell.to(tl.int64) * stride)[:, None]
    value = tl.load(ptr, mask=inside[:, None] & (d < dim)[None, :], other=0).to(tl.float32)
    return tl.where(inside, share, 0)[:, None] * value


def deformable_attention(
    values: torch.Tensor, levels: tuple[tuple[int, int], ...], locations: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """See `som_kernels.deformable_attention`."""
    b, _, heads, dim = values.shape
    n_queries, _, n_levels, n_points = weights.shape[1:]
    seen = torch.empty(b, n_queries, heads * dim, dtype=values.dtype, device=values.device)
    if seen.numel():
        n_blocks = triton.cdiv(n_queries, BLOCK)
        with on_device(values):
            deformable_attention_kernel[(b * heads * n_blocks,)](
                values,
                *values.stride(),
                _levels(levels, values.device),
                locations,
                *locations.stride(),
                weights,
                *weights.stride(),
                seen,
                n_queries,
                n_blocks,
                heads,
                n_levels,
                n_points,
                dim,
                block=BLOCK,
                block_d=triton.next_power_of_2(dim),
                **OPTIONS,
            )
    return seen


@lru_cache(maxsize=64)  # a copy to the GPU takes as long as the kernel
def _levels(levels: tuple[tuple[int, int], ...], device: torch.device) -> torch.Tensor:
    """Height, width and first cell of each level, `[levels, 3] int32`."""
    rows, start = [], 0
    for h, w in levels:
        rows.append((h, w, start))
        start += h * w
    return torch.tensor(rows, dtype=torch.int32, device=device)


SPECIMENS = [
    Specimen(
        deformable_attention_kernel,
        {
            "values_ptr": "*fp16",
            "values_stride_b": "i32:16",
            "values_stride_s": "i32:16",
            "values_stride_h": "i32:16",
            "values_stride_d": "1",
            "levels_ptr": "*i32",
            "locations_ptr": "*fp32",
            "locations_stride_b": "i32:16",
            "locations_stride_q": "i32:16",
            "locations_stride_h": "i32:16",
            "locations_stride_l": "i32",
            "locations_stride_p": "i32",
            "locations_stride_xy": "1",
            "weights_ptr": "*fp32",
            "weights_stride_b": "i32:16",
            "weights_stride_q": "i32:16",
            "weights_stride_h": "i32:16",
            "weights_stride_l": "i32",
            "weights_stride_p": "1",
            "seen_ptr": "*fp16",
            "n_queries": "i32",
            "n_blocks": "i32",
            "heads": "i32",
        },
        {"n_levels": 4, "n_points": 4, "dim": 32, "block": BLOCK, "block_d": 32},
        OPTIONS,
    )
]
