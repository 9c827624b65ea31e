"""Boxes on the GPU: the reduction of `pack_masks` without its words."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import finish_boxes, stretch_box
from som_kernels._launch import Specimen, on_device
from som_kernels.pack_masks import WORD
from som_kernels.pack_masks.triton import gather_words

__all__ = ["mask_boxes"]

BLOCK = 128  # words a program


@triton.jit
def mask_boxes_kernel(
    masks_ptr,
    ends_ptr,
    n_blocks,
    n_row,
    height,
    width,
    stride_n,
    stride_y,
    stride_x,
    block: tl.constexpr,
):
    """One program stretches one mask's box over 32 * `block` pixels; `masks_ptr` points at bytes."""
    mask, words, y, column = gather_words(
        masks_ptr, n_blocks, n_row, height, width, stride_n, stride_y, stride_x, block
    )
    stretch_box(ends_ptr + mask * 4, words, y, column, height, width)


def mask_boxes(masks: torch.Tensor) -> torch.Tensor:
    """See `som_kernels.mask_boxes`."""
    n, h, w = masks.shape
    ends = torch.zeros(n, 4, dtype=torch.int32, device=masks.device)
    if n:
        n_row = triton.cdiv(w, WORD)
        n_blocks = triton.cdiv(h * n_row, BLOCK)
        with on_device(masks):
            mask_boxes_kernel[(n * n_blocks,)](
                masks.view(torch.uint8), ends, n_blocks, n_row, h, w, *masks.stride(), block=BLOCK
            )
    return finish_boxes(ends, h, w)


SPECIMENS = [
    Specimen(
        mask_boxes_kernel,
        {
            "masks_ptr": "*u8",
            "ends_ptr": "*i32",
            "n_blocks": "i32",
            "n_row": "i32",
            "height": "i32",
            "width": "i32:16",
            "stride_n": "i32:16",
            "stride_y": "i32:16",
            "stride_x": "1",
        },
        {"block": BLOCK},
    )
]
