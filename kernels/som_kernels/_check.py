"""Checks of arguments; each error names the argument and shows its value."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

__all__ = [
    "between",
    "count",
    "finite",
    "indices",
    "instance",
    "label_range",
    "no_gradient",
    "no_nan",
    "order_indices",
    "pair",
    "same",
    "shown",
    "sides",
    "size",
    "tensor",
]


LARGEST_SIDE = 65535
LARGEST_COUNT = 2**31 - 1
COUNTS = {"N", "B", "Q"}  # axes of a layout that may be empty
LONGEST = 80  # characters of a value in an error


def tensor(
    name: str, value: object, dtype: torch.dtype | tuple[torch.dtype, ...], layout: str
) -> torch.Tensor:
    """The value, if it is a tensor of this type, or of one of these, and layout, such as `"N, H, W"`.

    Sizes must be at least 1, but for `N`, `B` and `Q`, how many there are of something; a number in the
    layout is the only size allowed there.

    Raises:
        TypeError: no tensor, or one of another dtype.
        ValueError: another shape, or a picture without pixels.
    """
    dtypes = dtype if isinstance(dtype, tuple) else (dtype,)
    wanted = " or ".join(str(one).removeprefix("torch.") for one in dtypes)
    instance(name, value, torch.Tensor, f"a torch.Tensor of {wanted}")
    assert isinstance(value, torch.Tensor)
    if value.dtype not in dtypes:
        msg = f"`{name}` must be {wanted}, got {str(value.dtype).removeprefix('torch.')}"
        raise TypeError(msg)
    axes = layout.split(", ")
    fits = value.ndim == len(axes) and all(
        size == int(axis) if axis.isdigit() else size > 0 or axis in COUNTS
        for axis, size in zip(axes, value.shape, strict=True)
    )
    if not fits:
        least = " with at least one pixel" if "H" in axes else ""
        msg = f"`{name}` must have shape [{layout}]{least}, got {list(value.shape)}"
        raise ValueError(msg)
    return value


def instance(name: str, value: object, types: type | tuple[type, ...], what: str) -> None:
    """Raise TypeError unless the value is of one of the types; `what` says so in words."""
    if not isinstance(value, types):
        msg = f"`{name}` must be {what}, got {type(value).__module__}.{type(value).__name__}"
        raise TypeError(msg)


def shown(value: object) -> str:
    """The value on one line, cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def same(what: str, names: tuple[str, str], values: tuple[object, object]) -> None:
    """Raise ValueError unless both arguments agree in `what`, such as "device" or "picture size"."""
    if values[0] != values[1]:
        msg = (
            f"`{names[0]}` and `{names[1]}` must have the same {what}, "
            f"got {_plain(values[0])} and {_plain(values[1])}"
        )
        raise ValueError(msg)


def _plain(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple | torch.Size) else str(value)


def count(name: str, value: object) -> int:
    """The value as an int.

    Raises:
        TypeError: not a whole number.
        ValueError: negative, or beyond 32 bits.
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        msg = f"`{name}` must be a whole number, got {shown(value)}"
        raise TypeError(msg) from None
    if number < 0:
        msg = f"`{name}` must not be negative, got {number}"
        raise ValueError(msg)
    if number > LARGEST_COUNT:
        msg = f"`{name}` must be at most {LARGEST_COUNT}, got {number}"
        raise ValueError(msg)
    return number


def pair(name: str, value: Any, what: str) -> tuple[Any, Any]:
    """The two parts of a value; TypeError, which calls them `what`, unless it has as many."""
    if not isinstance(value, Sequence | torch.Tensor) or isinstance(value, str) or len(value) != 2:
        msg = f"`{name}` must have two {what} each, got {shown(value)}"
        raise TypeError(msg)
    return value[0], value[1]


def size(name: str, value: Sequence[int]) -> tuple[int, int]:
    """Height and width.

    Raises:
        TypeError: not two whole numbers.
        ValueError: one below 1, or beyond 32 bits.
    """
    h, w = (count(name, side) for side in pair(name, value, "sides"))
    if min(h, w) < 1:
        msg = f"`{name}` must be at least 1x1, got {h}x{w}"
        raise ValueError(msg)
    return h, w


def no_gradient(name: str, value: torch.Tensor) -> None:
    """Raise ValueError where gradients are wanted, because none would come."""
    if value.requires_grad and torch.is_grad_enabled():
        msg = f"`{name}` must not want gradients, which do not pass here: call under torch.no_grad()"
        raise ValueError(msg)


def finite(name: str, value: object) -> float:
    """The value as a float.

    Raises:
        TypeError: not a number.
        ValueError: infinite or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        msg = f"`{name}` must be a number, got {shown(value)}"
        raise TypeError(msg)
    if not math.isfinite(value):
        msg = f"`{name}` must be finite, got {value!r}"
        raise ValueError(msg)
    return float(value)


