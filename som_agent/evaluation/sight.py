"""What can be read in one marked picture, and which of it belongs to an object of a known outline."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.errors import MissingExtraError
from som_agent.evaluation.plates import Plate, find_plates
from som_agent.regions import BoolArray
from som_agent.video.frame import Image

__all__ = ["ENOUGH", "Label", "Reader", "load_reader", "outline_at", "read_labels", "worths"]

ENOUGH = 0.3
"""Worth of a label, see `worths`, below which it is not taken for the object's."""

Reader = Callable[[Image], str]

_ENLARGED = 3
_ON_IT = 0.4  # what it is worth that a label lies on the object; the contour all around it is worth 1
_LED_TO, _LED_UNDER = 0.6, 0.5  # and that a line leads from it to the object, its end seen or not
_SAME = 40  # levels in each channel from a plate's colour to that of its contour
_ALIKE = 24  # levels that a pixel may be farther from one colour than from another and still be of either
_FEET = 120  # points of an object at which the line's end is looked for
_STEPS = 64  # points of a line that are looked at

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Label:
    """A plate and what an OCR reads on it, a number."""

    text: str
    plate: Plate


@cache
def load_reader() -> Reader:
    """An OCR for pictures of one line, loaded once.

    Raises:
        MissingExtraError: RapidOCR is not installed.
    """
    try:
        from rapidocr_onnxruntime import RapidOCR
    except ImportError as error:
        raise MissingExtraError("reading marks back", "dev") from error
    ocr: Any = RapidOCR()

    def read(picture: Image) -> str:
        lines, _ = ocr(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), use_det=False, use_cls=False, use_rec=True)
        return str(lines[0][0]) if lines else ""

    return read


def read_labels(picture: Image, read: Reader) -> list[Label]:
    """The numbers on the plates of a picture `[H, W, 3] uint8` RGB; what is read otherwise is left out."""
    labels = []
    for plate in find_plates(picture):
        x0, y0, x1, y1 = plate.box
        crop = cv2.resize(
            picture[y0:y1, x0:x1], None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_CUBIC
        )
        text = re.sub(r"^\W+|\W+$", "", read(np.asarray(crop, np.uint8)))  # "1." is a 1
        if re.fullmatch(r"[0-9]+", text):
            labels.append(Label(text, plate))
    return labels


def outline_at(outline: BoolArray, size: tuple[int, int]) -> BoolArray:
    """An object `[H, W] bool` in a picture of another width and height; it keeps a pixel at least."""
    method = cv2.INTER_AREA if size[0] < outline.shape[1] else cv2.INTER_LINEAR
    covered = cv2.resize(outline.astype(np.float32), size, interpolation=method)
    return np.asarray((covered > 0) & (covered >= min(0.5, float(covered.max()))))


def worths(picture: Image, labels: Sequence[Label], outline: BoolArray) -> _Floats:
    """How much speaks for each label being that of an object, `[n] float64`, 0 to 1.6.

    Three things do: the share of the object's rim that is drawn in the colour of the label's plate; 0.4 where
    the plate lies on the object; 0.6 where it does not, and a line in its colour leads from it to the object
    and ends there (0.5 where that end is under another plate). So a label beside its object is preferred to
    its neighbour's that lies on it.

    Args:
        picture: `[H, W, 3] uint8` RGB.
        labels: what was read in it.
        outline: the visible part of the object, `[H, W] bool`.
    """
    if not labels:
        return np.zeros(0)
    plates = np.zeros(outline.shape, bool)
    for label in labels:
        x0, y0, x1, y1 = label.plate.box
        plates[y0:y1, x0:x1] = True
    found = _rims(picture, labels, outline, plates)
    feet = _feet(outline)
    for k, label in enumerate(labels):
        x0, y0, x1, y1 = label.plate.box
        if outline[y0:y1, x0:x1].mean() >= 0.8:
            found[k] += _ON_IT
        else:
            found[k] += _led_to(picture, label.plate, feet, plates)
    return found


