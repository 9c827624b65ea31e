"""Masks of labels on the GPU: each program looks the labels of some words up for one mask."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import count_bits, finish_boxes, stretch_box
from som_kernels._launch import Specimen, on_device
from som_kernels.pack_masks import WORD

__all__ = ["pack_labels"]

BLOCK = 64  # words a program


@triton.jit
def pack_labels_kernel(
    labels_ptr,
    members_ptr,
    words_ptr,
    ends_ptr,
    areas_ptr,
    n_blocks,
    n_row,
    n_labels,
    height,
    width,
    stride_y,
    stride_x,
    block: tl.constexpr,
):
    """One program packs `block` words of one mask; `members_ptr` points at bytes, `[N, n_labels]`."""
    program = tl.program_id(0).to(tl.int64)
    mask = program // n_blocks
    word = (program % n_blocks).to(tl.int32) * block + tl.arange(0, block)
    y, column = word // n_row, word % n_row
    bit = tl.arange(0, 32)
    x = column[:, None] * 32 + bit[None, :]  # [block, 32]
    inside = (y < height)[:, None] & (x < width)
    place = y.to(tl.int64)[:, None] * stride_y + x.to(tl.int64) * stride_x
    label = tl.load(labels_ptr + place, mask=inside, other=0)
    member = tl.load(members_ptr + mask * n_labels + label, mask=inside, other=0) != 0
    words = tl.sum(member.to(tl.int32) << bit[None, :], axis=1)
    tl.store(words_ptr + (mask * height + y) * n_row + column, words, mask=y < height)
    area = tl.sum(count_bits(words)).to(tl.int64)
    tl.atomic_add(areas_ptr + mask, area, mask=area > 0, sem="relaxed")
    stretch_box(ends_ptr + mask * 4, words, y, column, height, width)


def pack_labels(
    labels: torch.Tensor, members: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    (n, n_labels), (h, w) = members.shape, labels.shape
    words = torch.empty(n, h, triton.cdiv(w, WORD), dtype=torch.int32, device=labels.device)
    ends = torch.zeros(n, 4, dtype=torch.int32, device=labels.device)
    areas = torch.zeros(n, dtype=torch.int64, device=labels.device)
    if n:
        n_row = words.shape[2]
        n_blocks = triton.cdiv(h * n_row, BLOCK)
        with on_device(labels):
            pack_labels_kernel[(n * n_blocks,)](
                labels,
                members.contiguous().view(torch.uint8),
                words,
                ends,
                areas,
                n_blocks,
                n_row,
                n_labels,
                h,
                w,
                *labels.stride(),
                block=BLOCK,
            )
    return words, finish_boxes(ends, h, w), areas


SPECIMENS = [
    Specimen(
        pack_labels_kernel,
        {
            "labels_ptr": "*i32",
            "members_ptr": "*u8",
            "words_ptr": "*i32",
            "ends_ptr": "*i32",
            "areas_ptr": "*i64",
            "n_blocks": "i32",
            "n_row": "i32",
            "n_labels": "i32",
            "height": "i32",
            "width": "i32",
            "stride_y": "i32:16",
            "stride_x": "1",
        },
        {"block": BLOCK},
    )
]
