"""Positions as sines and cosines, and the inverse of the sigmoid in which boxes are refined."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

__all__ = ["box_sines", "cell_centres", "inverse_sigmoid", "position_map"]

_TEMPERATURE = 10000.0


def position_map(size: tuple[int, int], features: int, *, device: torch.device | None = None) -> torch.Tensor:
    """Where each cell of a map is, as in DETR (Carion et al. 2020), normalised to the map's size.

    Args:
        size: height and width of the map.
        features: numbers for each of the two axes.
        device: where the result lies.

    Returns:
        `[1, 2 * features, h, w] float32`, those of y first.
    """
    axes = []
    for cells in size:
        # Cells are counted from 1; the last one is at a full turn, but for what keeps off division by zero.
        place = torch.arange(1, cells + 1, dtype=torch.float32, device=device) / (cells + 1e-6)
        axes.append(_sines(place, features))
    h, w = size
    y = axes[0][:, None].expand(h, w, features)
    x = axes[1][None].expand(h, w, features)
    return torch.cat([y, x], dim=-1).permute(2, 0, 1)[None]


def cell_centres(sizes: Sequence[tuple[int, int]], device: torch.device | None = None) -> torch.Tensor:
    """Middles of the cells of all levels, `[S, 2] float32` as x, y in 0..1."""
    centres = []
    for h, w in sizes:
        y, x = (torch.arange(n, dtype=torch.float32, device=device).add(0.5) / n for n in (h, w))
        centres.append(torch.stack([x.expand(h, w), y[:, None].expand(h, w)], dim=-1).flatten(0, 1))
    return torch.cat(centres)


def box_sines(boxes: torch.Tensor, features: int) -> torch.Tensor:
    """Embed boxes or points as in DINO (Zhang et al. 2022).

    Args:
        boxes: `[..., 4]` as centre x, centre y, width, height, or `[..., 2]` as x, y, each in 0..1.
        features: numbers for each of them.

    Returns:
        `[..., 4 * features]` in the order y, x, w, h, or `[..., 2 * features]` as y, x.
    """
    order = [1, 0, 2, 3][: boxes.shape[-1]]
    return _sines(boxes[..., order], features).flatten(-2)


def inverse_sigmoid(x: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """Logits of probabilities, with neither side nearer to 0 than `eps`."""
    x = x.clamp(0, 1)
    return (x.clamp(min=eps) / (1 - x).clamp(min=eps)).log()


def _sines(place: torch.Tensor, features: int) -> torch.Tensor:
    """Sine and cosine, by turns, of each place (1 is a full turn) at falling frequencies."""
    exponent = torch.arange(features, dtype=place.dtype, device=place.device).div(2).floor() * 2 / features
    angle = place[..., None] * (2 * math.pi) / _TEMPERATURE**exponent
    return torch.stack([angle[..., 0::2].sin(), angle[..., 1::2].cos()], dim=-1).flatten(-2)
