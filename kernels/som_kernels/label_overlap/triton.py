"""Contingency table on the GPU: only the ends of runs of equal pairs touch the table.

A run from pixel s to pixel e adds e + 1 - s to its entry. Its first pixel adds -s, its last adds e + 1,
so pixels inside a run write nothing, blocks need not know of each other, and a large background costs
two additions a row or fewer.
"""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._launch import on_device

__all__ = ["label_overlap"]

BLOCK = 1024


@triton.jit
def label_overlap_kernel(a_ptr, b_ptr, table_ptr, n_pixels, n_columns, block: tl.constexpr):
    """One program counts `block` pixels of the flattened maps."""
    p = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = p < n_pixels
    has_left, has_right = inside & (p > 0), p + 1 < n_pixels
    # Codes are never negative, so -1 differs from all of them.
    here = _code(a_ptr + p, b_ptr + p, inside, n_columns)
    left = _code(a_ptr + p - 1, b_ptr + p - 1, has_left, n_columns)
    right = _code(a_ptr + p + 1, b_ptr + p + 1, has_right, n_columns)
    tl.atomic_add(table_ptr + here, -p, mask=inside & (left != here), sem="relaxed")
    tl.atomic_add(table_ptr + here, p + 1, mask=inside & (right != here), sem="relaxed")


@triton.jit
def _code(a_ptr, b_ptr, mask, n_columns):
    a = tl.load(a_ptr, mask=mask, other=0).to(tl.int64)
    b = tl.load(b_ptr, mask=mask, other=0).to(tl.int64)
    return tl.where(mask, a * n_columns + b, -1)


def label_overlap(a: torch.Tensor, b: torch.Tensor, n_a: int, n_b: int) -> torch.Tensor:
    """See `som_kernels.label_overlap`."""
    a, b = a.contiguous(), b.contiguous()
    table = torch.zeros(n_a + 1, n_b + 1, dtype=torch.int64, device=a.device)
    grid = (triton.cdiv(a.numel(), BLOCK),)
    with on_device(a):
        label_overlap_kernel[grid](a, b, table, a.numel(), n_b + 1, block=BLOCK)
    return table
