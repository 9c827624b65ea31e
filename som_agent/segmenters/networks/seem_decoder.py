"""SEEM's decoder (Zou et al. 2023, arXiv 2304.06718): queries for objects, for strokes and for phrases.

The queries of all three kinds look at the picture inside the masks that they gave a layer before, then at
each other as far as `_SEEN` lets them. What the authors' code draws at random, the points of a stroke, the
object queries that its queries start as and the stroke of each memory, is handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from som_agent.segmenters.networks.attention import Attention
from som_agent.segmenters.networks.mlp import Mlp
from som_agent.segmenters.networks.positions import position_map
from som_agent.segmenters.networks.seem_text import LanguageEncoder

__all__ = ["Answers", "Decoded", "SeemDecoder", "StrokeQueries", "StrokeTokens", "best_of_strokes"]

_LEVELS = 3
_MEMORIES = 32

_OBJECT, _PHRASE, _STROKE, _MEMORY, _PHRASE_TOKEN, _STROKE_TOKEN = range(6)
_SEEN = {
    _OBJECT: (_OBJECT,),
    _PHRASE: (_PHRASE, _PHRASE_TOKEN),
    _STROKE: (_STROKE, _STROKE_TOKEN, _MEMORY),
    _MEMORY: (_MEMORY,),
    _PHRASE_TOKEN: (_PHRASE, _PHRASE_TOKEN),
    _STROKE_TOKEN: (_STROKE_TOKEN,),
}
"""What each kind of token sees, of its own stroke where it has one."""


@dataclass(frozen=True)
class StrokeTokens:
    """What a picture shows under `S` strokes, in this picture or in a reference.

    Attributes:
        means: mean mask feature under each stroke's positive points, `[S, C]`.
        tokens: for each of the three levels, `[T, C]`.
        owners: the stroke of each token, `[T] int64`, for each level.
    """

    means: torch.Tensor
    tokens: tuple[torch.Tensor, ...]
    owners: tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class StrokeQueries:
    """Strokes to be answered.

    Attributes:
        tokens: what is under them.
        queries: the object queries that each stroke's queries start as, `[S * n] int64`, stroke by stroke.
        previous: logits of the masks of the round before, `[S, h, w]`, or None in the first round.
        memories: the stroke that each memory belongs to, `[layers, 32] int64`; needed with `previous`.
    """

    tokens: StrokeTokens
    queries: torch.Tensor
    previous: torch.Tensor | None = None
    memories: torch.Tensor | None = None


@dataclass(frozen=True)
class Answers:
    """What `n` queries say.

    Attributes:
        masks: logits, `[n, h, w]` at stride 4.
        texts: in the space of the texts' vectors, `[n, dim]`; their likeness to classes makes class logits.
        features: in the space of the mask features, `[n, C]`.
    """

    masks: torch.Tensor
    texts: torch.Tensor
    features: torch.Tensor

    def of(self, chosen: torch.Tensor) -> Answers:
        """Those of some queries: indices, or `[n] bool`."""
        return Answers(self.masks[chosen], self.texts[chosen], self.features[chosen])


@dataclass(frozen=True)
class Decoded:
    """The answers of each kind of query; None for what was not asked.

    Attributes:
        objects: of the object queries.
        phrases: of their copies that read the phrases.
        strokes: of the strokes' queries, stroke by stroke.
        memories: of the memories of the round before.
    """

    objects: Answers
    phrases: Answers | None = None
    strokes: Answers | None = None
    memories: Answers | None = None


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
        self.transformer_self_attention_layers = nn.ModuleList(
            _SelfLayer(width, heads) for _ in range(layers)
        )
        self.transformer_cross_attention_layers = nn.ModuleList(
            _CrossLayer(width, heads) for _ in range(layers)
        )
        self.transformer_ffn_layers = nn.ModuleList(_ForwardLayer(width, hidden) for _ in range(layers))
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
                memory = queries.kinds == _MEMORY
                inside[memory] = _inside(strokes.previous, levels[level])[strokes.memories[i]]
                owners = owners.masked_scatter(memory, strokes.memories[i])
            inside |= ~inside.any(dim=1, keepdim=True)  # who may look nowhere looks everywhere
            look = self.transformer_cross_attention_layers[i]
            x = look(x, sources[level], inside, place=place, source_place=around[level])

            beside = _beside(strokes, phrases, words, level)
            if beside is None:
                together, places, allowed = x, place, None
            else:
                together = torch.cat([x, beside.features[None]], dim=1)
                places = torch.cat([place, beside.places[None]], dim=1)
                allowed = _allowed(
                    torch.cat([queries.kinds, beside.kinds]), torch.cat([owners, beside.owners])
                )
            together = self.transformer_self_attention_layers[i](together, allowed, place=places)
            together = self.transformer_ffn_layers[i](together)
            x = together[:, : x.shape[1]]
            if words is not None:
                words = together[0, x.shape[1] :][: len(words)]
            answers = self._answers(x, mask_features)
        parts = {kind: answers.of(queries.kinds == kind) for kind in queries.kinds.unique().tolist()}
        return Decoded(parts[_OBJECT], parts.get(_PHRASE), parts.get(_STROKE), parts.get(_MEMORY))

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
            on: points on what is meant, `[P, 3] float32`: stroke, x, y; column and row of the pixel, divided by
                width and height of the padded picture.
            off: points off it.
            count: how many strokes there are, S.
        """
        sampled, owner = _sample(mask_features, on), on[:, 0].long()
        means = torch.full((count, sampled.shape[1]), -1.0, dtype=sampled.dtype, device=sampled.device)
        for stroke in owner.unique().tolist():
            means[stroke] = sampled[owner == stroke].mean(dim=0)
        points = torch.cat([on, off])
        tokens = []
        for level in range(_LEVELS):
            h, w = levels[level].shape[-2:]
            mixed = self._source(levels, level) @ self.mask_sptial_embed[level]
            sign = self.pn_indicator.weight[[0] * len(on) + [1] * len(off)]
            tokens.append(_sample(mixed.transpose(1, 2).unflatten(2, (h, w)), points) + sign)
        owners = points[:, 0].long()
        return StrokeTokens(means, tuple(tokens), (owners,) * _LEVELS)

    def _queries(self, strokes: StrokeQueries | None, phrases: torch.Tensor | None) -> _Tokens:
        """Objects, their copies for phrases, their copies for strokes, and memories."""
        features, places = self.query_feat.weight, self.query_embed.weight
        parts = [_Tokens.of(_OBJECT, features, places)]
        if phrases is not None:
            parts.append(_Tokens.of(_PHRASE, features, places))
        if strokes is not None:
            start = strokes.queries
            each = len(start) // len(strokes.tokens.means)
            owners = torch.arange(len(start), device=start.device) // each
            parts.append(_Tokens.of(_STROKE, features[start], places[start], owners))
            if strokes.previous is not None:
                parts.append(_Tokens.of(_MEMORY, self.spatial_featured.weight, self.spatial_embed.weight))
        return _Tokens.joined(parts)

    def _source(self, levels: Sequence[torch.Tensor], level: int) -> torch.Tensor:
        """The tokens of a map, `[1, h * w, C]`."""
        return levels[level].flatten(2).transpose(1, 2) + self.level_embed.weight[level]

    def _answers(self, x: torch.Tensor, mask_features: torch.Tensor) -> Answers:
        normed = self.decoder_norm(x)[0]
        features = self.mask_embed(normed)
        masks = (features @ mask_features[0].flatten(1)).unflatten(1, mask_features.shape[-2:])
        return Answers(masks, normed @ self.class_embed, features)


