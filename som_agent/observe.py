"""From a marked frame to observations: the rows of a session's memory and of `tracks.parquet`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from som_agent.colors import color_counts
from som_agent.history import GONE, OCCLUDED, VISIBLE, Observation
from som_agent.marks.marked import MarkedFrame
from som_agent.regions import Regions
from som_agent.video.frame import Image
from som_kernels import encode_rle

__all__ = ["Observer"]

_NOBODY: Mapping[int, int] = MappingProxyType({})


class Observer:
    """Describes each mark of each frame; what is not seen is described as it was seen last."""

    def __init__(self) -> None:
        self._last: dict[int, Observation] = {}

    def observe(
        self,
        marked: MarkedFrame,
        image: Image,
        *,
        occluded: list[int],
        gone: list[int],
        hidden_by: Mapping[int, int] = _NOBODY,
    ) -> list[Observation]:
        """The observations of one frame.

        Args:
            marked: the frame and its marks.
            image: the picture that was processed, `[h, w, 3] uint8` RGB of the regions' size.
            occluded: marks that are not seen now and may come back.
            gone: marks given up in this frame; they are described once and forgotten.
            hidden_by: occluded mark → the mark that hides it, where that is known.
        """
        regions = marked.regions
        rles = encode_rle(regions.packed())
        shares = _color_shares(regions, image)
        rows = []
        for k, mark in enumerate(marked.marks):
            row = Observation(
                mark=mark.mark,
                frame=marked.index,
                time=marked.time,
                state=VISIBLE,
                box=mark.box,
                area=mark.area,
                anchor=mark.anchor,
                score=mark.score,
                colors=shares[k].tobytes(),
                rle=rles[k],
            )
            self._last[mark.mark] = row
            rows.append(row)
        for state, marks in ((OCCLUDED, occluded), (GONE, gone)):
            for mark_id in marks:
                row = replace(
                    self._last[mark_id], frame=marked.index, time=marked.time, state=state, score=0.0, rle=""
                )
                hider = hidden_by.get(mark_id, 0) if state == OCCLUDED else 0
                rows.append(replace(row, hidden_by=hider))
        for mark_id in gone:
            del self._last[mark_id]
        return rows


def _color_shares(regions: Regions, image: Image) -> npt.NDArray[np.uint8]:
    """Percent of each region's pixels that each basic colour term names, `[N, 11] uint8`."""
    counts = regions.members.astype(np.float64) @ color_counts(regions.atoms, regions.members.shape[1], image)
    return np.asarray(np.rint(100 * counts / np.maximum(regions.areas, 1)[:, None]), dtype=np.uint8)
