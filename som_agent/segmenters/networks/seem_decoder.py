"""SEEM's decoder (Zou et al. 2023, arXiv 2304.06718): queries for objects, for strokes and for phrases.

The queries of all three kinds look at the picture inside the masks that they gave a layer before, then at
each other as far as `allowed` lets them. What the authors' code draws at random, the points of a stroke, the
object queries that its queries start as and the stroke of each memory, is handed in.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from som_agent.segmenters.networks.mlp import Mlp
from som_agent.segmenters.networks.positions import position_map
from som_agent.segmenters.networks.seem_layers import CrossLayer, ForwardLayer, SelfLayer
from som_agent.segmenters.networks.seem_queries import (
    Answers,
    Decoded,
    Kind,
    StrokeQueries,
    StrokeTokens,
    Tokens,
    allowed,
)
from som_agent.segmenters.networks.seem_text import LanguageEncoder

__all__ = ["SeemDecoder"]

_LEVELS = 3
_MEMORIES = 32


class SeemDecoder(nn.Module):
    """See the module. One picture at a time.

    Args:
        width: features of tokens.
        mask_width: features of the map that masks are read off.
        dim: features of the texts' vectors.
        queries: how many object queries.
        layers: how many.
        hidden: features inside the perceptrons.
        heads: of its attention.
        language: the reader of words, a part of the decoder by its weights' names.
    """

    def __init__(
        self,
        width: int,
        mask_width: int,
        dim: int,
        *,
        queries: int,
        layers: int,
        hidden: int,
        heads: int,
        language: LanguageEncoder,
    ) -> None:
        super().__init__()
        self.width, self.depth = width, layers
        self.transformer_self_attention_layers = nn.ModuleList(SelfLayer(width, heads) for _ in range(layers))
        self.transformer_cross_attention_layers = nn.ModuleList(
            CrossLayer(width, heads) for _ in range(layers)
        )
        self.transformer_ffn_layers = nn.ModuleList(ForwardLayer(width, hidden) for _ in range(layers))
        self.decoder_norm = nn.LayerNorm(width)
        self.query_feat = nn.Embedding(queries, width)
        self.query_embed = nn.Embedding(queries, width)
        self.level_embed = nn.Embedding(_LEVELS, width)
        self.lang_encoder = language
        self.mask_embed = Mlp(width, width, width, mask_width)
        self.class_embed = nn.Parameter(torch.zeros(width, dim))
        # "sptial" is how the published weights spell it
        self.mask_sptial_embed = nn.ParameterList(torch.zeros(width, width) for _ in range(_LEVELS))
        self.spatial_embed = nn.Embedding(_MEMORIES, width)
        self.spatial_featured = nn.Embedding(_MEMORIES, width)
        self.pn_indicator = nn.Embedding(2, width)

    def forward(
        self,
        levels: Sequence[torch.Tensor],
        mask_features: torch.Tensor,
        *,
        strokes: StrokeQueries | None = None,
        phrases: torch.Tensor | None = None,
    ) -> Decoded:
        """Decode one picture.

        Args:
            levels: `[1, C, h, w]` of stride 32, 16 and 8.
            mask_features: `[1, C, h, w]` of stride 4.
            strokes: to be answered, too.
            phrases: vectors of the tokens of all phrases, one after the other, `[T, C]`, to be answered, too.
        """
        queries = self._queries(strokes, phrases)
        x, place = queries.features[None], queries.places[None]
        sources = [self._source(levels, level) for level in range(_LEVELS)]
        around = [_positions(level) for level in levels]
        words = phrases
        answers = self._answers(x, mask_features)
        for i in range(self.depth):
            level = i % _LEVELS
            owners = queries.owners
            inside = _inside(answers.masks, levels[level])
            if strokes is not None and strokes.previous is not None:
                assert strokes.memories is not None
                memory = queries.kinds == Kind.MEMORY
                inside[memory] = _inside(strokes.previous, levels[level])[strokes.memories[i]]
                owners = owners.masked_scatter(memory, strokes.memories[i])
            inside |= ~inside.any(dim=1, keepdim=True)  # who may look nowhere looks everywhere
            look = self.transformer_cross_attention_layers[i]
            x = look(x, sources[level], inside, place=place, source_place=around[level])

            beside = _beside(strokes, phrases, words, level)
            if beside is None:
                together, places, sees = x, place, None
            else:
                together = torch.cat([x, beside.features[None]], dim=1)
                places = torch.cat([place, beside.places[None]], dim=1)
                sees = allowed(torch.cat([queries.kinds, beside.kinds]), torch.cat([owners, beside.owners]))
            together = self.transformer_self_attention_layers[i](together, sees, place=places)
            together = self.transformer_ffn_layers[i](together)
            x = together[:, : x.shape[1]]
            if words is not None:
                words = together[0, x.shape[1] :][: len(words)]
            answers = self._answers(x, mask_features)
        return Decoded(
            answers.of(queries.kinds == Kind.OBJECT),
            None if phrases is None else answers.of(queries.kinds == Kind.PHRASE),
            None if strokes is None else answers.of(queries.kinds == Kind.STROKE),
            None if strokes is None else answers.of(queries.kinds == Kind.MEMORY),
        )

    def read_strokes(
        self,
        levels: Sequence[torch.Tensor],
        mask_features: torch.Tensor,
        on: torch.Tensor,
        off: torch.Tensor,
        count: int,
    ) -> StrokeTokens:
        """What a picture shows under strokes.

        Args:
            levels: as for `forward`.
            mask_features: as for `forward`.
            on: points on what is meant, `[P, 3] float32` of stroke, x, y: column and row of the pixel, over
                width and height of the padded picture.
            off: points off it.
            count: how many strokes there are, S.
        """
        sampled, owner = _sample(mask_features, on), on[:, 0].long()
        means = torch.full((count, sampled.shape[1]), -1.0, dtype=sampled.dtype, device=sampled.device)
        for stroke in sorted(set(owner.tolist())):
            means[stroke] = sampled[owner == stroke].mean(dim=0)
        points = torch.cat([on, off])
        tokens = []
        for level in range(_LEVELS):
            h, w = levels[level].shape[-2:]
            mixed = self._source(levels, level) @ self.mask_sptial_embed[level]
            sign = self.pn_indicator.weight[[0] * len(on) + [1] * len(off)]
            tokens.append(_sample(mixed.transpose(1, 2).reshape(1, -1, h, w), points) + sign)
        owners = points[:, 0].long()
        return StrokeTokens(means, tuple(tokens), (owners,) * _LEVELS)

    def _queries(self, strokes: StrokeQueries | None, phrases: torch.Tensor | None) -> Tokens:
        """Objects, their copies for phrases, their copies for strokes, and memories."""
        features, places = self.query_feat.weight, self.query_embed.weight
        parts = [Tokens.of(Kind.OBJECT, features, places)]
        if phrases is not None:
            parts.append(Tokens.of(Kind.PHRASE, features, places))
        if strokes is not None:
            start = strokes.queries
            each = len(start) // len(strokes.tokens.means)
            owners = torch.arange(len(start), device=start.device) // each
            parts.append(Tokens.of(Kind.STROKE, features[start], places[start], owners))
            if strokes.previous is not None:
                parts.append(Tokens.of(Kind.MEMORY, self.spatial_featured.weight, self.spatial_embed.weight))
        return Tokens.joined(parts)

    def _source(self, levels: Sequence[torch.Tensor], level: int) -> torch.Tensor:
        """The tokens of a map, `[1, h * w, C]`."""
        return levels[level].flatten(2).transpose(1, 2) + self.level_embed.weight[level]

    def _answers(self, x: torch.Tensor, mask_features: torch.Tensor) -> Answers:
        normed = self.decoder_norm(x)[0]
        features = self.mask_embed(normed)
        masks = (features @ mask_features[0].flatten(1)).reshape(-1, *mask_features.shape[-2:])
        return Answers(masks, normed @ self.class_embed, features)


def _beside(
    strokes: StrokeQueries | None, phrases: torch.Tensor | None, words: torch.Tensor | None, level: int
) -> Tokens | None:
    """What the queries see beside themselves: tokens of phrases, as they are by now, and of strokes."""
    parts = []
    if phrases is not None:
        assert words is not None
        parts.append(Tokens.of(Kind.PHRASE_TOKEN, words, phrases))
    if strokes is not None:
        tokens = strokes.tokens
        parts.append(
            Tokens.of(Kind.STROKE_TOKEN, tokens.tokens[level], tokens.tokens[level], tokens.owners[level])
        )
    return Tokens.joined(parts) if parts else None


def _inside(logits: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Which cells of a map `[1, C, h, w]` masks `[n, H, W]` hold: `[n, h * w] bool`."""
    small = functional.interpolate(logits[None], size=level.shape[-2:], mode="bilinear", align_corners=False)[
        0
    ]
    return small.sigmoid().flatten(1) >= 0.5


def _positions(level: torch.Tensor) -> torch.Tensor:
    place = position_map((level.shape[2], level.shape[3]), level.shape[1] // 2, device=level.device)
    return place.flatten(2).transpose(1, 2).to(level.dtype)


def _sample(maps: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """A map `[1, C, h, w]` at points `[P, 3]` of stroke, x, y: `[P, C]`."""
    grid = (2 * points[:, 1:] - 1)[None, :, None].to(maps.dtype)
    return functional.grid_sample(maps, grid, align_corners=True)[0, :, :, 0].t()
