"""Marks against true objects over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from som_agent.evaluation.contingency import Contingency, contingency
from som_agent.regions import Regions

__all__ = ["MATCH_IOU", "Found", "Match"]

MATCH_IOU = 0.5
"""Mean overlap from which a mark is said to lie on an object."""

Interval = tuple[float, float]
_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Found:
    """How well one object was found.

    Attributes:
        object: its label in the truth.
        frames: frames in which it shows.
        mark: the single mark that fits it best over the whole video; 0 for none.
        jaccard: mean overlap (intersection over union) of that mark, 0 to 1.
        any_mark: mean over the object's frames of the best overlap that any mark has there: what would be
            reached if numbers never had to stay.
        marks: how many marks fit it best in one frame or another; 1 is a number that stayed.
    """

    object: int
    frames: int
    mark: int
    jaccard: float
    any_mark: float
    marks: int


@dataclass(frozen=True)
class _Look:
    """One frame: overlap of each visible mark with each object, `[M, N]`, and which objects show, `[N]`."""

    time: float
    marks: tuple[int, ...]
    ious: _Floats
    shows: _Bools


@dataclass(frozen=True)
class _Table:
    """All frames: each mark's overlaps `[F, N]` and sights `[F]`, the objects' sights `[F, N]`."""

    times: _Floats
    ious: dict[int, _Floats]
    seen: dict[int, _Bools]
    shows: _Bools

    def frames(self, within: Sequence[Interval] | None) -> _Bools:
        """Which frames lie within the times, `[F] bool`."""
        inside = np.full(len(self.times), within is None)
        for a, b in within or ():
            inside |= (self.times >= a - 1e-6) & (self.times <= b + 1e-6)
        return inside


class Match:
    """How the marks of a video lie on its true objects; takes one frame at a time and keeps no masks.

    Args:
        objects: the labels of the true objects, each above 0.
    """

    def __init__(self, objects: Sequence[int]) -> None:
        self.objects = tuple(objects)
        self._looks: list[_Look] = []

    def add(
        self, time: float, marks: Sequence[int], regions: Regions, truth: npt.NDArray[np.integer]
    ) -> None:
        """Take the next frame.

        Args:
            time: seconds.
            marks: the marks that are visible.
            regions: their regions, in the same order; they may overlap, or be empty.
            truth: true object of each pixel, `[h, w]`, of the regions' size; labels that are not among the
                objects count as background.
        """
        self.take(time, contingency(marks, regions, truth, self.objects))

    def take(self, time: float, seen: Contingency) -> None:
        """Take the next frame, whose pixels are counted already.

        Args:
            time: seconds.
            seen: its marks against the objects that this was made for.
        """
        self._looks.append(_Look(time, seen.marks, seen.ious, seen.object_areas > 0))
        self.__dict__.pop("_table", None)

    @property
    def marks(self) -> list[int]:
        """Every mark seen, ascending."""
        return sorted({mark for look in self._looks for mark in look.marks})

    def iou(self, mark: int, obj: int, within: Sequence[Interval] | None = None) -> float:
        """Mean overlap over the frames in which the mark or the object shows, 0 to 1; 0 where neither does.

        Args:
            mark: a mark.
            obj: one of the objects.
            within: seconds, both ends included; None for the whole video.
        """
        table = self._table
        if mark not in table.seen:
            return 0.0
        k = self.objects.index(obj)
        frames = table.frames(within) & (table.seen[mark] | table.shows[:, k])
        return float(table.ious[mark][frames, k].mean()) if frames.any() else 0.0

    def object_of(self, mark: int, within: Sequence[Interval] | None = None) -> int:
        """The object that a mark lies on while it shows, 0 for none.

        Only the mark's own frames count, so that the second number of an object that was lost lies on it as
        well as the first. Where the mark does not show within the times, all its frames count.

        Args:
            mark: a mark.
            within: seconds, both ends included; None for the whole video.
        """
        table = self._table
        if mark not in table.seen or not self.objects:
            return 0
        frames = table.frames(within) & table.seen[mark]
        mean = table.ious[mark][frames if frames.any() else table.seen[mark]].mean(axis=0)
        best = int(mean.argmax())
        return self.objects[best] if mean[best] >= MATCH_IOU else 0

    def found(self) -> list[Found]:
        """How well each object was found, in their order."""
        return [self._found(k, obj) for k, obj in enumerate(self.objects)]

    def _found(self, k: int, obj: int) -> Found:
        table, marks = self._table, [0, *self.marks]
        whole = [self.iou(mark, obj) for mark in marks]
        best = int(np.argmax(whole))
        # Mark 0 overlaps nothing: it holds the object where no other mark touches it.
        shows = table.shows[:, k]
        own = np.array([np.zeros(shows.sum()), *(table.ious[mark][shows, k] for mark in marks[1:])])
        holders = {marks[row] for row in own.argmax(axis=0)} - {0}
        return Found(
            object=obj,
            frames=int(shows.sum()),
            mark=marks[best],
            jaccard=whole[best],
            any_mark=float(own.max(axis=0).mean()) if shows.any() else 0.0,
            marks=len(holders),
        )

    @cached_property
    def _table(self) -> _Table:
        count, n = len(self._looks), len(self.objects)
        ious = {mark: np.zeros((count, n)) for mark in self.marks}
        seen = {mark: np.zeros(count, bool) for mark in ious}
        for f, look in enumerate(self._looks):
            for mark, row in zip(look.marks, look.ious, strict=True):
                ious[mark][f], seen[mark][f] = row, True
        return _Table(
            times=np.array([look.time for look in self._looks], np.float64),
            ious=ious,
            seen=seen,
            shows=np.array([look.shows for look in self._looks], bool).reshape(count, n),
        )
