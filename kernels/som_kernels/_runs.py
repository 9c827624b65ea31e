"""Runs: a label map as horizontal stretches of equal labels, the CPU twins' shortcut.

A label map of real things has a few thousand runs where it has a hundred thousand pixels, and counts,
boxes and centres of mass need only where each run starts and ends.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Runs", "label_runs", "run_boxes"]


class Runs(NamedTuple):
    """The runs of a label map in raster order, each within one row.

    Attributes:
        label: the label of each run, `[R] int32`.
        y: its row, `[R] int64`.
        x0: its first column, `[R] int64`.
        x1: one past its last column, `[R] int64`.
    """

    label: npt.NDArray[np.int32]
    y: npt.NDArray[np.int64]
    x0: npt.NDArray[np.int64]
    x1: npt.NDArray[np.int64]


def label_runs(labels: npt.NDArray[np.int32]) -> Runs:
    """The runs of a label map `[H, W] int32`."""
    h, w = labels.shape
    begins = np.empty((h, w), bool)
    begins[:, 0] = True
    np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
    start = np.flatnonzero(begins)
    y, x0 = np.divmod(start, w)
    return Runs(labels[y, x0], y, x0, x0 + np.diff(start, append=h * w))


def run_boxes(runs: Runs, index: npt.NDArray[Any], n: int) -> npt.NDArray[np.int32]:
    """Boxes of the runs that share an index.

    Args:
        runs: the runs.
        index: group of each run, `[R]` integers from 0 to `n` - 1.
        n: number of groups.

    Returns:
        `[n, 4] int32` as x0, y0, x1, y1; zeros for a group without runs.
    """
    # Coordinates in separate rows of int64: `ufunc.at` is ten times slower when it has to cast or stride.
    x0, y0, x1, y1 = sides = np.zeros((4, n), np.int64)
    x0[index] = y0[index] = np.iinfo(np.int64).max
    np.minimum.at(x0, index, runs.x0)
    np.minimum.at(y0, index, runs.y)
    np.maximum.at(x1, index, runs.x1)
    np.maximum.at(y1, index, runs.y + 1)
    return np.ascontiguousarray(sides.T, dtype=np.int32)
