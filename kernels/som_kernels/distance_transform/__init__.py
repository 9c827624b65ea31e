"""Exact Euclidean distance to the nearest pixel of another label, for all labels at once."""

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation

__all__ = ["distance_transform"]


def distance_transform(labels: torch.Tensor, *, backend: Backend | None = None) -> torch.Tensor:
    """Measure how far each pixel is from the nearest pixel of another label.

    The background, label 0, is a label like the others. Everything outside the picture counts as one
    more label, so a pixel of the first column has distance 1, and no distance is infinite.

    Args:
        labels: `[H, W] int32`, labels of 0 or more, not necessarily consecutive.
        backend: force an implementation; None chooses by device.

    Returns:
        `[H, W] float32` in pixels, at least 1, on the same device; from the centre of a pixel to the
        centre of the other.

    Raises:
        TypeError: not a tensor of int32.
        ValueError: another shape, a side of more than 65535 pixels, or a negative label.
    """
    _check.tensor("labels", labels, torch.int32, "H, W")
    _check.sides("labels", labels)
    _check.label_range("labels", labels)
    distance: torch.Tensor = implementation(__name__, backend, labels.device).distance_transform(labels)
    return distance