def between(name: str, value: object, low: float, high: float) -> float:
    """The value as a float, if it is a number from `low` to `high`; errors as for `finite`."""
    number = finite(name, value)
    if not low <= number <= high:
        msg = f"`{name}` must be {low:g} to {high:g}, got {value!r}"
        raise ValueError(msg)
    return number


def no_nan(name: str, values: torch.Tensor) -> None:
    """Raise ValueError where one of the values `[N]` is NaN; on a GPU this waits for the tensor."""
    bad = values.isnan()
    if bad.any():
        msg = f"`{name}` must not be NaN, got NaN at index {int(bad.nonzero()[0])}"
        raise ValueError(msg)


def sides(name: str, value: torch.Tensor) -> None:
    """Raise ValueError if a picture is larger than distances are made for, as it is than JPEG files are."""
    if max(value.shape) > LARGEST_SIDE:
        msg = f"`{name}` must be at most {LARGEST_SIDE} pixels a side, got {_plain(value.shape)}"
        raise ValueError(msg)


def label_range(name: str, labels: torch.Tensor, n_name: str = "n", n: int | None = None) -> None:
    """Raise ValueError unless all labels are 0 to `n`; on a GPU this waits for the tensor."""
    if labels.device.type == "cpu":
        from som_kernels._runs import extremes

        low, high = map(int, extremes(np.ascontiguousarray(labels.numpy()).reshape(-1)))
    else:
        low, high = torch.stack(torch.aminmax(labels)).tolist()
    if low < 0:
        msg = f"`{name}` must not hold negative labels, got {low}"
        raise ValueError(msg)
    if n is not None and high > n:
        msg = f"`{name}` must hold labels up to `{n_name}`={n}, got {high}"
        raise ValueError(msg)


def indices(name: str, value: torch.Tensor, things: str, n: int) -> None:
    """Raise ValueError unless a tensor holds indices of `n` things; on a GPU this waits for the tensor."""
    for wrong in value[(value < 0) | (value >= n)].tolist()[:1]:
        msg = f"`{name}` must hold indices of the {n} {things}, got {wrong}"
        raise ValueError(msg)


def order_indices(order: object, n: int) -> list[int]:
    """The painting order as mask indices, each checked to be 0 to `n` - 1.

    Raises:
        TypeError: not a sequence or one-dimensional tensor of whole numbers.
        ValueError: an index without a mask.
    """
    if isinstance(order, torch.Tensor):
        if order.ndim != 1 or order.dtype.is_floating_point or order.dtype == torch.bool:
            kind = str(order.dtype).removeprefix("torch.")
            msg = f"`order` must be one-dimensional and of integers, got {kind} of shape {list(order.shape)}"
            raise TypeError(msg)
        indices: list[int] = order.tolist()
    elif isinstance(order, Sequence) and not isinstance(order, str):
        indices = [count("order", index) for index in order]
    else:
        msg = f"`order` must be a sequence or tensor of mask indices, got {shown(order)}"
        raise TypeError(msg)
    wrong = next((index for index in indices if not 0 <= index < n), None)
    if wrong is not None:
        msg = f"`order` must hold indices of the {n} masks, got {wrong}"
        raise ValueError(msg)
    return indices
