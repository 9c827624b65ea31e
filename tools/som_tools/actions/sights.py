"""What was seen of every mark at one moment, in words and as data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from som_agent.history import STATES, VISIBLE, History, MarkInfo
from som_agent.marks.roster import color_words, kinship, roster_line
from som_tools.actions.checks import frame_at
from som_tools.actions.words import labels

__all__ = ["LISTED", "Moment", "Sight", "moment", "sight_of"]

LISTED = 24
"""Marks told of one by one; the data has all of them."""


@dataclass(frozen=True)
class Sight:
    """One mark in one frame; where it is not visible, its place is that of its last sight.

    Attributes:
        info: its row of the mark table.
        state: "visible", "occluded" or "gone".
        box: x0, y0, x1, y1 in source pixels.
        anchor: x, y in source pixels.
        area: source pixels.
        colors: in words, "" where not known.
        row: its row in the mark's trace.
    """

    info: MarkInfo
    state: str
    box: tuple[float, ...]
    anchor: tuple[float, ...]
    area: int
    colors: str
    row: int

    def to_json(self) -> dict[str, Any]:
        """An object for JSON."""
        return {
            "mark": self.info.mark,
            "label": self.info.label,
            "state": self.state,
            "box": [round(v, 1) for v in self.box],
            "anchor": [round(v, 1) for v in self.anchor],
            "area": self.area,
            "colors": self.colors,
        }


@dataclass(frozen=True)
class Moment:
    """A frame that was looked at, and what was seen in it.

    Attributes:
        frame: source frame number.
        time: seconds.
        sights: by mark.
    """

    frame: int
    time: float
    sights: list[Sight]

    def roster(self, history: History) -> str:
        """A line a mark, the largest ones of very many, for a model that reads only text."""
        largest = sorted(self.sights, key=lambda sight: -sight.area)
        told = {sight.info.mark for sight in largest[:LISTED]}
        lines = [
            roster_line(s.info.label, s.colors, s.box, s.state + kinship(s.info, history.marks))
            for s in self.sights
            if s.info.mark in told
        ]
        if left := largest[LISTED:]:
            names = labels([sight.info.label for sight in left])
            lines.append(f"and {len(left)} smaller ones, {names}: name them to look for where they are")
        return "\n".join(lines)


def moment(history: History, time_s: float | None = None, marks: Collection[int] | None = None) -> Moment:
    """What was seen at the frame nearest to a time.

    Args:
        history: what was seen by now.
        time_s: seconds; None for the newest frame.
        marks: the marks to tell of, visible or not; None for all that are visible.

    Raises:
        InputError: that time was not seen.
    """
    k = frame_at(history, time_s)
    frame = int(history.frames[k])
    sights = []
    for mark, trace in history.traces.items():
        row = int(np.searchsorted(trace.frames, frame, side="right")) - 1
        if row < 0 or trace.frames[row] != frame or (marks is not None and mark not in marks):
            continue
        if marks is None and trace.states[row] != VISIBLE:
            continue
        sights.append(sight_of(history, mark, row))
    return Moment(frame, float(history.times[k]), sights)


def sight_of(history: History, mark: int, row: int) -> Sight:
    """One row of a mark's trace."""
    trace = history.traces[mark]
    return Sight(
        info=history.marks[mark],
        state=STATES[trace.states[row]],
        box=tuple(float(v) for v in trace.boxes[row]),
        anchor=tuple(float(v) for v in trace.anchors[row]),
        area=int(trace.areas[row]),
        colors=color_words(trace.colors[row]),
        row=row,
    )
