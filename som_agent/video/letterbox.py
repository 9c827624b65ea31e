"""A picture in the middle of another size, whole and with its proportions."""

from __future__ import annotations

import cv2
import numpy as np

from som_agent.video.frame import Image

__all__ = ["letterboxed"]


def letterboxed(image: Image, size: tuple[int, int]) -> Image:
    """Scale a picture into `size`; what its proportions leave over is black.

    Args:
        image: `[h, w, 3] uint8` RGB.
        size: the new width and height in pixels.

    Returns:
        `[size[1], size[0], 3] uint8`; the picture itself where it has that size.
    """
    h, w = image.shape[:2]
    if (w, h) == size:
        return image
    scale = min(size[0] / w, size[1] / h)
    # A side that is short by less than a pixel is of the same proportions.
    inner = tuple(
        full if full - side * scale < 1 else max(round(side * scale), 1)
        for side, full in zip((w, h), size, strict=True)
    )
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(image, inner, interpolation=method), np.uint8)
    if inner == size:
        return small
    x, y = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    whole = np.zeros((size[1], size[0], 3), np.uint8)
    whole[y : y + inner[1], x : x + inner[0]] = small
    return whole
