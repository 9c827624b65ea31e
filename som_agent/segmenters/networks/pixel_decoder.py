"""Backbone maps → maps that know of each other, and the features that masks are read from.

The pixel decoder of MaskDINO (Li et al. 2023), which Semantic-SAM shares: the encoder of Deformable DETR over
several levels, and one step of a feature pyramid up to stride 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # as everyone calls it

from som_agent.segmenters.networks.deformable import DeformableAttention, Sizes
from som_agent.segmenters.networks.positions import cell_centres, position_map

__all__ = ["PixelDecoder", "PixelDecoderConfig", "PixelMaps"]

_GROUPS = 32  # of every group norm


@dataclass(frozen=True)
class PixelDecoderConfig:
    """Sizes of a pixel decoder.

    Attributes:
        inputs: backbone maps that the encoder sees, finest first: `("res3", "res4", "res5")`.
        levels: maps that it gives; where they are more than `inputs`, further ones are made of `res5`, each
            of half the size.
        dim: channels of each level.
        mask_dim: channels of the mask features.
        layers: of the encoder.
        hidden: width of a layer's hidden layer.
        finest_first: the order of the levels, `low2high` in the authors' words; `high2low` starts with the
            coarsest backbone map.
        heads: of the attention.
        points: that each head looks at in each level.
    """

    inputs: tuple[str, ...] = ("res3", "res4", "res5")
    levels: int = 4
    dim: int = 256
    mask_dim: int = 256
    layers: int = 6
    hidden: int = 2048
    finest_first: bool = True
    heads: int = 8
    points: int = 4

    @classmethod
    def of_weights(
        cls,
        state: Mapping[str, torch.Tensor],
        channels: Mapping[str, int],
        prefix: str = "sem_seg_head.pixel_decoder.",
    ) -> PixelDecoderConfig:
        """The sizes that a checkpoint's shapes say.

        Args:
            state: the checkpoint.
            channels: of the backbone's maps, finest first.
            prefix: in front of the decoder's names.

        Raises:
            KeyError: a name that every pixel decoder has is not there.
        """
        levels, dim = state[f"{prefix}transformer.level_embed"].shape
        projections = [state[f"{prefix}input_proj.{i}.0.weight"] for i in range(levels)]
        # A kernel of 3x3 makes a further level; one of 1x1 reads a backbone map, told by its channels.
        read = [weight.shape[1] for weight in projections if weight.shape[-1] == 1]
        layers = f"{prefix}transformer.encoder.layers."
        return cls(
            inputs=tuple(name for name, count in channels.items() if count in read),
            levels=levels,
            dim=dim,
            mask_dim=state[f"{prefix}mask_features.weight"].shape[0],
            layers=len({key[len(layers) :].split(".")[0] for key in state if key.startswith(layers)}),
            hidden=state[f"{layers}0.linear1.weight"].shape[0],
            finest_first=read == sorted(read),
        )


class PixelMaps(NamedTuple):
    """What a pixel decoder gives.

    Attributes:
        mask_features: `[B, mask_dim, H / 4, W / 4]`.
        levels: `[B, dim, h, w]` each, in the order of the configuration.
    """

    mask_features: torch.Tensor
    levels: list[torch.Tensor]


class PixelDecoder(nn.Module):
    """See the module.

    Args:
        config: its sizes.
        channels: of the backbone's maps, `res2` among them.
    """

    def __init__(self, config: PixelDecoderConfig, channels: Mapping[str, int]) -> None:
        super().__init__()
        self.config = config
        self._read = config.inputs if config.finest_first else config.inputs[::-1]
        self._coarsest = config.inputs[-1]
        dim = config.dim
        projections = [_projection(channels[name], dim, 1) for name in self._read]
        for extra in range(config.levels - len(config.inputs)):
            projections.append(_projection(dim if extra else channels[self._coarsest], dim, 3))
        self.input_proj = nn.ModuleList(projections)
        self.transformer = _Transformer(config)
        self.mask_features = nn.Conv2d(dim, config.mask_dim, 1)
        self.adapter_1 = _NormedConv(channels["res2"], dim, 1)
        self.layer_1 = _NormedConv(dim, dim, 3)

    def forward(self, maps: Mapping[str, torch.Tensor]) -> PixelMaps:
        """Decode the maps of a backbone, `[B, C, h, w]` each.

        The positions of the levels are numbered in full, padding of the picture included.
        """
        count = len(self._read)
        levels = [project(maps[name]) for project, name in zip(self.input_proj, self._read, strict=False)]
        last = maps[self._coarsest]
        for project in self.input_proj[count:]:
            last = project(last)
            levels.append(last)
        levels = self.transformer(levels)
        finest = levels[0 if self.config.finest_first else count - 1]
        lateral = self.adapter_1(maps["res2"])
        lateral = lateral + F.interpolate(finest, lateral.shape[-2:], mode="bilinear", align_corners=False)
        return PixelMaps(self.mask_features(self.layer_1(lateral).relu()), levels)


class _NormedConv(nn.Conv2d):
    """A convolution that keeps the size, its norm inside, as the checkpoints name it."""

    def __init__(self, channels: int, dim: int, kernel: int) -> None:
        super().__init__(channels, dim, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.GroupNorm(_GROUPS, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.norm(super().forward(x))
        return out


class _Transformer(nn.Module):
    def __init__(self, config: PixelDecoderConfig) -> None:
        super().__init__()
        self.level_embed = nn.Parameter(torch.zeros(config.levels, config.dim))
        self.encoder = _Encoder(config)

    def forward(self, levels: list[torch.Tensor]) -> list[torch.Tensor]:
        """`[B, dim, h, w]` each → the same shapes."""
        sizes = [(level.shape[2], level.shape[3]) for level in levels]
        device, dim = levels[0].device, levels[0].shape[1]
        position = torch.cat(
            [
                position_map(size, dim // 2, device=device).flatten(2).transpose(1, 2) + embedding
                for size, embedding in zip(sizes, self.level_embed, strict=True)
            ],
            dim=1,
        )
        x = torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1)
        centres = cell_centres(sizes, device)[None, :, None]
        for layer in self.encoder.layers:
            x = layer(x, position, centres, sizes)
        parts = torch.split(x, [h * w for h, w in sizes], dim=1)
        return [part.transpose(1, 2).reshape(-1, dim, *size) for part, size in zip(parts, sizes, strict=True)]


class _Encoder(nn.Module):
    """Here for the names alone."""

    def __init__(self, config: PixelDecoderConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))


class _Layer(nn.Module):
    def __init__(self, config: PixelDecoderConfig) -> None:
        super().__init__()
        dim = config.dim
        self.self_attn = DeformableAttention(dim, config.levels, config.heads, config.points)
        self.norm1 = nn.LayerNorm(dim)
        self.linear1 = nn.Linear(dim, config.hidden)
        self.linear2 = nn.Linear(config.hidden, dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(
        self, x: torch.Tensor, position: torch.Tensor, centres: torch.Tensor, sizes: Sizes
    ) -> torch.Tensor:
        x = self.norm1(x + self.self_attn(x + position, centres, x, sizes))
        out: torch.Tensor = self.norm2(x + self.linear2(self.linear1(x).relu()))
        return out


def _projection(channels: int, dim: int, kernel: int) -> nn.Sequential:
    """A convolution to the decoder's width; one of 3x3 halves the map."""
    halves = kernel == 3
    conv = nn.Conv2d(channels, dim, kernel, stride=2 if halves else 1, padding=1 if halves else 0)
    return nn.Sequential(conv, nn.GroupNorm(_GROUPS, dim))
