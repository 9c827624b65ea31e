"""Placement over time: a mark moves along with its object and otherwise only when it must."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from som_agent.history import MarkInfo
from som_agent.marks.glyphs import plate_sizes
from som_agent.marks.placement import Placement, place
from som_agent.marks.style import MarkStyle
from som_agent.regions import FloatArray, Regions

__all__ = ["SteadyPlacer"]


@dataclass(frozen=True)
class _Spot:
    """Where a mark was: its anchor, its label's offset from it and size, and its object's centre."""

    anchor: FloatArray
    offset: FloatArray
    choice: int
    center: FloatArray


class SteadyPlacer:
    """Places the marks of one frame after another."""

    def __init__(self, style: MarkStyle) -> None:
        self.style = style
        self._spots: dict[int, _Spot] = {}

    def place(
        self, marks: Sequence[MarkInfo], regions: Regions, centers: FloatArray, size: tuple[int, int]
    ) -> Placement:
        """Place the marks of the next frame.

        Args:
            marks: the marks to draw.
            regions: their regions, in the same order.
            centers: their centroids x, y, `[n, 2] float32`, in pixels of the regions' picture.
            size: width and height of the picture that will be drawn on: it sets the labels' size.

        Returns:
            Places in pixels of the regions' picture.
        """
        h, w = regions.atoms.shape
        previous = np.full((len(marks), 2), np.nan, np.float32)
        offsets = previous.copy()
        choices = np.zeros(len(marks), np.int32)
        for k, mark in enumerate(marks):
            spot = self._spots.get(mark.mark)
            if spot is not None:
                previous[k] = spot.anchor + centers[k] - spot.center
                offsets[k] = spot.offset
                choices[k] = spot.choice
        sizes = plate_sizes([mark.label for mark in marks], self.style, size, (w, h))
        placement = place(regions.visible(), sizes, previous, offsets, choices)
        self._spots = {
            mark.mark: _Spot(
                placement.anchors[k], placement.offsets[k], int(placement.choices[k]), centers[k]
            )
            for k, mark in enumerate(marks)
            if np.isfinite(placement.centers[k]).all()
        }
        return placement
