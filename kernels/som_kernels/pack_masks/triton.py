"""Packing on the GPU: one pass over the bytes gives words, boxes and areas."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import count_bits, finish_boxes, stretch_box
from som_kernels._launch import Specimen, mask_by_mask, on_device
from som_kernels.pack_masks import WORD

__all__ = ["gather_words", "pack_masks", "unpack_masks"]

BLOCK = 128  # words a program that packs
UNPACK_BLOCK = 64


@triton.jit
def gather_words(
    masks_ptr, n_blocks, n_row, height, width, stride_n, stride_y, stride_x, block: tl.constexpr
):
    """The program's mask (int64), and `block` of its words in raster order with their rows and columns."""
    program = tl.program_id(0).to(tl.int64)
    mask = program // n_blocks
    word = (program % n_blocks).to(tl.int32) * block + tl.arange(0, block)
    y, column = word // n_row, word % n_row
    bit = tl.arange(0, 32)
    x = column[:, None] * 32 + bit[None, :]  # [block, 32]
    inside = (y < height)[:, None] & (x < width)
    place = mask * stride_n + y.to(tl.int64)[:, None] * stride_y + x.to(tl.int64) * stride_x
    pixel = tl.load(masks_ptr + place, mask=inside, other=0) != 0
    return mask, tl.sum(pixel.to(tl.int32) << bit[None, :], axis=1), y, column


@triton.jit
def pack_masks_kernel(
    masks_ptr,
    words_ptr,
    ends_ptr,
    areas_ptr,
    n_blocks,
    n_row,
    height,
    width,
    stride_n,
    stride_y,
    stride_x,
    block: tl.constexpr,
):
    """One program packs `block` words of one mask; `masks_ptr` points at bytes."""
    mask, words, y, column = gather_words(
        masks_ptr, n_blocks, n_row, height, width, stride_n, stride_y, stride_x, block
    )
    row = mask * height + y
    tl.store(words_ptr + row * n_row + column, words, mask=y < height)
    area = tl.sum(count_bits(words)).to(tl.int64)
    tl.atomic_add(areas_ptr + mask, area, mask=area > 0, sem="relaxed")
    stretch_box(ends_ptr + mask * 4, words, y, column, height, width)


@triton.jit
def unpack_masks_kernel(words_ptr, masks_ptr, n_blocks, n_row, height, width, stride_n, block: tl.constexpr):
    """One program writes the pixels of `block` words of one mask; `masks_ptr` points at bytes."""
    program = tl.program_id(0).to(tl.int64)
    mask = program // n_blocks
    word = (program % n_blocks).to(tl.int32) * block + tl.arange(0, block)
    y, column = word // n_row, word % n_row
    words = tl.load(words_ptr + mask * stride_n + word, mask=y < height, other=0)
    bit = tl.arange(0, 32)
    x = column[:, None] * 32 + bit[None, :]  # [block, 32]
    inside = (y < height)[:, None] & (x < width)
    pixel = (words[:, None] >> bit[None, :]) & 1
    tl.store(masks_ptr + (mask * height + y)[:, None] * width + x, pixel.to(tl.uint8), mask=inside)


def pack_masks(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    n, h, w = masks.shape
    words = torch.empty(n, h, triton.cdiv(w, WORD), dtype=torch.int32, device=masks.device)
    ends = torch.zeros(n, 4, dtype=torch.int32, device=masks.device)
    areas = torch.zeros(n, dtype=torch.int64, device=masks.device)
    if n:
        n_row = words.shape[2]
        n_blocks = triton.cdiv(h * n_row, BLOCK)
        with on_device(masks):
            pack_masks_kernel[(n * n_blocks,)](
                masks.view(torch.uint8),
                words,
                ends,
                areas,
                n_blocks,
                n_row,
                h,
                w,
                *masks.stride(),
                block=BLOCK,
            )
    return words, finish_boxes(ends, h, w), areas


def unpack_masks(words: torch.Tensor, width: int) -> torch.Tensor:
    """Masks `[N, H, width] bool` of words as `som_kernels.PackedMasks` describes them."""
    n, h, n_row = words.shape
    masks = torch.empty(n, h, width, dtype=torch.bool, device=words.device)
    if n:
        words = mask_by_mask(words)
        n_blocks = triton.cdiv(h * n_row, UNPACK_BLOCK)
        with on_device(words):
            unpack_masks_kernel[(n * n_blocks,)](
                words, masks.view(torch.uint8), n_blocks, n_row, h, width, words.stride(0), block=UNPACK_BLOCK
            )
    return masks


_SIZES = {"n_blocks": "i32", "n_row": "i32", "height": "i32", "width": "i32:16"}
SPECIMENS = [
    Specimen(
        pack_masks_kernel,
        {"masks_ptr": "*u8", "words_ptr": "*i32", "ends_ptr": "*i32", "areas_ptr": "*i64"}
        | _SIZES
        | {"stride_n": "i32:16", "stride_y": "i32:16", "stride_x": "1"},
        {"block": BLOCK},
    ),
    Specimen(
        unpack_masks_kernel,
        {"words_ptr": "*i32", "masks_ptr": "*u8"} | _SIZES | {"stride_n": "i32:16"},
        {"block": UNPACK_BLOCK},
    ),
]
