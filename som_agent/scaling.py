"""Between the size at which frames are processed and the size of the source."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.regions import IntArray, Regions
from som_agent.video.frame import Image

__all__ = ["fit", "resize_labels", "resized"]

_Labels = npt.NDArray[Any]
_HEAD, _TAIL = slice(None, -1), slice(1, None)


def fit(image: Image, long_side_px: int) -> Image:
    """Shrink a picture `[H, W, 3]` to `long_side_px` on its long side; smaller ones stay as they are."""
    h, w = image.shape[:2]
    scale = long_side_px / max(h, w)
    if scale >= 1:
        return image
    size = (max(round(w * scale), 1), max(round(h * scale), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def resized(regions: Regions, size: tuple[int, int]) -> Regions:
    """The same regions in a picture of another size (width, height).

    Enlarged outlines are smooth. A region that a smaller picture has no pixel for is empty there.
    """
    return Regions.from_atoms(
        resize_labels(regions.atoms, size),
        regions.members,
        scores=regions.scores,
        levels=regions.levels,
        parents=regions.parents,
        proposed=regions.proposed,
    )


def resize_labels(visible: IntArray, size: tuple[int, int]) -> IntArray:
    """A label map at another size, with smooth outlines where it grows.

    Args:
        visible: `[h, w] int32`, values from 0 to 65535.
        size: the new width and height.

    Returns:
        `[size[1], size[0]] int32`. Every pixel has a value that the map has within a few pixels of it.
    """
    h, w = visible.shape
    if (w, h) == size:
        return visible
    if visible.size == 0 or size[0] <= w or size[1] <= h:
        return np.asarray(cv2.resize(visible, size, interpolation=cv2.INTER_NEAREST), np.int32)
    labels: _Labels = visible.astype(np.uint8 if visible.max(initial=0) < 256 else np.uint16)
    large = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    # The median of labels is a majority vote wherever only two regions meet: it rounds the stairs of enlarged
    # pixels. It would also eat lines of one pixel, so those keep theirs.
    smooth = cv2.medianBlur(large, 5) if size[0] >= 2 * w else large
    smooth = cv2.medianBlur(smooth, 5 if size[0] >= 2 * w else 3)
    cv2.copyTo(large, cv2.resize(_thin(labels), size, interpolation=cv2.INTER_NEAREST), smooth)
    # Nor may a speck vanish: whoever asks for its box would find none.
    while (lost := _present(large) & ~_present(smooth)).any():
        cv2.copyTo(large, lost[large].view(np.uint8), smooth)
    return smooth.astype(np.int32)


def _present(labels: _Labels) -> npt.NDArray[np.bool_]:
    """Which values a map has, `[256 or 65536] bool`."""
    values = 1 << 8 * labels.itemsize
    return np.asarray(cv2.calcHist([labels], [0], None, [values], [0, values]), np.float32).ravel() > 0


def _thin(labels: _Labels) -> npt.NDArray[np.uint8]:
    """1 on regions' lines of one pixel's width, but not on the teeth of a jagged edge, `[h, w] uint8`."""
    same_x, same_y = labels[:, 1:] == labels[:, :-1], labels[1:] == labels[:-1]
    square = same_x[1:] & same_x[:-1] & same_y[:, 1:] & same_y[:, :-1]
    solid = np.zeros(labels.shape, bool)  # in a square of 2 × 2 of its region
    for rows, cols in ((_HEAD, _HEAD), (_HEAD, _TAIL), (_TAIL, _HEAD), (_TAIL, _TAIL)):
        solid[rows, cols] |= square
    # A tooth is one pixel that touches the solid part; a line goes on for more.
    tooth = solid.copy()
    tooth[:, 1:] |= same_x & solid[:, :-1]
    tooth[:, :-1] |= same_x & solid[:, 1:]
    tooth[1:] |= same_y & solid[:-1]
    tooth[:-1] |= same_y & solid[1:]
    line = cv2.dilate((~tooth & (labels > 0)).view(np.uint8), np.ones((3, 3), np.uint8))
    lone: npt.NDArray[np.uint8] = (~solid & (labels > 0)).view(np.uint8)
    return lone & np.asarray(line, np.uint8)
