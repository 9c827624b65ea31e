"""A frame with its marks: the picture, what is drawn on it, and the masks behind the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from som_agent.errors import InputError
from som_agent.history import MarkInfo
from som_agent.marks.algebra import united
from som_agent.marks.draw import draw_marks
from som_agent.marks.glyphs import plate_sizes
from som_agent.marks.mark import Mark
from som_agent.marks.placement import Box, Placement, place, plate_box
from som_agent.marks.style import MarkStyle
from som_agent.marks.view import View
from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.scaling import resized
from som_agent.video.frame import Frame, Image

__all__ = ["Look", "MarkedFrame"]


@dataclass(frozen=True)
class Look:
    """A frame as a model is shown it.

    Attributes:
        image: the picture with its marks, `[h, w, 3] uint8` RGB.
        plain: the same picture without them, `[h, w, 3] uint8` RGB.
        marks: all marks of the frame; their `plate` is in pixels of this picture, None where not drawn in it.
    """

    image: Image
    plain: Image
    marks: list[Mark]


@dataclass(frozen=True)
class MarkedFrame:
    """One frame and its marks.

    Attributes:
        frame: the frame as the source gave it.
        infos: rows of the mark table for the marks of its visible objects, by number.
        scores: how well each object was found again, 0 to 1, `[n] float32`.
        regions: their regions, in the same order, at the size at which the frame was processed.
        drawn: indices of the marks within the budget.
        placement: where those go, in pixels of the processed size; row `i` for `infos[drawn[i]]`.
        style: how they are drawn.
        unmarked: objects seen in this frame that have no number yet: they wait for room in the budget.
        sharpness: of the processed picture, `som_agent.sharpness`; 0 where it was not measured.
    """

    frame: Frame
    infos: list[MarkInfo]
    scores: FloatArray
    regions: Regions
    drawn: list[int]
    placement: Placement
    style: MarkStyle
    unmarked: int = 0
    sharpness: float = 0.0

    def __repr__(self) -> str:
        labels = " ".join(self.infos[k].label for k in self.drawn)
        return f"MarkedFrame({self.frame!r}, marks {labels or 'none'})"

    @property
    def index(self) -> int:
        """The source's number of the frame."""
        return self.frame.index

    @property
    def time(self) -> float:
        """Seconds from the start of the source."""
        return self.frame.time

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the source frame."""
        return self.frame.image.shape[1], self.frame.image.shape[0]

    @cached_property
    def source_regions(self) -> Regions:
        """The regions at the size of the source frame."""
        return resized(self.regions, self.size)

    @cached_property
    def marks(self) -> list[Mark]:
        """The marks by number, in source pixels; `plate` is for the picture at the source's size."""
        sizes = plate_sizes([self.infos[k].label for k in self.drawn], self.style, self.size)
        plates: list[Box | None] = [None] * len(self.drawn)
        if "mark" in self.style.draw:
            for row, center in enumerate(self.placement.centers * self._scale):
                if np.isfinite(center).all():
                    plates[row] = plate_box(center, sizes[row, self.placement.choices[row]])
        return self._list(self.drawn, self.placement, plates)

    @cached_property
    def image(self) -> Image:
        """The marked picture at the source's size, `[H, W, 3] uint8` RGB."""
        picture, _ = draw_marks(
            self.frame.image,
            self.source_regions.select(self.drawn).visible(),
            [self.infos[k] for k in self.drawn],
            self.placement.scaled(*self._scale),
            self.style,
        )
        return picture

    def mask(self, mark: int) -> BoolArray:
        """The mask of a mark, `[H, W] bool` at the source's size.

        Raises:
            InputError: the mark is not in this frame.
        """
        for k, info in enumerate(self.infos):
            if info.mark == mark:
                return self.source_regions.mask(k)
        here = ", ".join(str(info.mark) for info in self.infos) or "none"
        raise InputError(f"mark {mark} is not visible in frame {self.index}; visible marks: {here}")

    def look(self, view: View | int, marks: Sequence[int] | None = None) -> Look:
        """The marks drawn for a model that sees the picture in this view.

        The frame is brought to the size at which the model looks first, and the marks are placed and drawn
        there, so that they are not shrunk away.

        Args:
            view: how the model sees pictures, or the pixels of the long side.
            marks: the marks to draw, those not in this frame are left out; None draws those in the budget.

        Raises:
            InputError: fewer than 16 pixels.
        """
        size = (View.of_side(view) if isinstance(view, int) else view).size(self.size)
        method = cv2.INTER_AREA if size[0] < self.size[0] else cv2.INTER_CUBIC
        plain = np.asarray(cv2.resize(self.frame.image, size, interpolation=method), dtype=np.uint8)
        drawn = self.drawn
        if marks is not None:
            wanted = set(marks)
            drawn = [k for k, info in enumerate(self.infos) if info.mark in wanted]
        visible = resized(self.regions, size).select(drawn).visible()
        infos = [self.infos[k] for k in drawn]
        placement = place(visible, plate_sizes([info.label for info in infos], self.style, size))
        image, plates = draw_marks(plain, visible, infos, placement, self.style)
        small = self.regions.atoms.shape[::-1]
        seen = placement.scaled(small[0] / size[0], small[1] / size[1])
        return Look(image, plain, self._list(drawn, seen, plates))

    @property
    def _scale(self) -> FloatArray:
        """From the processed size to the source's, x and y."""
        h, w = self.regions.atoms.shape
        return np.array([self.size[0] / w, self.size[1] / h], np.float32)

    def _list(self, drawn: Sequence[int], placement: Placement, plates: Sequence[Box | None]) -> list[Mark]:
        """All marks with their places; `placement`, of those `drawn`, in pixels of the processed size."""
        sx, sy = (float(v) for v in self._scale)
        row_of = {k: row for row, k in enumerate(drawn)}
        left_out = "over the budget of marks" if drawn is self.drawn else "not drawn in this picture"
        part_of = united(self.infos)
        marks = []
        for k, info in enumerate(self.infos):
            row = row_of.get(k)
            x0, y0, x1, y1 = (float(v) for v in self.regions.boxes[k])
            anchor = None if row is None else placement.anchors[row]
            if anchor is None or not np.isfinite(anchor).all():
                anchor = self._some_pixel(k)
            plate = None if row is None else plates[row]
            marks.append(
                Mark(
                    mark=info.mark,
                    label=info.label,
                    color=info.color,
                    anchor=(float(anchor[0]) * sx, float(anchor[1]) * sy),
                    plate=plate,
                    box=(x0 * sx, y0 * sy, x1 * sx, y1 * sy),
                    area=max(round(float(self.regions.areas[k]) * sx * sy), 1),
                    shown=row is not None and (plate is not None or "mark" not in self.style.draw),
                    reason=placement.reason(row)
                    if row is not None
                    else f"drawn as a part of {part_of[info.label]}"
                    if info.label in part_of
                    else left_out,
                    score=float(self.scores[k]),
                )
            )
        return marks

    def _some_pixel(self, k: int) -> FloatArray:
        """The middle of a pixel of region `k`: an anchor where nothing is drawn."""
        pixels = np.argwhere(self.regions.crop(k))
        y, x = pixels[len(pixels) // 2]
        return np.asarray(self.regions.boxes[k][:2] + np.array([x + 0.5, y + 0.5]), dtype=np.float32)
