"""The answer contract: text, the marks that it rests on, when, and what could not be grounded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Answer", "Evidence", "GroundedMark", "Unsupported"]


@dataclass(frozen=True)
class Evidence:
    """A frame in which a person can check the claim.

    Attributes:
        frame: source frame number.
        time: seconds.
        box: x0, y0, x1, y1 in source pixels.
        anchor: x, y of the drawn mark in source pixels.
    """

    frame: int
    time: float
    box: tuple[float, float, float, float]
    anchor: tuple[float, float]


@dataclass(frozen=True)
class GroundedMark:
    """A mark that the answer names: during `intervals` (seconds, both ends seen) the claim holds of it."""

    mark: int
    label: str
    intervals: list[tuple[float, float]]
    evidence: list[Evidence]


@dataclass(frozen=True)
class Unsupported:
    """A part of the question or of the reply that no mark supports, and why."""

    text: str
    reason: str


@dataclass(frozen=True)
class Answer:
    """A grounded answer; marks are cited in the text as `[3]`."""

    text: str
    marks: list[GroundedMark] = field(default_factory=list)
    unsupported: list[Unsupported] = field(default_factory=list)
    lmm: str = "attributes"
    segmenter: str = ""

    def seen_in_part(self, problem: str | None) -> Answer:
        """The same answer with a note of what of the video could not be read, if anything."""
        if problem is None:
            return self
        note = Unsupported(problem, "what could not be read was not looked at")
        return replace(self, unsupported=[*self.unsupported, note])

    def to_json(self) -> dict[str, Any]:
        """The object that `som-agent ask --json` prints."""
        return {
            "answer": self.text,
            "marks": [
                {
                    "mark": m.mark,
                    "label": m.label,
                    "intervals": [[round(a, 3), round(b, 3)] for a, b in m.intervals],
                    "evidence": [
                        {
                            "frame": e.frame,
                            "time": round(e.time, 3),
                            "box": [round(v, 1) for v in e.box],
                            "anchor": [round(v, 1) for v in e.anchor],
                        }
                        for e in m.evidence
                    ],
                }
                for m in self.marks
            ],
            "unsupported": [{"text": u.text, "reason": u.reason} for u in self.unsupported],
            "lmm": self.lmm,
            "segmenter": self.segmenter,
        }
