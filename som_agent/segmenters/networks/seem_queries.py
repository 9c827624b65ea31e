"""What SEEM's decoder is asked, what it answers, and which of its tokens see which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch

__all__ = [
    "Answers",
    "Decoded",
    "Kind",
    "StrokeQueries",
    "StrokeTokens",
    "Tokens",
    "allowed",
    "best_of_strokes",
]


class Kind(IntEnum):
    """Kinds of tokens: queries, the memories of strokes, and what only tells."""

    OBJECT = 0
    PHRASE = 1
    STROKE = 2
    MEMORY = 3
    PHRASE_TOKEN = 4
    STROKE_TOKEN = 5


_SEEN = {
    Kind.OBJECT: (Kind.OBJECT,),
    Kind.PHRASE: (Kind.PHRASE, Kind.PHRASE_TOKEN),
    Kind.STROKE: (Kind.STROKE, Kind.STROKE_TOKEN, Kind.MEMORY),
    Kind.MEMORY: (Kind.MEMORY,),
    Kind.PHRASE_TOKEN: (Kind.PHRASE, Kind.PHRASE_TOKEN),
    Kind.STROKE_TOKEN: (Kind.STROKE_TOKEN,),
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
        memories: of the memories; none in the first round.
    """

    objects: Answers
    phrases: Answers | None = None
    strokes: Answers | None = None
    memories: Answers | None = None


def best_of_strokes(answers: Answers, means: torch.Tensor) -> torch.Tensor:
    """Each stroke's mask: of its queries the one whose features are most like what is under it.

    Args:
        answers: of the strokes' queries, stroke by stroke.
        means: as in `StrokeTokens`, `[S, C]`.

    Returns:
        Logits, `[S, h, w]`.
    """
    features = answers.features.reshape(len(means), -1, means.shape[1])
    best = (features @ means[..., None])[..., 0].argmax(dim=1)
    strokes = torch.arange(len(means), device=best.device)
    return answers.masks.reshape(len(means), -1, *answers.masks.shape[1:])[strokes, best]


@dataclass(frozen=True)
class Tokens:
    """Tokens of several kinds: features and places `[n, C]`, kinds `[n]`, and strokes `[n]`, -1 for none."""

    features: torch.Tensor
    places: torch.Tensor
    kinds: torch.Tensor
    owners: torch.Tensor

    @classmethod
    def of(
        cls, kind: Kind, features: torch.Tensor, places: torch.Tensor, owners: torch.Tensor | None = None
    ) -> Tokens:
        """Tokens of one kind."""
        kinds = torch.full((len(features),), kind, device=features.device)
        return cls(features, places, kinds, torch.full_like(kinds, -1) if owners is None else owners)

    @classmethod
    def joined(cls, parts: Sequence[Tokens]) -> Tokens:
        """One after the other."""
        return cls(
            torch.cat([part.features for part in parts]),
            torch.cat([part.places for part in parts]),
            torch.cat([part.kinds for part in parts]),
            torch.cat([part.owners for part in parts]),
        )


def allowed(kinds: torch.Tensor, owners: torch.Tensor) -> torch.Tensor:
    """Which token sees which, `[n, n] bool`."""
    table = torch.zeros(len(_SEEN), len(_SEEN), dtype=torch.bool, device=kinds.device)
    for kind, seen in _SEEN.items():
        table[kind, list(seen)] = True
    return table[kinds[:, None], kinds] & (owners[:, None] == owners)
