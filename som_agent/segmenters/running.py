"""How a network is run: in what precision, and compiled or not."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, get_args

from som_agent.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["Precision", "casting", "compile_encoder", "input_dtype"]

Precision = Literal["float32", "float16", "bfloat16"]
"""What a network multiplies in. Half precision is faster on GPUs and changes masks by some pixels."""


def casting(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """In this context a network runs in the precision, as `torch.autocast` chooses operation by operation.

    Raises:
        InputError: another word.
    """
    import torch

    if precision not in get_args(Precision):
        raise InputError(f"precision is one of {', '.join(get_args(Precision))}, got {precision!r}")
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))


def compile_encoder(encoder: torch.nn.Module, how: bool | str) -> None:
    """Have the part of a network that looks at the picture compiled at its first call, if that is wished.

    Its pictures are all of one size, so it is compiled once; it takes a minute or so.

    Args:
        encoder: changed in place; its weights keep their names.
        how: True takes torch's own compiler, which needs a C++ compiler (CPU) or Triton (GPU); a text names
            another backend of `torch.compile`; False leaves it as it is.

    Raises:
        InputError: no backend of that name.
    """
    import torch

    if how is False:
        return
    backend = "inductor" if how is True else how
    known = torch.compiler.list_backends(exclude_tags=())
    if backend not in known:
        raise InputError(f"compile is True, False or one of {', '.join(known)}, got {how!r}")
    encoder.compile(backend=backend)


def input_dtype(device: torch.device) -> torch.dtype:
    """In what points are handed over: as exactly as the device can."""
    import torch

    return torch.float32 if device.type == "mps" else torch.float64
