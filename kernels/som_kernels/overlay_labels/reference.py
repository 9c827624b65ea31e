"""Regions drawn over a picture in plain torch: the map compared with itself at every offset of the disc."""

from collections.abc import Iterator

import torch

__all__ = ["overlay_labels"]

Part = tuple[slice, slice]


def overlay_labels(
    image: torch.Tensor, labels: torch.Tensor, colors: torch.Tensor, keep: int, line_px: int
) -> torch.Tensor:
    """See `som_kernels.overlay_labels`; `keep` of 256 parts of the picture stay under the tint."""
    h, w = labels.shape
    pixels = image.int()
    table = torch.cat([colors.new_zeros(1, 3), colors]).int()
    own = table[labels.long()]
    marked = labels > 0
    drawn = torch.where(marked[..., None], (pixels * keep + own * (256 - keep) + 128) // 256, pixels)
    if line_px:
        edge, seam = torch.zeros_like(marked), torch.zeros_like(marked)
        for here, there in _shifts(h, w, line_px, line_px**2):
            edge[here] |= labels[here] != labels[there]
        for here, there in _shifts(h, w, 1, 2):
            seam[here] |= marked[there]
        drawn = torch.where((edge & marked)[..., None], own, drawn)
        drawn = torch.where((seam & ~marked)[..., None], (9 * pixels + 10) // 20, drawn)
    return drawn.to(torch.uint8)


def _shifts(h: int, w: int, reach: int, squared: int) -> Iterator[tuple[Part, Part]]:
    """Parts of a picture and the same parts moved, for all offsets up to a squared length."""
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if dy * dy + dx * dx <= squared and abs(dy) < h and abs(dx) < w:
                here = slice(max(0, -dy), h - max(0, dy)), slice(max(0, -dx), w - max(0, dx))
                there = slice(max(0, dy), h - max(0, -dy)), slice(max(0, dx), w - max(0, -dx))
                yield here, there
