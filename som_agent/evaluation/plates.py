"""Label plates found in a picture by its pixels alone: flat rectangles of a strong colour, with ink on them.

Nothing here knows which marks were drawn, where, or in which colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.marks.palette import oklab
from som_agent.marks.placement import Box
from som_agent.regions import BoolArray
from som_agent.video.frame import Image

__all__ = ["Plate", "find_plates", "near_color"]

_FLAT = 24  # levels between the pixels of a 3 × 3 patch that is one colour, after JPEG
_STRONG, _BRIGHT = 0.1, 0.5  # chroma and lightness in OKLab of a colour that no one takes for grey or dark
_SAME = 40  # levels from a plate's colour, in each channel: JPEG, and the softer edge of a digit
_LEAST_GLYPH_PX = 6
_MOST_GLYPH = 0.06  # of the long side

_Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Plate:
    """A plain rectangle with something written on it.

    Attributes:
        box: x0, y0, x1, y1 in pixels of the picture.
        color: of the rectangle, RGB 0 to 255.
    """

    box: Box
    color: tuple[int, int, int]


def near_color(picture: Image, color: Sequence[int], levels: int = _SAME) -> BoolArray:
    """Pixels of a colour, `[H, W] bool`: none of their channels is farther from it than `levels`."""
    low, high = (tuple(min(max(c + side * levels, 0), 255) for c in color) for side in (-1, 1))
    return np.asarray(cv2.inRange(picture, low, high) > 0)


def find_plates(picture: Image) -> list[Plate]:
    """The label plates of a picture `[H, W, 3] uint8` RGB, and perhaps other things that look like one.

    A digit is a hole in a patch of one strong colour, filled with black or white. Where such holes stand in a
    row, the patch around them is grown to its edges.
    """
    found: list[Plate] = []
    for color in _flat_colors(picture):
        near = near_color(picture, color)
        for ink in _rows(_ink_boxes(picture, near, color)):
            plate = _around(picture, near, ink)
            if plate is not None:
                found.append(plate)
    # Of what shares a place the largest is the whole plate; others have a part of its digits.
    found.sort(key=lambda plate: -_area(plate.box))
    return [
        plate for k, plate in enumerate(found) if not any(_same(plate.box, other.box) for other in found[:k])
    ]


def _around(picture: Image, near: BoolArray, ink: Box) -> Plate | None:
    """The plate of some ink, in its own colour: that by which it was found may be another's like it."""
    box = _grown(near, ink)
    if box is None:
        return None
    part = slice(box[1], box[3]), slice(box[0], box[2])
    r, g, b = (round(float(v)) for v in np.median(picture[part][near[part]], axis=0))
    box = _grown(near_color(picture, (r, g, b)), ink)
    return None if box is None else Plate(box, (r, g, b))


def _flat_colors(picture: Image) -> list[tuple[int, int, int]]:
    """Strong colours of which there is a flat patch no larger than a plate."""
    kernel = np.ones((3, 3), np.uint8)
    spread = cv2.dilate(picture, kernel).astype(np.int16) - cv2.erode(picture, kernel)
    flat = spread.max(axis=2) <= _FLAT
    count, patches, stats, _ = cv2.connectedComponentsWithStats(flat.astype(np.uint8), connectivity=4)
    sizes = stats[:, cv2.CC_STAT_AREA]
    most = 2 * max(_MOST_GLYPH * max(flat.shape), 3.0 * _LEAST_GLYPH_PX)
    sums = [np.bincount(patches.ravel(), picture[..., c].ravel(), minlength=count) for c in range(3)]
    means = np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, None]
    lab = oklab(means)
    strong = (
        (np.hypot(lab[:, 1], lab[:, 2]) >= _STRONG)
        & (lab[:, 0] >= _BRIGHT)
        & (sizes >= 4)
        & (sizes <= most**2)
    )
    strong[0] = False
    colors: list[tuple[int, int, int]] = []
    for k in np.flatnonzero(strong)[np.argsort(-sizes[strong], kind="stable")]:
        r, g, b = (round(float(v)) for v in means[k])
        if all(max(abs(r - x), abs(g - y), abs(b - z)) > 8 for x, y, z in colors):
            colors.append((r, g, b))
    return colors


