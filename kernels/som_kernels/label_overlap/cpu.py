"""Contingency table on the CPU: a run of equal pairs of labels is one addition."""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._runs import changes
from som_kernels._words import first_bit

__all__ = ["label_overlap"]


def label_overlap(a: torch.Tensor, b: torch.Tensor, n_a: int, n_b: int) -> torch.Tensor:
    """See `som_kernels.label_overlap`."""
    table = np.zeros((n_a + 1, n_b + 1), np.int64)
    _count(np.ascontiguousarray(a.numpy()).reshape(-1), np.ascontiguousarray(b.numpy()).reshape(-1), table)
    return torch.from_numpy(table)


@compiled
def _count(a: npt.NDArray[np.int32], b: npt.NDArray[np.int32], table: npt.NDArray[np.int64]) -> None:
    size, start, p = len(a), 0, 1
    while p + 32 <= size:
        word = changes(a, p) | changes(b, p)
        while word:
            end = p + first_bit(word)
            table[a[start], b[start]] += end - start
            start = end
            word &= word - np.uint32(1)
        p += 32
    while p < size:
        if a[p] != a[start] or b[p] != b[start]:
            table[a[start], b[start]] += p - start
            start = p
        p += 1
    table[a[start], b[start]] += size - start
