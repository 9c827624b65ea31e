"""What every host function that launches a Triton kernel needs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = ["on_device"]


def on_device(tensor: torch.Tensor) -> AbstractContextManager[object]:
    """Make the tensor's GPU the current one, where Triton launches; nothing to do on a CPU."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()
