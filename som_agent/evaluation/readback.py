"""Are marks read? An OCR that knows nothing of them reads each from the picture that a model is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from som_agent.errors import MissingExtraError
from som_agent.evaluation.photos import Photo, photos
from som_agent.evaluation.published import draw_published
from som_agent.marks import MarkStyle, draw_marks, place, plate_sizes
from som_agent.marks.placement import Box
from som_agent.video.frame import Image

__all__ = ["Read", "readback_scores"]

AROUND_PX = 8
"""The OCR sees a label with this much of the picture around it."""
ENLARGED = 3
PUBLISHED_PX = 640
"""Long side at which the published rules draw; their picture is brought to the model's size afterwards."""

Reader = Callable[[Image], str]
Drawing = tuple[Image, list[Box | None]]


@dataclass(frozen=True)
class Read:
    """How many marks were read.

    Attributes:
        drawn: by which rules.
        long_px: long side of the picture.
        marks: how many there are.
        read: share found and read in a crop of the picture around the label, as exactly the label.
        plate_alone: share read from the label alone.
        misread: most frequent mistakes.
    """

    drawn: str
    long_px: int
    marks: int
    read: float
    plate_alone: float
    misread: str


def readback_scores(folder: Path, sides: Sequence[int], most: int = 12) -> list[Read]:
    """Mark the `most` largest regions of each photo at each long side, by our and by the published rules.

    Raises:
        InputError: no photos with masks.
        MissingExtraError: no OCR, or no matplotlib.
    """
    find, recognize = _readers()
    pictures = photos(folder, most)
    scores = []
    for long_px in sides:
        for name, draw in (("som-agent", _ours), ("published rules", _published)):
            found, alone, count, mistakes = 0, 0, 0, dict[str, int]()
            for photo in pictures:
                picture, plates = draw(photo, long_px)
                for info, plate in zip(photo.infos, plates, strict=True):
                    count += 1
                    text = find(_crop(picture, plate, AROUND_PX)) if plate else ""
                    found += text == info.label
                    alone += bool(plate) and recognize(_crop(picture, plate, 0)) == info.label
                    if text != info.label:
                        mistake = f"{info.label} as {text}" if text else f"{info.label} not"
                        mistakes[mistake] = mistakes.get(mistake, 0) + 1
            worst = sorted(mistakes, key=lambda mistake: -mistakes[mistake])[:4]
            scores.append(Read(name, long_px, count, found / count, alone / count, ", ".join(worst)))
    return scores


def _ours(photo: Photo, long_px: int) -> Drawing:
    seen = photo.at(long_px)
    style = MarkStyle()
    size = seen.labels.shape[1], seen.labels.shape[0]
    placement = place(seen.labels, plate_sizes([info.label for info in seen.infos], style, size))
    return draw_marks(seen.image, seen.labels, seen.infos, placement, style)


def _published(photo: Photo, long_px: int) -> Drawing:
    drawn_at = photo.at(PUBLISHED_PX)
    masks = np.stack([drawn_at.labels == k + 1 for k in range(len(photo.infos))])
    picture, boxes = draw_published(drawn_at.image, masks, photo.infos)
    scale = long_px / PUBLISHED_PX
    size = photo.at(long_px).labels.shape[::-1]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    shown = np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)
    return shown, [
        (int(x0 * scale), int(y0 * scale), int(np.ceil(x1 * scale)), int(np.ceil(y1 * scale)))
        for x0, y0, x1, y1 in boxes
    ]


def _crop(picture: Image, box: Box | None, around: int) -> Image:
    assert box is not None
    h, w = picture.shape[:2]
    x0, y0, x1, y1 = box
    crop = picture[max(0, y0 - around) : min(h, y1 + around), max(0, x0 - around) : min(w, x1 + around)]
    return np.asarray(
        cv2.resize(crop, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC), np.uint8
    )


def _readers() -> tuple[Reader, Reader]:
    """One that finds text and reads it, one that reads a picture of text."""
    try:
        from rapidocr_onnxruntime import RapidOCR
    except ImportError as error:
        raise MissingExtraError("reading marks back", "dev") from error
    ocr: Any = RapidOCR()

    def find(picture: Image) -> str:
        lines, _ = ocr(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), use_cls=False)
        return "".join(line[1] for line in lines or []).strip()

    def recognize(picture: Image) -> str:
        lines, _ = ocr(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), use_det=False, use_cls=False, use_rec=True)
        return str(lines[0][0]).strip() if lines else ""

    return find, recognize
