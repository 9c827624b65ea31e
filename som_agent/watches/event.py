"""What a watch tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from som_agent.answer import Evidence

__all__ = ["Firing", "Value", "WatchEvent"]

Value = float | str


@dataclass(frozen=True)
class Firing:
    """A condition that became true.

    Attributes:
        clause: what happened, without the time.
        marks: those that it is about.
        true_s: when it became true; it may be told some frames later, when it is sure.
        started_s: when what it is about began.
        already: it was so when the watch was set.
        values: what was measured, by name and unit.
    """

    clause: str
    marks: tuple[int, ...]
    true_s: float
    started_s: float
    already: bool
    values: dict[str, Value]


@dataclass(frozen=True)
class WatchEvent:
    """Something that was waited for has happened.

    Attributes:
        watch: id of the watch.
        kind: of its condition, "near" for example.
        text: one plain sentence.
        time: seconds of the frame in which it was certain.
        frame: number of that frame.
        started_s: when it began: of what has stopped for 2 s, 2 s before.
        already: it was so already when the watch was set.
        marks: the marks that it is about.
        evidence: for each of them where it is in that frame, or where it was seen last.
        values: what was measured: `distance_px`, `speed_px_s`, `seconds`, ….
    """

    watch: str
    kind: str
    text: str
    time: float
    frame: int
    started_s: float
    already: bool
    marks: tuple[int, ...]
    evidence: dict[int, Evidence]
    values: dict[str, Value]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "watch": self.watch,
            "kind": self.kind,
            "text": self.text,
            "time": round(self.time, 3),
            "frame": self.frame,
            "started_s": round(self.started_s, 3),
            "already": self.already,
            "marks": [
                {
                    "mark": mark,
                    "frame": self.evidence[mark].frame,
                    "time": round(self.evidence[mark].time, 3),
                    "box": [round(v, 1) for v in self.evidence[mark].box],
                    "anchor": [round(v, 1) for v in self.evidence[mark].anchor],
                }
                for mark in self.marks
            ],
            "values": {
                name: value if isinstance(value, str) else round(value, 3)
                for name, value in self.values.items()
            },
        }
