"""SEEM's pixel decoder: a transformer over the coarsest map, then a pyramid up to stride 4."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from som_agent.segmenters.networks.attention import Attention
from som_agent.segmenters.networks.positions import position_map

__all__ = ["PixelDecoder"]

_GROUPS = 32


class PixelDecoder(nn.Module):
    """Maps of a backbone → three maps for the decoder and one that masks are read off.

    Args:
        channels: features of the backbone's four maps, the finest first.
        width: features of the maps that come out.
        mask_width: features of the map that masks are read off.
        layers: of the transformer.
        hidden: features inside its perceptrons.
        heads: of its attention.
    """

    def __init__(
        self, channels: Sequence[int], width: int, mask_width: int, *, layers: int, hidden: int, heads: int
    ) -> None:
        super().__init__()
        self.width, self.finest = width, len(channels)
        for level, count in enumerate(channels[:-1], start=1):
            self.add_module(f"adapter_{level}", _NormedConv(count, width, kernel=1))
            self.add_module(f"layer_{level}", _NormedConv(width, width, kernel=3))
        self.input_proj = nn.Conv2d(channels[-1], width, 1)
        self.transformer = nn.ModuleDict({"encoder": _Encoder(layers, width, hidden, heads)})
        self.add_module(f"layer_{len(channels)}", _NormedConv(width, width, kernel=3))
        self.mask_features = nn.Conv2d(width, mask_width, 3, padding=1)

    def forward(self, maps: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Decode.

        Args:
            maps: of the backbone, `[B, C, h, w]` each, the finest first.

        Returns:
            Maps `[B, width, h, w]` of stride 32, 16 and 8, and one `[B, mask_width, h, w]` of stride 4.
        """
        coarse = self.input_proj(maps[-1])
        h, w = coarse.shape[-2:]
        place = position_map((h, w), self.width // 2, device=coarse.device).to(coarse.dtype)
        seen = self.transformer["encoder"](_tokens(coarse), _tokens(place))
        x = self._layer(f"layer_{self.finest}", seen.transpose(1, 2).unflatten(2, (h, w))).relu()
        levels = [x]
        for level in range(self.finest - 1, 0, -1):
            finer = self._layer(f"adapter_{level}", maps[level - 1])
            x = finer + functional.interpolate(x, size=finer.shape[-2:], mode="nearest")
            x = self._layer(f"layer_{level}", x).relu()
            levels.append(x)
        return levels[:3], self.mask_features(x)

    def _layer(self, name: str, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = getattr(self, name)(x)
        return out


class _NormedConv(nn.Conv2d):
    """A convolution without bias whose norm is a part of it, as the weights' names have it."""

    def __init__(self, channels: int, width: int, *, kernel: int) -> None:
        super().__init__(channels, width, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.GroupNorm(_GROUPS, width)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.norm(super().forward(input))
        return out


class _Encoder(nn.Module):
    def __init__(self, layers: int, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_EncoderLayer(width, hidden, heads) for _ in range(layers))

    def forward(self, x: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x, place)
        return x


class _EncoderLayer(nn.Module):
    def __init__(self, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        placed = x + place
        x = self.norm1(x + self.self_attn(placed, placed, x))
        out: torch.Tensor = self.norm2(x + self.linear2(self.linear1(x).relu()))
        return out


def _tokens(maps: torch.Tensor) -> torch.Tensor:
    """`[B, C, h, w]` → `[B, h * w, C]`."""
    return maps.flatten(2).transpose(1, 2)
