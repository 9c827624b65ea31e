"""Regions drawn over a picture: tint, contour and seam of every label."""

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation

__all__ = ["overlay_labels"]

MOST_LINE = 8  # pixels


def overlay_labels(
    image: torch.Tensor,
    labels: torch.Tensor,
    colors: torch.Tensor,
    alpha: float,
    line_px: int,
    *,
    backend: Backend | None = None,
) -> torch.Tensor:
    """Draw the regions of a label map over a picture, which is not changed.

    All in whole numbers, with `keep = 256 - floor(256 * alpha + 0.5)`:

    - tint: a pixel of a region becomes `(image * keep + color * (256 - keep) + 128) // 256`, which is less
      than 1 from the blend in real numbers;
    - contour: a pixel of a region takes its pure colour where a pixel of another label is at most `line_px`
      away, `dx² + dy² <= line_px²` from centre to centre: for a line of 1 the four neighbours;
    - seam: a pixel of the ground that has a region among its eight neighbours becomes
      `(9 * image + 10) // 20`, 0.45 of it, so that the line shows on any ground.

    Pixels outside the picture are of no label: its border has no contour.

    Args:
        image: `[H, W, 3] uint8`, any order of channels.
        labels: `[H, W] int32` on the same device; 0 is the ground, which has no colour.
        colors: `[n, 3] uint8` on the same device, in the order of the image; row `k` for label `k + 1`.
        alpha: strength of the tint, 0 (none) to 1.
        line_px: thickness of the contour in pixels, 0 to 8; without a line there is no seam either.
        backend: force an implementation; None chooses by device.

    Returns:
        The drawn picture, `[H, W, 3] uint8` on the device of `image`.

    Raises:
        TypeError: `image` or `colors` not uint8, `labels` not int32, `alpha` not a number, or `line_px` not
            a whole one.
        ValueError: other shapes, two devices, a label without a colour, or a number outside its range.
    """
    _check.tensor("image", image, torch.uint8, "H, W, 3")
    _check.tensor("labels", labels, torch.int32, "H, W")
    _check.tensor("colors", colors, torch.uint8, "N, 3")
    _check.same("picture size", ("image", "labels"), (image.shape[:2], labels.shape))
    _check.same("device", ("image", "labels"), (image.device, labels.device))
    _check.same("device", ("image", "colors"), (image.device, colors.device))
    keep = 256 - int(256 * _check.between("alpha", alpha, 0, 1) + 0.5)
    line_px = _check.count("line_px", line_px)
    _check.between("line_px", line_px, 0, MOST_LINE)
    _check.label_range("labels", labels, "len(colors)", len(colors))
    module = implementation(__name__, backend, image.device)
    drawn: torch.Tensor = module.overlay_labels(image, labels, colors, keep, line_px)
    return drawn
