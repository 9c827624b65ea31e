"""Masks painted on the GPU: each tile looks from the top mask down and reads no further than it must."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import valid_bits
from som_kernels._launch import Specimen, mask_by_mask, on_device
from som_kernels.pack_masks import PackedMasks, packed
from som_kernels.paint_labels.reference import largest_first

__all__ = ["paint_labels"]

TILE = {"rows": 8, "columns": 4}  # rows and words of a program's tile: 8 × 128 pixels
OPTIONS = {"num_warps": 1}  # so that asking whether all is covered needs no barrier


@triton.jit
def paint_labels_kernel(
    words_ptr,
    boxes_ptr,
    order_ptr,
    labels_ptr,
    n_order,
    tiles_x,
    n_row,
    height,
    width,
    stride_n,
    rows: tl.constexpr,
    columns: tl.constexpr,
):
    """One program paints a tile of `rows` × `columns` words."""
    top = tl.program_id(0) // tiles_x * rows
    first = tl.program_id(0) % tiles_x * columns
    lane = tl.arange(0, rows * columns)
    y, column = top + lane // columns, first + lane % columns
    bit = tl.arange(0, 32)
    bare = tl.where(y < height, valid_bits(column, width), 0)  # pixels still without a label
    label = tl.zeros([rows * columns, 32], tl.int32)
    step, unpainted = n_order, 1
    while (step > 0) & (unpainted != 0):
        step -= 1
        i = tl.load(order_ptr + step)  # int64
        beside = (tl.load(boxes_ptr + i * 4) >= (first + columns) * 32) | (
            tl.load(boxes_ptr + i * 4 + 2) <= first * 32
        )
        beyond = (tl.load(boxes_ptr + i * 4 + 1) >= top + rows) | (tl.load(boxes_ptr + i * 4 + 3) <= top)
        if not (beside | beyond):
            place = i * stride_n + y.to(tl.int64) * n_row + column
            found = tl.load(words_ptr + place, mask=bare != 0, other=0) & bare
            hit = (found[:, None] >> bit[None, :]) & 1  # [rows * columns, 32]
            label = tl.where(hit != 0, (i + 1).to(tl.int32), label)
            bare = bare & ~found
            unpainted = tl.max((bare != 0).to(tl.int32))
    x = column[:, None] * 32 + bit[None, :]
    inside = (y < height)[:, None] & (x < width)
    tl.store(labels_ptr + y.to(tl.int64)[:, None] * width + x, label, mask=inside)


def paint_labels(masks: torch.Tensor | PackedMasks, order: list[int] | None) -> torch.Tensor:
    """See `som_kernels.paint_labels`."""
    masks = packed("masks", masks, "triton")
    order = largest_first(masks.areas) if order is None else order
    h, w = masks.height, masks.width
    words = mask_by_mask(masks.words)
    n_row = words.shape[2]
    labels = torch.empty(h, w, dtype=torch.int32, device=masks.device)
    indices = torch.tensor(order, dtype=torch.int64, device=masks.device)
    tiles_x = triton.cdiv(n_row, TILE["columns"])
    with on_device(labels):
        paint_labels_kernel[(triton.cdiv(h, TILE["rows"]) * tiles_x,)](
            words,
            masks.boxes.contiguous(),
            indices,
            labels,
            len(order),
            tiles_x,
            n_row,
            h,
            w,
            words.stride(0),
            **TILE,
            **OPTIONS,
        )
    return labels


SPECIMENS = [
    Specimen(
        paint_labels_kernel,
        {
            "words_ptr": "*i32",
            "boxes_ptr": "*i32",
            "order_ptr": "*i64",
            "labels_ptr": "*i32",
            "n_order": "i32",
            "tiles_x": "i32",
            "n_row": "i32",
            "height": "i32",
            "width": "i32:16",
            "stride_n": "i32:16",
        },
        TILE,
        OPTIONS,
    )
]
