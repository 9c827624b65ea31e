"""What every host function that launches a Triton kernel needs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

__all__ = ["Specimen", "mask_by_mask", "on_device"]


def on_device(tensor: torch.Tensor) -> AbstractContextManager[object]:
    """Make the tensor's GPU the current one, where Triton launches; nothing to do on a CPU."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


def mask_by_mask(words: torch.Tensor) -> torch.Tensor:
    """Words `[N, H, K]` of packed masks, each mask in one piece; a choice of masks is not copied."""
    return words if not len(words) or words[0].is_contiguous() else words.contiguous()


@dataclass(frozen=True)
class Specimen:
    """A kernel as it is launched most of the time, for `som_kernels.report` to compile without a GPU.

    Attributes:
        kernel: the function under `triton.jit`.
        signature: the type of each argument that is no constant, such as `*i32`, a pointer (aligned to 16
            bytes as torch's are), `i32`, `i32:16`, a multiple of 16, or `1`, which Triton builds in.
        constants: values of the `constexpr` arguments.
        options: options of the launch, such as `num_warps`.
    """

    kernel: Any
    signature: Mapping[str, str]
    constants: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
