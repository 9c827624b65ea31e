"""FocalNet (Yang et al. 2022, arXiv 2203.11926), the backbone of SEEM, in its two published kinds.

transformers has the plain kind under other names and without the norms of a backbone's outputs; the kind with
depth-wise convolutions around each half of a block it has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

__all__ = ["FOCAL_L", "FOCAL_T", "FocalConfig", "FocalNet"]

_WINDOW_STEP = 2  # each focal level's kernel is larger than the one before by this


@dataclass(frozen=True)
class FocalConfig:
    """Sizes of a FocalNet.

    Attributes:
        width: features of the first stage; each further stage has twice as many.
        depths: blocks of each stage.
        levels: focal levels of each stage: context of so many sizes, beside that of the whole map.
        windows: side of the first level's kernel, of each stage.
        depthwise: whether blocks mix neighbours by a depth-wise convolution before each of their halves.
    """

    width: int
    depths: tuple[int, ...]
    levels: tuple[int, ...]
    windows: tuple[int, ...]
    depthwise: bool

    @property
    def widths(self) -> tuple[int, ...]:
        """Features of each stage."""
        return tuple(self.width << stage for stage in range(len(self.depths)))

    @classmethod
    def of_weights(cls, state: Mapping[str, torch.Tensor], prefix: str = "") -> FocalConfig:
        """The sizes of the network whose weights these are.

        Raises:
            KeyError: they are not of a FocalNet.
        """
        stages = len({key for key in state if key.startswith(f"{prefix}norm") and key.endswith(".weight")})
        blocks = [f"{prefix}layers.{stage}.blocks" for stage in range(stages)]
        return cls(
            width=state[f"{prefix}patch_embed.proj.weight"].shape[0],
            depths=tuple(_count(state, block) for block in blocks),
            levels=tuple(_count(state, f"{block}.0.modulation.focal_layers") for block in blocks),
            windows=tuple(
                state[f"{block}.0.modulation.focal_layers.0.0.weight"].shape[-1] for block in blocks
            ),
            depthwise=f"{prefix}layers.0.blocks.0.dw1.weight" in state,
        )


FOCAL_T = FocalConfig(96, (2, 2, 6, 2), (3, 3, 3, 3), (3, 3, 3, 3), depthwise=True)
FOCAL_L = FocalConfig(192, (2, 2, 18, 2), (4, 4, 4, 4), (3, 3, 3, 3), depthwise=False)


class FocalNet(nn.Module):
    """Picture → maps of stride 4, 8, 16 and 32."""

    def __init__(self, config: FocalConfig) -> None:
        super().__init__()
        self.patch_embed = _Embed(3, config.width, kernel=7, stride=4, padding=3 if config.depthwise else 2)
        self.layers = nn.ModuleList(_Stage(config, stage) for stage in range(len(config.depths)))
        for stage, width in enumerate(config.widths):
            self.add_module(f"norm{stage}", nn.LayerNorm(width))

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """See.

        Args:
            pixels: `[B, 3, H, W]`, normalised; H and W are multiples of 32.

        Returns:
            A map for each stage, `[B, width, h, w]`, the finest first.
        """
        x, maps = self.patch_embed(pixels), []
        for stage, layer in enumerate(self.layers):
            assert isinstance(layer, _Stage)
            for block in layer.blocks:
                x = block(x)
            maps.append(getattr(self, f"norm{stage}")(x).permute(0, 3, 1, 2))
            if layer.downsample is not None:
                x = layer.downsample(x.permute(0, 3, 1, 2))
        return maps


class _Embed(nn.Module):
    """A strided convolution and a norm; channels come first and leave last."""

    def __init__(self, channels: int, width: int, *, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, kernel, stride, padding)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.norm(self.proj(x).permute(0, 2, 3, 1))
        return out


class _Stage(nn.Module):
    def __init__(self, config: FocalConfig, stage: int) -> None:
        super().__init__()
        width = config.widths[stage]
        self.blocks = nn.ModuleList(
            _Block(width, config.levels[stage], config.windows[stage], depthwise=config.depthwise)
            for _ in range(config.depths[stage])
        )
        last = stage == len(config.depths) - 1
        self.downsample = None if last else _Embed(width, 2 * width, kernel=3, stride=2, padding=1)


class _Block(nn.Module):
    """Modulation, then a perceptron, on maps `[B, h, w, width]`."""

    def __init__(self, width: int, levels: int, window: int, *, depthwise: bool) -> None:
        super().__init__()
        self.depthwise = depthwise
        self.gamma_1 = nn.Parameter(torch.ones(width))
        self.gamma_2 = nn.Parameter(torch.ones(width))
        if depthwise:
            self.dw1 = nn.Conv2d(width, width, 3, padding=1, groups=width)
            self.dw2 = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm1 = nn.LayerNorm(width)
        self.modulation = _Modulation(width, levels, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = _Perceptron(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # The two kinds put the norm on different things: on the sum, or on what is added.
        if self.depthwise:
            x = x + _neighbours(self.dw1, x)
            x = self.norm1(x + self.gamma_1 * self.modulation(x))
            x = x + _neighbours(self.dw2, x)
            return self.norm2(x + self.gamma_2 * self.mlp(x))  # type: ignore[no-any-return]
        x = x + self.gamma_1 * self.norm1(self.modulation(x))
        return x + self.gamma_2 * self.norm2(self.mlp(x))  # type: ignore[no-any-return]


class _Modulation(nn.Module):
    """What is around each place, at several sizes, weighed by gates, multiplies what is there."""

    def __init__(self, width: int, levels: int, window: int) -> None:
        super().__init__()
        self.f = nn.Linear(width, 2 * width + levels + 1)
        self.h = nn.Conv2d(width, width, 1)
        self.proj = nn.Linear(width, width)
        kernels = [window + _WINDOW_STEP * level for level in range(levels)]
        self.focal_layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width, bias=False), nn.GELU()
            )
            for kernel in kernels
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        width, levels = x.shape[-1], len(self.focal_layers)
        query, context, gates = (
            part.permute(0, 3, 1, 2) for part in self.f(x).split((width, width, levels + 1), dim=-1)
        )
        total = torch.zeros((), dtype=context.dtype, device=context.device)
        for level, layer in enumerate(self.focal_layers):
            context = layer(context)
            total = total + context * gates[:, level : level + 1]
        whole = functional.gelu(context.mean(dim=(2, 3), keepdim=True))
        total = (total + whole * gates[:, levels:]) / (levels + 1)
        out: torch.Tensor = self.proj((query * self.h(total)).permute(0, 2, 3, 1))
        return out


class _Perceptron(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


def _neighbours(convolution: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    mixed: torch.Tensor = convolution(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return mixed


def _count(state: Mapping[str, torch.Tensor], prefix: str) -> int:
    """How many numbered parts follow `prefix`."""
    start = len(prefix) + 1
    return len({key[start:].split(".", 1)[0] for key in state if key.startswith(prefix + ".")})
