"""Contingency table of two label maps."""

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation

__all__ = ["label_overlap"]


def label_overlap(
    a: torch.Tensor, b: torch.Tensor, n_a: int, n_b: int, *, backend: Backend | None = None
) -> torch.Tensor:
    """Count the pixels of every pair of labels of two label maps of the same picture.

    Row and column sums are the areas of the labels, so one table answers every intersection over union
    of two exclusive segmentations.

    Args:
        a: `[H, W] int32`, labels 0 to `n_a`.
        b: `[H, W] int32`, labels 0 to `n_b`, on the same device.
        n_a: largest label that `a` may hold.
        n_b: largest label that `b` may hold.
        backend: force an implementation; None chooses by device.

    Returns:
        `[n_a + 1, n_b + 1] int64` on the same device; entry i, j counts the
        pixels with label i in `a` and j in `b`.

    Raises:
        TypeError: not tensors of int32, or `n_a`, `n_b` not whole numbers.
        ValueError: other shapes, two devices, or a label outside its range.
    """
    _check.tensor("a", a, torch.int32, "H, W")
    _check.tensor("b", b, torch.int32, "H, W")
    _check.same("shape", ("a", "b"), (a.shape, b.shape))
    _check.same("device", ("a", "b"), (a.device, b.device))
    n_a, n_b = _check.count("n_a", n_a), _check.count("n_b", n_b)
    _check.label_range("a", a, "n_a", n_a)
    _check.label_range("b", b, "n_b", n_b)
    table: torch.Tensor = implementation(__name__, backend, a.device).label_overlap(a, b, n_a, n_b)
    return table
