"""Small heads."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

__all__ = ["Mlp"]


class Mlp(nn.Module):
    """Linear layers with ReLU between them.

    Args:
        widths: numbers in, of each hidden layer, and out.
    """

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[..., widths[0]]` → `[..., widths[-1]]`."""
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        out: torch.Tensor = self.layers[-1](x)
        return out
