"""Multi-head attention under the names of `torch.nn.MultiheadAttention`, batch first."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["Attention"]


class Attention(nn.Module):
    """Attention that takes any mask which broadcasts over heads, so that none is repeated for each head.

    Args:
        width: features of queries, keys and values, in and out.
        heads: how many heads share them.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        allowed: torch.Tensor | None = None,
        *,
        causal: bool = False,
    ) -> torch.Tensor:
        """Attend.

        Args:
            query: `[B, Q, width]`.
            key: `[B, K, width]`.
            value: `[B, K, width]`.
            allowed: `[Q, K] bool` or what broadcasts to `[B, heads, Q, K]`; true where a query sees a key.
                None lets all see all.
            causal: each sees those up to itself; without `allowed`.

        Returns:
            `[B, Q, width]`.
        """
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        q, k, v = (
            functional.linear(x, weight, bias).reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)
            for x, weight, bias in zip((query, key, value), weights, biases, strict=True)
        )
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed, is_causal=causal)
        out: torch.Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        return out
