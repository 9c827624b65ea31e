"""ResNet (arXiv 1512.03385) with bottlenecks, under the names that detectron2 gives its weights.

Batch norm is frozen: its statistics are constants of the file. A stage that halves the map does so in its
3x3 convolution, as torchvision's ResNet does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import max_pool2d, relu
from torchvision.ops import FrozenBatchNorm2d

__all__ = ["RESNET50", "ResNet", "ResNetConfig"]


@dataclass(frozen=True)
class ResNetConfig:
    """The shape of a ResNet.

    Attributes:
        stem: channels that the first convolution gives.
        out: channels of the first stage; every stage doubles them.
        width: channels of the first stage's 3x3 convolutions; every stage doubles them.
        depths: blocks of each stage.
    """

    stem: int = 64
    out: int = 256
    width: int = 64
    depths: tuple[int, ...] = (3, 4, 6, 3)

    @property
    def channels(self) -> dict[str, int]:
        """Channels of each output: `res2` of the first stage, and so on."""
        return {f"res{i + 2}": self.out << i for i in range(len(self.depths))}

    @classmethod
    def of_weights(cls, weights: Mapping[str, torch.Tensor], prefix: str = "backbone.") -> ResNetConfig:
        """Read the shape off the weights of a ResNet whose names start with `prefix`.

        Raises:
            KeyError: a weight that every ResNet has is missing.
        """
        first = weights[f"{prefix}res2.0.conv3.weight"]
        blocks = re.compile(re.escape(prefix) + r"res(\d)\.(\d+)\.conv1\.weight")
        found = [match.groups() for match in map(blocks.fullmatch, weights) if match]
        stages = sorted({stage for stage, _ in found})
        return cls(
            stem=weights[f"{prefix}stem.conv1.weight"].shape[0],
            out=first.shape[0],
            width=first.shape[1],
            depths=tuple(sum(own == stage for own, _ in found) for stage in stages),
        )


RESNET50 = ResNetConfig()


class ResNet(nn.Module):
    """Picture → maps `res2` to `res5` at strides 4 to 32."""

    def __init__(self, config: ResNetConfig = RESNET50) -> None:
        super().__init__()
        self.channels = config.channels
        self.stem = _Stem(config.stem)
        before = config.stem
        for i, (name, after) in enumerate(config.channels.items()):
            width = config.width << i
            blocks = [_Bottleneck(before, width, after, stride=1 if i == 0 else 2)]
            blocks += [_Bottleneck(after, width, after) for _ in range(config.depths[i] - 1)]
            self.add_module(name, nn.Sequential(*blocks))
            before = after

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Look at pictures `[B, 3, H, W]`, normalised: `[B, C, H / stride, W / stride]` each, rounded up."""
        x, outputs = self.stem(images), {}
        for name in self.channels:
            outputs[name] = x = getattr(self, name)(x)
        return outputs


class _Convolution(nn.Conv2d):
    """A convolution that carries its norm, as detectron2's does."""

    def __init__(self, before: int, after: int, size: int, stride: int = 1) -> None:
        super().__init__(before, after, size, stride=stride, padding=size // 2, bias=False)
        self.norm = FrozenBatchNorm2d(after, eps=1e-5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(super().forward(x))
        return normed


class _Stem(nn.Module):
    def __init__(self, after: int) -> None:
        super().__init__()
        self.conv1 = _Convolution(3, after, 7, stride=2)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return max_pool2d(relu(self.conv1(picture)), 3, stride=2, padding=1)


class _Bottleneck(nn.Module):
    def __init__(self, before: int, width: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.shortcut = _Convolution(before, after, 1, stride=stride) if before != after else None
        self.conv1 = _Convolution(before, width, 1)
        self.conv2 = _Convolution(width, width, 3, stride=stride)
        self.conv3 = _Convolution(width, after, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.conv3(relu(self.conv2(relu(self.conv1(x)))))
        return relu(inner + (x if self.shortcut is None else self.shortcut(x)))
