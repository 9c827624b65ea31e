"""The largest circle inside every region of a label map."""

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation

__all__ = ["inscribed_circles"]


def inscribed_circles(
    labels: torch.Tensor, n: int, *, backend: Backend | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the pixel of each region that is furthest from other labels, where its mark fits best.

    Distances are those of `distance_transform`: a region of one pixel has radius 1, and the picture ends
    where another label would begin. Of several furthest pixels the first in raster order is taken.

    Args:
        labels: `[H, W] int32`, labels 0 to `n`; the background, 0, gets no circle.
        n: largest label that `labels` may hold.
        backend: force an implementation; None chooses by device.

    Returns:
        The centres, `[n, 2] int32` as x, y, and the radii in pixels, `[n] float32`, of labels 1 to `n`, on
        the same device. A label that is absent has centre -1, -1 and radius 0.

    Raises:
        TypeError: `labels` is not a tensor of int32, or `n` not a whole number.
        ValueError: another shape, a side of more than 65535 pixels, or a label outside its range.
    """
    _check.tensor("labels", labels, torch.int32, "H, W")
    _check.sides("labels", labels)
    n = _check.count("n", n)
    _check.label_range("labels", labels, n=n)
    centres, radii = implementation(__name__, backend, labels.device).inscribed_circles(labels, n)
    return centres, radii