def best_of_strokes(answers: Answers, means: torch.Tensor) -> torch.Tensor:
    """Each stroke's mask: of its queries the one whose features are most like what is under it.

    Args:
        answers: of the strokes' queries, stroke by stroke.
        means: as in `StrokeTokens`, `[S, C]`.

    Returns:
        Logits, `[S, h, w]`.
    """
    likeness = answers.features.unflatten(0, (len(means), -1)) @ means[..., None]  # [S, n, 1]
    best = likeness[..., 0].argmax(dim=1)
    return answers.masks.unflatten(0, (len(means), -1))[torch.arange(len(means), device=best.device), best]


@dataclass(frozen=True)
class _Tokens:
    """Tokens of several kinds: features and places `[n, C]`, kinds `[n]`, and strokes `[n]`, -1 for none."""

    features: torch.Tensor
    places: torch.Tensor
    kinds: torch.Tensor
    owners: torch.Tensor

    @classmethod
    def of(
        cls, kind: int, features: torch.Tensor, places: torch.Tensor, owners: torch.Tensor | None = None
    ) -> _Tokens:
        kinds = torch.full((len(features),), kind, device=features.device)
        return cls(features, places, kinds, torch.full_like(kinds, -1) if owners is None else owners)

    @classmethod
    def joined(cls, parts: Sequence[_Tokens]) -> _Tokens:
        return cls(
            torch.cat([part.features for part in parts]),
            torch.cat([part.places for part in parts]),
            torch.cat([part.kinds for part in parts]),
            torch.cat([part.owners for part in parts]),
        )


def _beside(
    strokes: StrokeQueries | None, phrases: torch.Tensor | None, words: torch.Tensor | None, level: int
) -> _Tokens | None:
    """What the queries see beside themselves: tokens of phrases, as they are by now, and of strokes."""
    parts = []
    if phrases is not None:
        assert words is not None
        parts.append(_Tokens.of(_PHRASE_TOKEN, words, phrases))
    if strokes is not None:
        tokens = strokes.tokens
        parts.append(
            _Tokens.of(_STROKE_TOKEN, tokens.tokens[level], tokens.tokens[level], tokens.owners[level])
        )
    return _Tokens.joined(parts) if parts else None


def _allowed(kinds: torch.Tensor, owners: torch.Tensor) -> torch.Tensor:
    """Which token sees which, `[n, n] bool`."""
    table = torch.zeros(len(_SEEN), len(_SEEN), dtype=torch.bool, device=kinds.device)
    for kind, seen in _SEEN.items():
        table[kind, list(seen)] = True
    return table[kinds[:, None], kinds] & (owners[:, None] == owners)


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


class _CrossLayer(nn.Module):
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
        seen = self.multihead_attn(x + place, source + source_place, source, allowed)
        out: torch.Tensor = self.norm(x + seen)
        return out


class _SelfLayer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, allowed: torch.Tensor | None, *, place: torch.Tensor) -> torch.Tensor:
        placed = x + place
        out: torch.Tensor = self.norm(x + self.self_attn(placed, placed, x, allowed))
        return out


class _ForwardLayer(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.norm(x + self.linear2(self.linear1(x).relu()))
        return out
