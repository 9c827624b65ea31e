"""The mark table: which track has which number, and which numbers are drawn in this frame."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from som_agent.history import MarkInfo
from som_agent.marks.labels import Scheme, label_of
from som_agent.marks.palette import color_of
from som_agent.tracking.tracks import Tracked

__all__ = ["Choice", "MarkBook"]

CHALLENGE = 4.0
"""A mark gives up its place among the drawn ones only to an object this many times larger."""


@dataclass(frozen=True)
class Choice:
    """The marks of one frame.

    Attributes:
        marks: rows of the mark table.
        rows: for each mark its row in the tracked regions, `[n]`.
        drawn: for each mark whether it is within the budget.
        unmarked: tracks in this frame that have no number yet, because there was no room to draw it.
    """

    marks: list[MarkInfo]
    rows: list[int]
    drawn: list[bool]
    unmarked: int


class MarkBook:
    """Gives numbers to tracks, for good.

    All tracks of the first frame are numbered at once, the largest first; a newcomer gets its number when
    there is room to draw it. A number once given is never given again.

    Args:
        max_marks: marks drawn at once, at least 1.
        labels: numbers or letters.
    """

    def __init__(self, max_marks: int, labels: Scheme = "numbers") -> None:
        self.max_marks = max_marks
        self.labels = labels
        self.table: dict[int, MarkInfo] = {}
        self._mark_of: dict[int, int] = {}  # track -> mark
        self._drawn: set[int] = set()  # tracks drawn in the frame before
        self._next = 1

    def marks_of(self, tracks: Sequence[int]) -> list[int]:
        """The marks of those of the tracks that have one."""
        return [self._mark_of[track] for track in tracks if track in self._mark_of]

    def choose(self, tracked: Tracked) -> Choice:
        """Number what can be numbered and choose what is drawn."""
        areas = tracked.regions.areas.astype(np.float64)
        weight = {
            int(track): area * (CHALLENGE if int(track) in self._drawn else 1.0)
            for track, area in zip(tracked.ids, areas, strict=True)
        }
        ranked = sorted(weight, key=lambda track: (-weight[track], track))
        drawn = set(ranked[: self.max_marks])
        first = self._next == 1
        for track in ranked:
            if track not in self._mark_of and (first or track in drawn):
                self._mark_of[track] = self._next
                self.table[self._next] = MarkInfo(
                    self._next, label_of(self._next, self.labels), color_of(self._next)
                )
                self._next += 1
        self._drawn = drawn
        rows = [k for k, track in enumerate(tracked.ids) if int(track) in self._mark_of]
        rows.sort(key=lambda k: self._mark_of[int(tracked.ids[k])])
        tracks = [int(tracked.ids[k]) for k in rows]
        return Choice(
            marks=[self.table[self._mark_of[track]] for track in tracks],
            rows=rows,
            drawn=[track in drawn for track in tracks],
            unmarked=len(tracked.ids) - len(rows),
        )

    def forget(self, tracks: list[int], keep: AbstractSet[int]) -> None:
        """Drop what ended, except marks that `keep` names: memory must not grow with the video."""
        if not tracks:
            return
        for track in tracks:
            self._mark_of.pop(track, None)
        living = {*self._mark_of.values(), *keep}
        for mark in [mark for mark in self.table if mark not in living]:
            del self.table[mark]
