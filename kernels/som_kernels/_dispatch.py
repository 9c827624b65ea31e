"""Which implementation of an operation answers a call."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Literal, get_args

import torch

__all__ = ["Backend", "implementation", "interpreted"]

Backend = Literal["reference", "cpu", "triton"]

ALL_BACKENDS: tuple[Backend, ...] = get_args(Backend)


def interpreted() -> bool:
    """Whether Triton was asked to run its kernels on the CPU, as the tests do without a GPU."""
    return os.environ.get("TRITON_INTERPRET", "0").lower() in {"1", "true", "yes", "on"}


def implementation(package: str, backend: str | None, device: torch.device) -> ModuleType:
    """The module of an operation that answers for tensors on `device`.

    Args:
        package: the operation's package, its `__name__`.
        backend: the caller's wish; None chooses by device.
        device: where the tensors are.

    Raises:
        ValueError: the backend is unknown, or cannot take these tensors.
    """
    chosen = _by_device(device) if backend is None else backend
    if chosen not in ALL_BACKENDS:
        msg = f"`backend` must be one of {', '.join(ALL_BACKENDS)}, got {backend!r}"
        raise ValueError(msg)
    if chosen == "cpu" and device.type != "cpu":
        msg = f"`backend`='cpu' needs tensors on the CPU, got tensors on {device}"
        raise ValueError(msg)
    if chosen == "triton" and device.type == "cpu" and not interpreted():
        msg = "`backend`='triton' needs tensors on a GPU, got tensors on cpu (or set TRITON_INTERPRET=1)"
        raise ValueError(msg)
    return import_module(f"{package}.{chosen}")


def _by_device(device: torch.device) -> Backend:
    if device.type == "cpu":
        return "cpu"
    # ROCm devices call themselves cuda as well.
    if device.type == "cuda" and _has_triton():
        return "triton"
    return "reference"


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None  # there is none for Windows
