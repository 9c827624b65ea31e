"""Regions drawn on the GPU: each pixel looks about in the disc, and takes its colour from the table."""
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False, disallow-incomplete-defs=False

import torch
import triton
import triton.language as tl

from som_kernels._device import COLUMNS, tile_pixels, tiling
from som_kernels._launch import Specimen, on_device

__all__ = ["overlay_labels"]

PIXELS = 512  # a program


@triton.jit
def overlay_labels_kernel(
    image_ptr,
    labels_ptr,
    colors_ptr,
    drawn_ptr,
    keep,
    line_px,
    tiles_x,
    height,
    width,
    image_stride_y,
    image_stride_x,
    image_stride_c,
    stride_y,
    stride_x,
    color_stride_n,
    color_stride_c,
    rows: tl.constexpr,
    columns: tl.constexpr,
):
    """One program draws a tile of pixels."""
    y, x = tile_pixels(tiles_x, rows, columns)
    inside = (y < height) & (x < width)
    labels_ptr += y * stride_y + x.to(tl.int64) * stride_x
    here = tl.load(labels_ptr, mask=inside, other=0)
    marked = here > 0
    edge = here < 0  # none so far
    for dy in range(-line_px, line_px + 1):
        for dx in range(-line_px, line_px + 1):
            near = dy * dy + dx * dx <= line_px * line_px
            there = _neighbour(
                labels_ptr, y, x, dy, dx, marked & near, here, height, width, stride_y, stride_x
            )
            edge |= there != here
    seam = here < 0
    if line_px > 0:
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                bare = inside & (here == 0)
                there = _neighbour(labels_ptr, y, x, dy, dx, bare, here, height, width, stride_y, stride_x)
                seam |= bare & (there > 0)
    image_ptr += y * image_stride_y + x.to(tl.int64) * image_stride_x
    colors_ptr += (here.to(tl.int64) - 1) * color_stride_n
    drawn_ptr += (y * width + x) * 3
    for channel in tl.static_range(3):
        value = tl.load(image_ptr, mask=inside, other=0).to(tl.int32)
        color = tl.load(colors_ptr, mask=marked, other=0).to(tl.int32)
        tint = tl.where(marked, (value * keep + color * (256 - keep) + 128) >> 8, value)
        drawn = tl.where(edge, color, tl.where(seam, (9 * value + 10) // 20, tint))
        tl.store(drawn_ptr + channel, drawn.to(tl.uint8), mask=inside)
        image_ptr += image_stride_c
        colors_ptr += color_stride_c


@triton.jit
def _neighbour(labels_ptr, y, x, dy, dx, among, here, height, width, stride_y, stride_x):
    """Labels `dy` rows and `dx` columns away; the pixels' own outside the picture and where not `among`."""
    inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
    away = tl.full(y.shape, 0, tl.int64)  # times a stride it may leave int32
    return tl.load(
        labels_ptr + (away + dy) * stride_y + (away + dx) * stride_x, mask=among & inside, other=here
    )


def overlay_labels(
    image: torch.Tensor, labels: torch.Tensor, colors: torch.Tensor, keep: int, line_px: int
) -> torch.Tensor:
    """See `som_kernels.overlay_labels`; `keep` of 256 parts of the picture stay under the tint."""
    h, w = labels.shape
    drawn = torch.empty(h, w, 3, dtype=torch.uint8, device=image.device)
    grid, tiles_x, tile = tiling(h, w, PIXELS)
    with on_device(image):
        overlay_labels_kernel[grid](
            image,
            labels,
            colors,
            drawn,
            keep,
            line_px,
            tiles_x,
            h,
            w,
            *image.stride(),
            *labels.stride(),
            *colors.stride(),
            **tile,
        )
    return drawn


SPECIMENS = [
    Specimen(
        overlay_labels_kernel,
        {
            "image_ptr": "*u8",
            "labels_ptr": "*i32",
            "colors_ptr": "*u8",
            "drawn_ptr": "*u8",
            "keep": "i32",
            "line_px": "i32",
            "tiles_x": "i32",
            "height": "i32",
            "width": "i32",
            "image_stride_y": "i32",
            "image_stride_x": "i32",
            "image_stride_c": "1",
            "stride_y": "i32",
            "stride_x": "1",
            "color_stride_n": "i32",
            "color_stride_c": "1",
        },
        {"rows": PIXELS // COLUMNS, "columns": COLUMNS},
    )
]
