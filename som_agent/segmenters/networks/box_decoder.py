"""Queries with boxes that get better from layer to layer: the decoder of DINO (Zhang et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from som_agent.segmenters.networks.deformable import DeformableAttention, Sizes
from som_agent.segmenters.networks.mlp import Mlp
from som_agent.segmenters.networks.positions import box_sines, cell_centres, inverse_sigmoid

__all__ = ["BoxDecoder", "BoxDecoderConfig", "DecodedQueries", "Memory", "box_proposals", "refined"]


@dataclass(frozen=True)
class BoxDecoderConfig:
    """Sizes of a decoder.

    Attributes:
        dim: width of queries and memory.
        layers: their number.
        hidden: width of a layer's hidden layer.
        levels: of the memory.
        heads: of both attentions.
        points: that each head looks at in each level.
    """

    dim: int = 256
    layers: int = 9
    hidden: int = 2048
    levels: int = 4
    heads: int = 8
    points: int = 4


class Memory(NamedTuple):
    """What queries may look at.

    Attributes:
        values: what each layer looks up, `[B, S, heads, dim / heads]` each.
        sizes: height and width of the levels.
    """

    values: list[torch.Tensor]
    sizes: Sizes


class DecodedQueries(NamedTuple):
    """What the decoder gives, an entry for each layer.

    Attributes:
        content: after each layer, normed, `[B, Q, dim]` each.
        boxes: that went into each layer, and those that came out of the last: one more than there are
            layers, `[B, Q, 4]` each as centre x, centre y, width, height in 0..1.
    """

    content: list[torch.Tensor]
    boxes: list[torch.Tensor]


class BoxDecoder(nn.Module):
    """See the module.

    Args:
        config: its sizes.
        box_head: what says how boxes change, dim → 4; it is shared by all layers.
    """

    def __init__(self, config: BoxDecoderConfig, box_head: nn.Module) -> None:
        super().__init__()
        self.dim = config.dim
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        self.ref_point_head = Mlp(2 * config.dim, config.dim, config.dim)
        self.bbox_embed = nn.ModuleList([box_head] * config.layers)

    def forward(
        self, content: torch.Tensor, boxes: torch.Tensor, levels: list[torch.Tensor]
    ) -> DecodedQueries:
        """Remember, and decode.

        Args:
            content: what each query starts as, `[B, Q, dim]`.
            boxes: where it starts, `[B, Q, 4]` as centre x, centre y, width, height in 0..1.
            levels: see `remember`.
        """
        return self.decode(content, boxes, self.remember(levels))

    def remember(self, levels: list[torch.Tensor]) -> Memory:
        """Prepare maps for any number of calls with queries.

        Args:
            levels: maps to look at, `[B, dim, h, w]` each, in the order in which the network was trained.
        """
        cells = torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1)
        sizes = [(level.shape[2], level.shape[3]) for level in levels]
        return Memory([layer.cross_attn.values(cells) for layer in self._each()], sizes)

    def decode(self, content: torch.Tensor, boxes: torch.Tensor, memory: Memory) -> DecodedQueries:
        """Contents and boxes of queries; they attend to each other, none is independent of the others."""
        contents, track = [], [boxes]
        for layer, values, head in zip(self._each(), memory.values, self.bbox_embed, strict=True):
            position = self.ref_point_head(box_sines(boxes, self.dim // 2))
            content = layer(content, position, boxes[:, :, None], values, memory.sizes)
            boxes = refined(boxes, head(content))
            contents.append(self.norm(content))
            track.append(boxes)
        return DecodedQueries(contents, track)

    def _each(self) -> Iterator[_Layer]:
        for layer in self.layers:
            assert isinstance(layer, _Layer)
            yield layer


def refined(boxes: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """Boxes in 0..1 moved by a change of their logits, `[..., 4]` both."""
    return (change + inverse_sigmoid(boxes)).sigmoid()


def box_proposals(
    memory: torch.Tensor, sizes: Sizes, padding: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """A box around each cell of the memory, as two-stage DETRs start from.

    Args:
        memory: `[B, S, dim]`, levels in the order that their boxes grow in.
        sizes: of the levels.
        padding: cells beyond the picture, `[B, S] bool`, at the right and bottom of each level; None for
            none.

    Returns:
        The memory, zero where a cell is beyond the picture or its box reaches near the border, and the
        boxes' logits, `[B, S, 4]`, infinite there. Widths and heights are 0.05 at the first level and
        double from level to level.
    """
    inside = memory.new_ones(memory.shape[:2], dtype=torch.bool) if padding is None else ~padding
    parts = torch.split(inside, [h * w for h, w in sizes], dim=1)
    boxes = []
    for level, (part, (h, w)) in enumerate(zip(parts, sizes, strict=True)):
        grid = part.view(-1, h, w)
        used = torch.stack([grid[:, 0].sum(1) / w, grid[:, :, 0].sum(1) / h], dim=-1)
        centres = cell_centres([(h, w)], memory.device) / used[:, None]
        boxes.append(torch.cat([centres, torch.full_like(centres, 0.05 * 2**level)], dim=-1))
    joined = torch.cat(boxes, dim=1)
    left_out = ~(((joined > 0.01) & (joined < 0.99)).all(-1) & inside)[..., None]
    logits = (joined / (1 - joined)).log().masked_fill(left_out, torch.inf)
    return memory.masked_fill(left_out, 0), logits


class _Layer(nn.Module):
    def __init__(self, config: BoxDecoderConfig) -> None:
        super().__init__()
        dim = config.dim
        self.cross_attn = DeformableAttention(dim, config.levels, config.heads, config.points)
        self.norm1 = nn.LayerNorm(dim)
        self.self_attn = nn.MultiheadAttention(dim, config.heads, batch_first=True)
        self.norm2 = nn.LayerNorm(dim)
        self.linear1 = nn.Linear(dim, config.hidden)
        self.linear2 = nn.Linear(config.hidden, dim)
        self.norm3 = nn.LayerNorm(dim)

    def forward(
        self,
        x: torch.Tensor,
        position: torch.Tensor,
        boxes: torch.Tensor,
        values: torch.Tensor,
        sizes: Sizes,
    ) -> torch.Tensor:
        query = x + position
        x = self.norm2(x + self.self_attn(query, query, x, need_weights=False)[0])
        x = self.norm1(x + self.cross_attn.attend(x + position, boxes, values, sizes))
        out: torch.Tensor = self.norm3(x + self.linear2(self.linear1(x).relu()))
        return out
