"""What was seen of every mark at one moment, in words and as data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from som_agent.errors import InputError
from som_agent.history import STATES, VISIBLE, History, MarkInfo
from som_agent.marks.roster import color_words, kinship, roster_line

__all__ = ["Moment", "Sight", "known_mark", "moment"]


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
        """A line a mark, for a model that reads only text."""
        return "\n".join(
            roster_line(s.info.label, s.colors, s.box, s.state + kinship(s.info, history.marks))
            for s in self.sights
        )


def known_mark(history: History, mark: int | str) -> int:
    """The number of a mark that is named by its number or label, "3", "[3]" or "3a".

    Raises:
        InputError: there is no such mark.
    """
    wanted = str(mark).strip().removeprefix("[").removesuffix("]")
    for number, info in history.marks.items():
        if wanted in (str(number), info.label):
            return number
    known = ", ".join(info.label for info in history.marks.values()) or "none"
    raise InputError(f"there is no mark {wanted!r}; the marks are {known}")


def moment(history: History, time_s: float | None = None, marks: Collection[int] | None = None) -> Moment:
    """What was seen at the frame nearest to a time.

    Args:
        history: what was seen by now.
        time_s: seconds; None for the newest frame.
        marks: the marks to tell of, visible or not; None for all that are visible.

    Raises:
        InputError: no frame was looked at yet.
    """
    if not len(history.frames):
        raise InputError("no frame was looked at yet")
    k = len(history.times) - 1 if time_s is None else int(np.abs(history.times - time_s).argmin())
    frame = int(history.frames[k])
    sights = []
    for mark, trace in history.traces.items():
        rows = np.flatnonzero(trace.frames == frame)
        if not len(rows) or (marks is not None and mark not in marks):
            continue
        row = int(rows[-1])
        if marks is None and trace.states[row] != VISIBLE:
            continue
        sights.append(
            Sight(
                info=history.marks[mark],
                state=STATES[trace.states[row]],
                box=tuple(float(v) for v in trace.boxes[row]),
                anchor=tuple(float(v) for v in trace.anchors[row]),
                area=int(trace.areas[row]),
                colors=color_words(trace.colors[row]),
                row=row,
            )
        )
    return Moment(frame, float(history.times[k]), sights)