def _rims(picture: Image, labels: Sequence[Label], outline: BoolArray, plates: BoolArray) -> _Floats:
    """Share of an object's rim in the colour of each plate, `[n] float64`, 0 to 1."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inner = outline.astype(np.uint8)
    # Two pixels deep: the outline may be one beside what was drawn, and the neighbour's contour in its place.
    band = outline & (cv2.erode(inner, cross, iterations=2) == 0) & ~plates
    if not band.any():
        return np.zeros(len(labels))
    rim = int((inner > cv2.erode(inner, cross)).sum())
    colors = np.array([label.plate.color for label in labels], np.int16).reshape(-1, 1, 3)
    apart = np.abs(picture[band].astype(np.int16) - colors).max(axis=2)
    # Colours that are much alike share what is in either.
    alike = (apart <= _SAME) & (apart <= apart.min(axis=0) + _ALIKE)
    return np.asarray(np.minimum(alike.sum(axis=1) / min(rim, int(band.sum())), 1), np.float64)


def _feet(outline: BoolArray) -> _Floats:
    """Points of an object at which a line to it may end, `[F, 2] float64` x, y: of a large one only some."""
    y, x = np.nonzero(outline)
    depth = cv2.distanceTransform(np.pad(outline.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1][y, x]
    some = np.arange(0, len(x), max(1, len(x) // _FEET))
    chosen = np.union1d(some, np.argsort(-depth, kind="stable")[: _FEET // 3])
    return np.stack([x[chosen], y[chosen]], axis=1).astype(np.float64) + 0.5


def _led_to(picture: Image, plate: Plate, feet: _Floats, plates: BoolArray) -> float:
    """What it is worth that a line in a plate's colour leads from it to one of some points and ends there.

    Args:
        picture: `[H, W, 3] uint8` RGB.
        plate: where the line begins.
        feet: x, y of the points, `[F, 2]`.
        plates: pixels of all plates, `[H, W] bool`: what they cover cannot be seen, and is taken for granted
            as long as a part of the line is seen.
    """
    x0, y0, x1, y1 = plate.box
    start = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    way = feet - start
    length = np.maximum(np.linalg.norm(way, axis=1), 1e-6)
    along, across = way / length[:, None], np.stack([-way[:, 1], way[:, 0]], axis=1) / length[:, None]
    line = max(1.0, max(picture.shape[:2]) / 560)
    # How far from the start in pixels, [F, T], and a stretch beyond the end, [F, 4].
    far = np.linspace(0, 1, _STEPS) * length[:, None]
    beyond = length[:, None] + line * np.array([4.0, 5.0, 6.0, 7.0])

    def seen(distance: _Floats, aside: float) -> tuple[BoolArray, BoolArray]:
        """Whether the colour is at points, and whether they can be seen, each `[F, T] bool`."""
        points = start + distance[..., None] * along[:, None] + aside * across[:, None]
        column, row = (np.floor(points[..., k]).astype(np.int64) for k in (0, 1))
        inside = (column >= 0) & (row >= 0) & (column < picture.shape[1]) & (row < picture.shape[0])
        column, row = np.where(inside, column, 0), np.where(inside, row, 0)
        return _is_shade(picture[row, column], plate.color), inside & ~plates[row, column]

    on, visible = seen(far, 0.0)
    for aside in (-0.8, 0.8):  # it is drawn between pixels
        on |= seen(far, aside)[0]
    off = [seen(far, side * (2.5 * line + 1.5)) for side in (-1.0, 1.0)]
    after, after_visible = seen(beyond, 0.0)
    for aside in (-1.6 * line, -0.8, 0.8, 1.6 * line):  # it may lead past the point
        after |= seen(beyond, aside)[0]
    count = visible.sum(axis=1)
    on_share = (on & visible).sum(axis=1) / np.maximum(count, 1)
    off_share = np.mean([(o & v & visible).sum(axis=1) / np.maximum(count, 1) for o, v in off], axis=0)
    ends = (after & after_visible).sum(axis=1) <= 1
    seen_px = count * length / _STEPS
    led = (seen_px >= 1.5) & (on_share >= 0.9) & (on_share - off_share >= 0.5) & ends
    return float(np.max(np.where(visible[:, -1], _LED_TO, _LED_UNDER)[led], initial=0.0))


def _is_shade(pixels: npt.NDArray[np.uint8], color: tuple[int, int, int]) -> BoolArray:
    """Pixels `[..., 3]` of a colour, or between it and the black around a line: at least half of it."""
    pure = np.array(color, np.float32)
    part = np.clip(pixels @ pure / (pure @ pure), 0, 1)
    aside = np.abs(pixels - part[..., None] * pure).max(axis=-1)
    return np.asarray((part >= 0.5) & (aside <= _SAME))