def _ink_boxes(picture: Image, near: BoolArray, color: tuple[int, int, int]) -> Iterator[Box]:
    """What is enclosed by a colour, as high as a digit, and black or white in the middle."""
    h, w = near.shape
    count, holes, stats, _ = cv2.connectedComponentsWithStats((~near).astype(np.uint8), connectivity=4)
    del count
    most = max(_MOST_GLYPH * max(h, w), 3.0 * _LEAST_GLYPH_PX)
    x0, y0, wide, high = (stats[:, k] for k in range(4))
    fits = (high >= _LEAST_GLYPH_PX) & (high <= most) & (wide <= 3 * high) & (wide >= 2)
    fits &= (x0 > 0) & (y0 > 0) & (x0 + wide < w) & (y0 + high < h)
    for k in np.flatnonzero(fits):
        part = slice(y0[k], y0[k] + high[k]), slice(x0[k], x0[k] + wide[k])
        if _is_ink(picture[part][holes[part] == k], color):
            yield int(x0[k]), int(y0[k]), int(x0[k] + wide[k]), int(y0[k] + high[k])


def _is_ink(pixels: npt.NDArray[np.uint8], color: tuple[int, int, int]) -> bool:
    """Whether pixels `[n, 3]` lie between a colour and black or white, and some of them near its far end."""
    ground = np.array(color, np.float64)
    for ink in (np.zeros(3), np.full(3, 255.0)):
        way = ink - ground
        offset = pixels - ground
        share = offset @ way / (way @ way)
        aside = np.linalg.norm(offset - share[:, None] * way, axis=1)
        if np.quantile(share, 0.85) >= 0.6 and np.quantile(aside, 0.85) <= _SAME:
            return True
    return False


def _rows(boxes: Iterator[Box]) -> Iterator[Box]:
    """Boxes around digits that stand side by side, and around fewer of them.

    What a contour encloses beside a plate may look like a digit, too: parts of a row come after the whole.
    """
    rows: list[list[Box]] = []
    for box in sorted(boxes):
        for row in rows:
            high = max(box[3] - box[1], row[-1][3] - row[-1][1])
            shared = min(box[3], row[-1][3]) - max(box[1], row[-1][1])
            if shared >= 0.75 * high and box[0] - row[-1][2] <= 0.5 * high:
                row.append(box)
                break
        else:
            rows.append([box])
    for row in rows:
        for count in range(len(row), 0, -1):
            for start in range(len(row) - count + 1):
                x0, y0, x1, y1 = np.array(row[start : start + count]).T
                yield int(x0.min()), int(y0.min()), int(x1.max()), int(y1.max())


def _grown(near: BoolArray, ink: Box) -> Box | None:
    """The rectangle of a colour around some ink; None where it is no wider or no higher than the ink."""
    x0, y0, x1, y1 = ink
    h, w = near.shape
    reach = y1 - y0
    left, right = max(x0 - reach, 0), min(x1 + reach, w)
    top, bottom = max(y0 - reach, 0), min(y1 + reach, h)
    while x0 > left and near[y0:y1, x0 - 1].mean() >= 0.9:
        x0 -= 1
    while x1 < right and near[y0:y1, x1].mean() >= 0.9:
        x1 += 1
    while y0 > top and near[y0 - 1, x0:x1].mean() >= 0.9:
        y0 -= 1
    while y1 < bottom and near[y1, x0:x1].mean() >= 0.9:
        y1 += 1
    pads = ink[0] - x0, ink[1] - y0, x1 - ink[2], y1 - ink[3]
    return (x0, y0, x1, y1) if min(pads) >= 1 else None


def _same(a: Box, b: Box) -> bool:
    """Whether two boxes are of one plate: most of the smaller lies in the other."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return wide > 0 and high > 0 and wide * high > 0.5 * min(_area(a), _area(b))


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
