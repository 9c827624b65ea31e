"""Pictures as the networks want them, and their small maps at the pictures' size."""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812  # as everyone calls it

__all__ = ["DIVISOR", "MEAN", "STD", "prepared", "upscaled"]

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of ImageNet's colours, RGB on the scale to 255."""

DIVISOR = 32
"""Both sides of what the networks see are multiples of it."""


def prepared(image: torch.Tensor) -> torch.Tensor:
    """A picture `[H, W, 3] uint8` RGB, normalised and padded: `[1, 3, H', W'] float32`.

    Zeros, which are the mean colour, make the sides multiples of 32, at the right and bottom.
    """
    x = image.permute(2, 0, 1)[None].float()
    mean, std = (torch.tensor(v, device=x.device)[:, None, None] for v in (MEAN, STD))
    h, w = image.shape[:2]
    return F.pad((x - mean) / std, (0, -w % DIVISOR, 0, -h % DIVISOR))


def upscaled(maps: torch.Tensor, padded: torch.Size | tuple[int, ...], size: tuple[int, int]) -> torch.Tensor:
    """Maps `[N, h, w]` at the padded picture's size, and of that the picture's part: `[N, *size]`."""
    full = F.interpolate(maps[None], tuple(padded), mode="bilinear", align_corners=False)[0]
    return full[:, : size[0], : size[1]]
