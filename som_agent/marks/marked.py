"""A frame with its marks: the picture, what is drawn on it, and the masks behind the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from som_agent.errors import InputError
from som_agent.history import MarkInfo
from som_agent.marks.draw import draw_marks
from som_agent.marks.glyphs import plate_sizes
from som_agent.marks.mark import Mark
from som_agent.marks.placement import Box, Placement, place, plate_box
from som_agent.marks.style import MarkStyle
from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.scaling import resized
from som_agent.video.frame import Frame, Image

__all__ = ["MarkedFrame"]


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
    """

    frame: Frame
    infos: list[MarkInfo]
    scores: FloatArray
    regions: Regions
    drawn: list[int]
    placement: Placement
    style: MarkStyle
    unmarked: int = 0

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
        sizes = plate_sizes([info.label for info in self.infos], self.style, self.size)
        with_label = "mark" in self.style.draw
        plates: list[Box | None] = [
            plate_box(center * self._scale, sizes[k]) if with_label and np.isfinite(center).all() else None
            for k, center in zip(self.drawn, self.placement.centers, strict=True)
        ]
        return self._list(self.placement, plates)

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

    def look(self, long_side_px: int) -> tuple[Image, list[Mark]]:
        """The marks drawn for a model that sees the picture at `long_side_px`.

        The frame is brought to that size first and the marks are placed and drawn there, so that they are
        not shrunk away.

        Returns:
            The picture `[h, w, 3] uint8` RGB, and the marks with their `plate` in its pixels.
        """
        if long_side_px < 16:
            raise InputError(f"a picture of {long_side_px} px is too small to draw marks on; 16 px or more")
        w, h = self.size
        scale = long_side_px / max(w, h)
        size = (max(round(w * scale), 1), max(round(h * scale), 1))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        picture = np.asarray(cv2.resize(self.frame.image, size, interpolation=method), dtype=np.uint8)
        visible = resized(self.regions, size).select(self.drawn).visible()
        infos = [self.infos[k] for k in self.drawn]
        placement = place(visible, plate_sizes([info.label for info in infos], self.style, size))
        drawn, plates = draw_marks(picture, visible, infos, placement, self.style)
        small = self.regions.atoms.shape[::-1]
        return drawn, self._list(placement.scaled(small[0] / size[0], small[1] / size[1]), plates)

    @property
    def _scale(self) -> FloatArray:
        """From the processed size to the source's, x and y."""
        h, w = self.regions.atoms.shape
        return np.array([self.size[0] / w, self.size[1] / h], np.float32)

    def _list(self, placement: Placement, plates: Sequence[Box | None]) -> list[Mark]:
        """The marks with their places; `placement` in pixels of the processed size."""
        sx, sy = (float(v) for v in self._scale)
        row_of = {k: row for row, k in enumerate(self.drawn)}
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
                    reason="over the budget of marks" if row is None else placement.reason(row),
                    score=float(self.scores[k]),
                )
            )
        return marks

    def _some_pixel(self, k: int) -> FloatArray:
        """The middle of a pixel of region `k`: an anchor where nothing is drawn."""
        pixels = np.argwhere(self.regions.crop(k))
        y, x = pixels[len(pixels) // 2]
        return np.asarray(self.regions.boxes[k][:2] + np.array([x + 0.5, y + 0.5]), dtype=np.float32)
