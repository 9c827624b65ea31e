"""How a stream fares: a line a second for a person, a line a frame for a program."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from som_agent.cli.output import note, print_json
from som_agent.history import STATES, Observation

if TYPE_CHECKING:
    from som_agent.marks.marked import MarkedFrame
    from som_agent.video.live import LiveState

__all__ = ["StreamStatus"]

STATUS_S = 1.0


class StreamStatus:
    """What a person and a program are told of each frame, and what the last word counts.

    Attributes:
        last: number of the newest frame, "none" before the first.
        is_over: the person who watches wants no more.
    """

    def __init__(self) -> None:
        self.last: int | str = "none"
        self.is_over = False
        self._labels: dict[int, str] = {}  # of the marks of the newest frame, hidden ones included
        self._frames = self._marks = self._visible = self._hidden = 0
        self._began: float | None = None
        self._told_at, self._frames_then = time.monotonic(), 0

    @property
    def seconds(self) -> float:
        """Since the first frame was processed."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def count(self, marked: MarkedFrame, seen: Sequence[Observation]) -> None:
        """Take in a frame."""
        self._began = self._began or time.monotonic()
        states = [STATES[row.state] for row in seen]
        self._visible, self._hidden = states.count("visible"), states.count("occluded")
        known = {**self._labels, **{info.mark: info.label for info in marked.infos}}
        self._labels = {row.mark: known[row.mark] for row in seen}
        self._marks = max([self._marks, *self._labels])  # numbers count up and are never given twice
        self._frames += 1
        self.last = marked.index

    def print_line(self, marked: MarkedFrame, seen: Sequence[Observation]) -> None:
        """The JSON of a frame that was counted, on stdout and at once."""
        marks: list[dict[str, Any]] = [
            {
                "mark": row.mark,
                "label": self._labels[row.mark],
                "state": STATES[row.state],
                "box": [round(float(v), 1) for v in row.box],
                "anchor": [round(float(v), 1) for v in row.anchor],
            }
            for row in seen
        ]
        print_json({"frame": marked.index, "time": round(marked.time, 6), "marks": marks})
        sys.stdout.flush()

    def tell(self, state: LiveState) -> None:
        """A line on stderr, once a second."""
        now = time.monotonic()
        if now - self._told_at < STATUS_S:
            return
        rate = (self._frames - self._frames_then) / (now - self._told_at)
        self._told_at, self._frames_then = now, self._frames
        parts = [
            f"{rate:.1f} frames/s",
            f"latency {1000 * state.latency_s:.0f} ms",
            f"marks {self._visible} visible {self._hidden} hidden",
            f"{state.dropped} dropped",
            f"{state.reconnects} reconnects",
        ]
        if state.frozen_s >= STATUS_S:
            parts.append(f"the same picture for {state.frozen_s:.0f} s")
        if state.silent_s >= STATUS_S:
            parts.append(f"no picture for {state.silent_s:.0f} s")
        note(", ".join(parts))

    def summary(self, state: LiveState) -> str:
        """The last word."""
        return (
            f"{self._frames} frames, {self._marks} marks, "
            f"{state.dropped} dropped, {state.reconnects} reconnects"
        )
