"""Deformable attention over maps of several sizes (Deformable DETR, Zhu et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from som_kernels import deformable_attention

__all__ = ["DeformableAttention", "Sizes"]

Sizes = Sequence[tuple[int, int]]
"""Height and width of each level."""


class DeformableAttention(nn.Module):
    """Each query looks at a few places of each level, which it chooses itself, around its reference.

    Args:
        dim: width of queries and values.
        levels: number of maps.
        heads: number of heads.
        points: places that a head looks at in each level.
    """

    def __init__(self, dim: int, levels: int = 4, heads: int = 8, points: int = 4) -> None:
        super().__init__()
        self.levels, self.heads, self.points = levels, heads, points
        self.sampling_offsets = nn.Linear(dim, heads * levels * points * 2)
        self.attention_weights = nn.Linear(dim, heads * levels * points)
        self.value_proj = nn.Linear(dim, dim)
        self.output_proj = nn.Linear(dim, dim)

    def forward(
        self,
        query: torch.Tensor,
        reference: torch.Tensor,
        memory: torch.Tensor,
        sizes: Sizes,
        padding: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attend.

        Args:
            query: `[B, Q, dim]`.
            reference: points x, y or boxes cx, cy, w, h in 0..1 of each level, `[B, Q, levels, 2 or 4]`, or
                with 1 in place of `levels` where they are the same for all.
            memory: the levels' cells, flattened and joined, `[B, S, dim]`.
            sizes: of the levels.
            padding: cells to be taken for zero, `[B, S] bool`, or None.

        Returns:
            `[B, Q, dim]`.
        """
        return self.attend(query, reference, self.values(memory, padding), sizes)

    def values(self, memory: torch.Tensor, padding: torch.Tensor | None = None) -> torch.Tensor:
        """What queries may look up, `[B, S, heads, dim / heads]`; the same for all queries of a memory."""
        values: torch.Tensor = self.value_proj(memory)
        if padding is not None:
            values = values.masked_fill(padding[..., None], 0)
        return values.view(*memory.shape[:2], self.heads, -1)

    def attend(
        self, query: torch.Tensor, reference: torch.Tensor, values: torch.Tensor, sizes: Sizes
    ) -> torch.Tensor:
        """As `forward`, but on values that are there already."""
        batch, count, _ = query.shape
        shape = (batch, count, self.heads, self.levels, self.points)
        offsets = self.sampling_offsets(query).view(*shape, 2)
        weights = self.attention_weights(query).view(*shape[:3], -1).softmax(-1).view(shape)
        reference = reference[:, :, None, :, None]
        if reference.shape[-1] == 4:  # offsets in quarters of half the box, for 4 points
            locations = reference[..., :2] + offsets / self.points * reference[..., 2:] * 0.5
        else:  # offsets in cells
            cells = torch.tensor([(w, h) for h, w in sizes], dtype=offsets.dtype, device=offsets.device)
            locations = reference + offsets / cells[:, None]
        out: torch.Tensor = self.output_proj(deformable_attention(values, sizes, locations, weights))
        return out
