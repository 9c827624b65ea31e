"""The words of the benchmark: contestants, what they are given, what must agree, what should be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch

import som_kernels as sk

__all__ = ["Case", "Contestant", "Target", "Trial", "arrays", "close", "lazily", "nbytes", "ours"]

TOLERANCE = 1e-4

lazily = cache  # what a peer wants prepared is prepared at its first call, which checks and is not timed


def arrays(result: Any) -> list[np.ndarray[Any, Any]]:
    """The arrays of a result, which may be one or several."""
    parts = result if isinstance(result, tuple) else (result,)
    return [part.cpu().numpy() if isinstance(part, torch.Tensor) else np.asarray(part) for part in parts]


def close(result: Any, truth: Any) -> bool:
    """Whether two results are the same: whole numbers exactly, others to within the tolerance."""
    mine, true = arrays(result), arrays(truth)
    if [a.shape for a in mine] != [b.shape for b in true]:
        return False
    for a, b in zip(mine, true, strict=True):
        whole = a.dtype.kind in "biu" and b.dtype.kind in "biu"
        if not (np.array_equal(a, b) if whole else np.allclose(a, b, rtol=1e-6, atol=TOLERANCE)):
            return False
    return True


def nbytes(value: Any) -> int:
    """Bytes of all arrays in an input or a result."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return value.nbytes
    if isinstance(value, sk.PackedMasks):
        return nbytes((value.words, value.boxes, value.areas))
    if isinstance(value, list | tuple):
        return sum(map(nbytes, value))
    return len(value) if isinstance(value, str | bytes) else 0


@dataclass(frozen=True)
class Contestant:
    """One way to the answer.

    Attributes:
        name: an implementation's backend, or what a peer is called.
        run: does the work and returns its result; this is timed.
        view: turns the result into what is compared with the truth; not timed.
        agrees: whether its view and the truth's are the same; None for a peer that answers another question.
        package: the extra package that it needs, left out with a note where that is missing.
        ours: whether it is an implementation of ours.
        inputs: what it is given, where that is not what the others get.
        prepared: whether it is given a form of its own, about which the floor says nothing.
    """

    name: str
    run: Callable[[], Any]
    view: Callable[[Any], Any] = lambda result: result
    agrees: Callable[[Any, Any], bool] | None = close
    package: str = ""
    ours: bool = False
    inputs: tuple[Any, ...] | None = None
    prepared: bool = False


@dataclass(frozen=True)
class Trial:
    """A case with its inputs made.

    Attributes:
        inputs: what every contestant is given.
        contestants: all of them; the first one's result is the truth.
        read: bytes of the inputs that any solution must read; None: all.
        weighed: the contestant whose memory is measured.
    """

    inputs: tuple[Any, ...]
    contestants: list[Contestant]
    read: int | None = None
    weighed: str = "cpu"

    def moved(self, contestant: Contestant, outputs: int) -> int:
        """Bytes that anyone who is given what the contestant is given must read and write."""
        if contestant.inputs is not None:
            return nbytes(contestant.inputs) + outputs
        return (nbytes(self.inputs) if self.read is None else self.read) + outputs


@dataclass(frozen=True)
class Target:
    """How many times as long as our CPU twin a peer should take.

    Attributes:
        peer: the contestant's name.
        ratio: the least that counts as met.
        why: what stands in the way where it is missed.
    """

    peer: str
    ratio: float
    why: str = ""


@dataclass(frozen=True)
class Case:
    """One operation on one input.

    Attributes:
        op: the operation's name.
        size: width, height and the number of regions or masks.
        make: builds inputs and contestants for a size.
        targets: what should be reached here.
    """

    op: str
    size: tuple[int, int, int]
    make: Callable[[int, int, int], Trial]
    targets: tuple[Target, ...] = ()

    @property
    def shape(self) -> str:
        """The size in words."""
        return "{}x{} n={}".format(*self.size)

    def trial(self) -> Trial:
        """Its inputs and contestants."""
        return self.make(*self.size)


def ours(op: Callable[..., Any], *inputs: Any, reference: bool = True, **options: Any) -> list[Contestant]:
    """The implementations of an operation that this machine can run, the reference first.

    Args:
        op: takes the inputs and `backend`.
        inputs: its arguments.
        reference: False where the reference would take far too long.
        options: further fields of the contestants.
    """
    backends = ("reference", "cpu") if reference else ("cpu",)
    found = [Contestant(name, partial(op, *inputs, backend=name), ours=True, **options) for name in backends]
    if torch.cuda.is_available():
        found.append(
            Contestant("gpu", partial(_on_gpu, op, lazily(partial(_moved, inputs))), ours=True, **options)
        )
    return found


def _on_gpu(op: Callable[..., Any], inputs: Callable[[], Iterable[Any]]) -> Any:
    """The operation on inputs that are on the GPU already, to its end."""
    result = op(*inputs())
    torch.cuda.synchronize()
    return result


def _moved(inputs: Iterable[Any]) -> list[Any]:
    """The inputs on the GPU, where they are tensors or packed masks."""
    moved: list[Any] = []
    for value in inputs:
        if isinstance(value, sk.PackedMasks):
            fields = {name: getattr(value, name).cuda() for name in ("words", "boxes", "areas")}
            moved.append(replace(value, **fields))
        else:
            moved.append(value.cuda() if isinstance(value, torch.Tensor) else value)
    torch.cuda.synchronize()
    return moved
