"""Contingency table on the CPU: one code a pixel for the pair of labels, then a count of equal codes."""

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["label_overlap"]


def label_overlap(a: torch.Tensor, b: torch.Tensor, n_a: int, n_b: int) -> torch.Tensor:
    """See `som_kernels.label_overlap`."""
    entries = (n_a + 1) * (n_b + 1)
    flat = _codes(a.numpy(), b.numpy(), n_b, entries)
    begins = np.empty(flat.size, bool)
    begins[0] = True
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    if np.count_nonzero(begins) * 4 > flat.size:  # noise: runs are too short to be worth collecting
        table = np.bincount(flat, minlength=entries)
    else:
        start = np.flatnonzero(begins)
        length = np.diff(start, append=flat.size)
        # Weights are float64, exact up to 2^53 pixels.
        table = np.bincount(flat[start], weights=length, minlength=entries).astype(np.int64)
    return torch.from_numpy(table.reshape(n_a + 1, n_b + 1))


def _codes(
    a: npt.NDArray[np.int32], b: npt.NDArray[np.int32], n_b: int, entries: int
) -> npt.NDArray[np.int32 | np.int64]:
    """The place of each pixel's pair of labels in the flattened table, `[H * W]`."""
    kind = np.int32 if entries <= np.iinfo(np.int32).max else np.int64  # half the bytes, if they suffice
    code: npt.NDArray[np.int32 | np.int64] = np.multiply(a, n_b + 1, dtype=kind, order="C")
    code += b
    return code.ravel()
