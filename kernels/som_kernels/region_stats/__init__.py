"""Area, box, centre of mass and mean colour of every region of a label map."""

from typing import NamedTuple

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation

__all__ = ["RegionStats", "region_stats"]


class RegionStats(NamedTuple):
    """Measures of regions 1 to n; row `i` belongs to label `i + 1`.

    Attributes:
        areas: pixels, `[n] int64`; 0 for an absent label.
        boxes: `[n, 4] int32` as x0, y0, x1, y1 with x1 and y1 one past the last pixel; absent: zeros.
        centroids: mean x, y of the pixels, `[n, 2] float32`; absent: -1.
        colours: mean of the pixels, `[n, 3] float32`, channels in the order of the image; absent: 0.
    """

    areas: torch.Tensor
    boxes: torch.Tensor
    centroids: torch.Tensor
    colours: torch.Tensor


def region_stats(
    labels: torch.Tensor, image: torch.Tensor | None, n: int, *, backend: Backend | None = None
) -> RegionStats:
    """Measure every region of a label map in one pass.

    Args:
        labels: `[H, W] int32`, labels 0 to `n`; 0 is the background and not measured.
        image: `[H, W, 3] uint8`, any order of channels, on the same device; None if
            colours do not matter: they are 0 then.
        n: largest label that `labels` may hold.
        backend: force an implementation; None chooses by device.

    Returns:
        The measures of labels 1 to `n`, on the device of `labels`.

    Raises:
        TypeError: `labels` is not int32, `image` not uint8, or `n` not a whole number.
        ValueError: other shapes, two devices, or a label outside its range.
    """
    _check.tensor("labels", labels, torch.int32, "H, W")
    if image is None:
        image = torch.zeros((), dtype=torch.uint8, device=labels.device).expand(*labels.shape, 3)
    _check.tensor("image", image, torch.uint8, "H, W, 3")
    _check.same("picture size", ("labels", "image"), (labels.shape, image.shape[:2]))
    _check.same("device", ("labels", "image"), (labels.device, image.device))
    n = _check.count("n", n)
    _check.label_range("labels", labels, n=n)
    module = implementation(__name__, backend, labels.device)
    return RegionStats(*module.region_stats(labels, image, n))
