"""The three parts of a layer of SEEM's decoder, each with its norm after it."""

from __future__ import annotations

import torch
from torch import nn

from som_agent.segmenters.networks.attention import Attention

__all__ = ["CrossLayer", "ForwardLayer", "SelfLayer"]


class CrossLayer(nn.Module):
    """Look at a map, as far as is allowed."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.multihead_attn = Attention(width, heads)
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        x: torch.Tensor,
        source: torch.Tensor,
        allowed: torch.Tensor,
        *,
        place: torch.Tensor,
        source_place: torch.Tensor,
    ) -> torch.Tensor:
        """`[B, n, C]` → `[B, n, C]`."""
        seen = self.multihead_attn(x + place, source + source_place, source, allowed)
        out: torch.Tensor = self.norm(x + seen)
        return out


class SelfLayer(nn.Module):
    """Look at each other, as far as is allowed."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, allowed: torch.Tensor | None, *, place: torch.Tensor) -> torch.Tensor:
        """`[B, n, C]` → `[B, n, C]`."""
        placed = x + place
        out: torch.Tensor = self.norm(x + self.self_attn(placed, placed, x, allowed))
        return out


class ForwardLayer(nn.Module):
    """A perceptron on each token."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, n, C]` → `[B, n, C]`."""
        out: torch.Tensor = self.norm(x + self.linear2(self.linear1(x).relu()))
        return out
