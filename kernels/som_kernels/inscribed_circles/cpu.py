"""Inscribed circles on the CPU: squared distances as whole numbers, then the first maximum of each label."""

import numpy as np
import torch

from som_kernels._runs import label_runs
from som_kernels.distance_transform.cpu import squared_distances

__all__ = ["inscribed_circles"]


def inscribed_circles(labels: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """See `som_kernels.inscribed_circles`."""
    array = np.ascontiguousarray(labels.numpy())
    width = array.shape[1]
    runs = label_runs(array)
    squares = squared_distances(array, runs, ground=False).ravel()
    # The maximum of each run, then of each label: no pass over the picture a label.
    largest = np.zeros(n + 1, squares.dtype)
    np.maximum.at(largest, runs.label, np.maximum.reduceat(squares, runs.y * width + runs.x0))
    largest[0] = 1  # nothing: the squares of the ground are 0
    furthest = np.flatnonzero(squares == np.repeat(largest[runs.label], runs.x1 - runs.x0))
    first = np.zeros(n + 1, np.int64)
    first[array.ravel()[furthest[::-1]]] = furthest[::-1]  # of several assignments the last one stays
    centres = np.stack([first % width, first // width], axis=1)[1:].astype(np.int32)
    centres[largest[1:] == 0] = -1
    return torch.from_numpy(centres), torch.from_numpy(np.sqrt(largest[1:], dtype=np.float32))
