"""Marked frames kept for questions: few, spread over everything seen, and drawn when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from som_agent.marks.marked import MarkedFrame
from som_agent.video.frame import Image

__all__ = ["LOOK_PX", "Keyframe", "KeyframeStore", "keyframe"]

LOOK_PX = 1024
"""Long side of the pictures that a vision-language model is shown."""


@dataclass(frozen=True)
class Keyframe:
    """A frame as a model is shown it.

    Attributes:
        image: the frame with its marks drawn, `[H, W, 3] uint8` RGB.
        frame: source frame number.
        time: seconds.
        marks: the marks that can be read in it.
    """

    image: Image
    frame: int
    time: float
    marks: tuple[int, ...]

    def __repr__(self) -> str:
        h, w = self.image.shape[:2]
        return f"Keyframe({self.frame}, {self.time:.3f} s, {w}x{h} px, marks {list(self.marks)})"


class KeyframeStore:
    """At most `capacity` frames at even distances, however long the video; the newest is always one."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._kept: list[MarkedFrame] = []
        self._newest: MarkedFrame | None = None
        self._stride = 1
        self._count = 0

    def add(self, marked: MarkedFrame) -> None:
        """Take in the next frame; when there are too many, every other one is let go."""
        marked = replace(marked)  # without the pictures that the caller's may hold drawn by now
        self._newest = marked
        if self._count % self._stride == 0:
            self._kept.append(marked)
            if len(self._kept) >= self.capacity:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._count += 1

    def pictures(self, frames: Sequence[int]) -> list[Keyframe]:
        """For each wanted source frame number the nearest kept frame, drawn; each only once."""
        if self._newest is None:
            return []
        kept = {marked.index: marked for marked in (*self._kept, self._newest)}
        nearest = {min(kept, key=lambda index: (abs(index - wanted), index)) for wanted in frames}
        return [keyframe(kept[index]) for index in sorted(nearest)]


def keyframe(marked: MarkedFrame) -> Keyframe:
    """The frame as a model is shown it."""
    image, marks = marked.look(LOOK_PX)
    return Keyframe(image, marked.index, marked.time, tuple(mark.mark for mark in marks if mark.shown))
