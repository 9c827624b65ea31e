"""SEEM's reader of words, the causal transformer of CLIP (Radford et al. 2021), and likeness of vectors."""

from __future__ import annotations

import torch
from torch import nn

from som_agent.segmenters.networks.attention import Attention

__all__ = ["LanguageEncoder", "unit"]

_EPS = 1e-7


class LanguageEncoder(nn.Module):
    """Ids of words' pieces → vectors in the space that SEEM's queries are compared in.

    Args:
        width: features inside.
        heads: of its attention.
        layers: how many.
        dim: features of the vectors.
        context: most tokens of a text.
        vocabulary: how many ids there are.
    """

    def __init__(
        self, width: int, heads: int, layers: int, dim: int, *, context: int = 77, vocabulary: int = 49408
    ) -> None:
        super().__init__()
        self.lang_encoder = _Transformer(width, heads, layers, context, vocabulary)
        self.lang_proj = nn.Parameter(torch.zeros(width, dim))
        self.logit_scale = nn.Parameter(torch.ones([]))

    def tokens(self, ids: torch.Tensor) -> torch.Tensor:
        """A vector for each token, of what stands up to it: ids `[N, T] int64` → `[N, T, dim]`."""
        vectors: torch.Tensor = self.lang_encoder(ids) @ self.lang_proj
        return vectors

    def texts(self, ids: torch.Tensor) -> torch.Tensor:
        """A vector for each text, that of its first end token: ids `[N, T] int64` → `[N, dim]`.

        What follows the end token plays no part, so texts may be padded with anything smaller, or with it.
        """
        seen = self.lang_encoder(ids)
        ends = ids.argmax(dim=1)  # the end token has the largest id
        vectors: torch.Tensor = seen[torch.arange(len(ids), device=ids.device), ends] @ self.lang_proj
        return vectors

    def similarity(self, vectors: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """Scaled cosines: `[..., N, dim]` and unit vectors `[M, dim]` → `[..., N, M]`."""
        return self.logit_scale.exp() * unit(vectors) @ texts.t()


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors `[..., dim]` of length 1, as SEEM was trained to have them."""
    length: torch.Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / (length + _EPS)


class _Transformer(nn.Module):
    def __init__(self, width: int, heads: int, layers: int, context: int, vocabulary: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.zeros(context, width))
        self.resblocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.ln_final = nn.LayerNorm(width, eps=1e-12)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        for block in self.resblocks:
            x = block(x)
        out: torch.Tensor = self.ln_final(x)
        return out


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.ln_1 = nn.LayerNorm(width, eps=1e-12)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})
        self.ln_2 = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, causal=True)
        hidden = self.mlp["c_fc"](self.ln_2(x))
        out: torch.Tensor = x + self.mlp["c_proj"](hidden * (1.702 * hidden).sigmoid())
        return out
