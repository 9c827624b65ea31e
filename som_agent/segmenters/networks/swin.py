"""Swin Transformer as a backbone of four stages (Liu et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # as everyone calls it

__all__ = ["SWIN_L", "SWIN_T", "Swin", "SwinConfig"]

_PATCH = 4
_HIDDEN = 4  # width of a block's hidden layer, in widths of the block
_APART = -100.0  # what the authors add where two cells must not attend to each other


@dataclass(frozen=True)
class SwinConfig:
    """Sizes of a Swin Transformer.

    Attributes:
        width: of the first stage; it doubles from stage to stage.
        depths: blocks of each stage.
        heads: of each stage.
        window: cells along the side of a window.
    """

    width: int
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    window: int

    @classmethod
    def of_weights(cls, state: Mapping[str, torch.Tensor], prefix: str = "backbone.") -> SwinConfig:
        """The sizes that a checkpoint's shapes say.

        Raises:
            KeyError: a name that every Swin Transformer has is not there.
        """
        stages = 1 + max(
            int(key.split(".")[0])
            for key in (key[len(prefix) + 7 :] for key in state if key.startswith(f"{prefix}layers."))
        )
        tables = [
            state[f"{prefix}layers.{i}.blocks.0.attn.relative_position_bias_table"] for i in range(stages)
        ]
        depths = []
        for i in range(stages):
            start = f"{prefix}layers.{i}.blocks."
            depths.append(len({key[len(start) :].split(".")[0] for key in state if key.startswith(start)}))
        return cls(
            width=state[f"{prefix}patch_embed.proj.weight"].shape[0],
            depths=tuple(depths),
            heads=tuple(table.shape[1] for table in tables),
            window=(round(tables[0].shape[0] ** 0.5) + 1) // 2,
        )

    @property
    def channels(self) -> dict[str, int]:
        """Channels of each output: `res2` of the first stage, and so on."""
        return {f"res{i + 2}": self.width << i for i in range(len(self.depths))}


SWIN_T = SwinConfig(96, (2, 2, 6, 2), (3, 6, 12, 24), 7)
SWIN_L = SwinConfig(192, (2, 2, 18, 2), (6, 12, 24, 48), 12)


class Swin(nn.Module):
    """Picture → maps `res2` to `res5` at strides 4 to 32, each after a norm of its own."""

    def __init__(self, config: SwinConfig) -> None:
        super().__init__()
        self.channels = config.channels
        widths = list(self.channels.values())
        self.patch_embed = _Patches(config.width)
        self.layers = nn.ModuleList(
            _Stage(width, depth, heads, config.window, last=i == len(widths) - 1)
            for i, (width, depth, heads) in enumerate(zip(widths, config.depths, config.heads, strict=True))
        )
        for i, width in enumerate(widths):
            self.add_module(f"norm{i}", nn.LayerNorm(width))

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Look at pictures.

        Args:
            images: `[B, 3, H, W]`, normalised.

        Returns:
            `[B, C, H / stride, W / stride]` each, sizes rounded up.
        """
        x = self.patch_embed(images).permute(0, 2, 3, 1)
        outputs = {}
        for i, (name, stage) in enumerate(zip(self.channels, self.layers, strict=True)):
            whole, x = stage(x)
            outputs[name] = getattr(self, f"norm{i}")(whole).permute(0, 3, 1, 2).contiguous()
        return outputs


class _Patches(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, _PATCH, _PATCH)
        self.norm = nn.LayerNorm(width)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.proj(_padded(images.permute(0, 2, 3, 1), _PATCH).permute(0, 3, 1, 2))
        out: torch.Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return out


class _Stage(nn.Module):
    """Blocks whose windows lie shifted by half in every second one, then four cells become one."""

    def __init__(self, width: int, depth: int, heads: int, window: int, *, last: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _Block(width, heads, window, window // 2 if i % 2 else 0) for i in range(depth)
        )
        self.downsample = None if last else _Merge(width)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """`[B, h, w, C]` → the stage's own map and what the next stage starts from."""
        for block in self.blocks:
            x = block(x)
        return x, x if self.downsample is None else self.downsample(x)


class _Merge(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = _padded(x, 2)
        corners = [x[:, dy::2, dx::2] for dx in (0, 1) for dy in (0, 1)]
        out: torch.Tensor = self.reduction(self.norm(torch.cat(corners, dim=-1)))
        return out


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1 = nn.LayerNorm(width)
        self.attn = _WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = _Hidden(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, h, w, width = x.shape
        side, shift = self.window, self.shift
        y = _padded(self.norm1(x), side)
        rows, columns = y.shape[1] // side, y.shape[2] // side
        if shift:
            y = y.roll((-shift, -shift), dims=(1, 2))
        y = y.view(batch, rows, side, columns, side, width).transpose(2, 3).reshape(-1, side * side, width)
        y = self.attn(y, _seams(rows, columns, side, shift, y) if shift else None)
        y = y.view(batch, rows, columns, side, side, width).transpose(2, 3)
        y = y.reshape(batch, rows * side, columns * side, width)
        if shift:
            y = y.roll((shift, shift), dims=(1, 2))
        x = x + y[:, :h, :w]
        out: torch.Tensor = x + self.mlp(self.norm2(x))
        return out


class _WindowAttention(nn.Module):
    """Self-attention within windows, with a learned bias for each relative position."""

    relative_position_index: torch.Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", _relative_index(window))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, apart: torch.Tensor | None) -> torch.Tensor:
        """`[windows, cells, C]`; `apart` is added for each window of one picture, `[n, 1, cells, cells]`."""
        windows, cells, width = x.shape
        q, k, v = self.qkv(x).view(windows, cells, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index.flatten()]
        bias = bias.view(cells, cells, self.heads).permute(2, 0, 1)[None].to(q.dtype)
        if apart is not None:
            bias = (bias + apart.to(bias)).repeat(windows // len(apart), 1, 1, 1)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        out: torch.Tensor = self.proj(x.transpose(1, 2).reshape(windows, cells, width))
        return out


class _Hidden(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, _HIDDEN * width)
        self.fc2 = nn.Linear(_HIDDEN * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


def _padded(x: torch.Tensor, multiple: int) -> torch.Tensor:
    """`[B, h, w, C]` with zeros at the right and bottom up to multiples."""
    return F.pad(x, (0, 0, 0, -x.shape[2] % multiple, 0, -x.shape[1] % multiple))


def _relative_index(window: int) -> torch.Tensor:
    """Row of the table of biases for each pair of a window's cells, `[cells, cells] int64`."""
    # In NumPy: on the `meta` device, where networks are built to be filled, torch's own imports take seconds.
    y, x = np.divmod(np.arange(window * window), window)
    rise, run = y[:, None] - y[None], x[:, None] - x[None]
    return torch.from_numpy((rise + window - 1) * (2 * window - 1) + run + window - 1)


def _seams(rows: int, columns: int, side: int, shift: int, like: torch.Tensor) -> torch.Tensor:
    """What keeps cells apart that only rolling the map brought into one window, `[n, 1, cells, cells]`."""

    def zones(windows: int) -> torch.Tensor:
        cells = torch.arange(windows * side, device=like.device)
        return (cells >= (windows - 1) * side).int() + (cells >= windows * side - shift).int()

    zone = 3 * zones(rows)[:, None] + zones(columns)[None]
    zone = zone.view(rows, side, columns, side).transpose(1, 2).reshape(rows * columns, 1, side * side)
    return (zone[..., :, None] != zone[..., None, :]).to(like.dtype) * _APART
