"""Marked frames kept for questions: few, spread over everything seen, and drawn when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from som_agent.marks.algebra import united
from som_agent.marks.marked import MarkedFrame
from som_agent.marks.rank import groups
from som_agent.marks.view import View
from som_agent.video.frame import Image

__all__ = ["Keyframe", "KeyframeStore", "Pictures", "Wanted", "keyframes"]


@dataclass(frozen=True)
class Wanted:
    """What the pictures for a question are to show.

    Attributes:
        view: how the model sees a picture, and how many marks it reads in one.
        marks: the marks to draw, the most important first; others are not drawn.
        named: those that the question names: they are in every picture of a frame, beside any other.
        budget: most pictures in all, but each frame has one.
        draw: the parts of a mark that are drawn, as `MarkStyle.draw`; None leaves the session's own.
    """

    view: View
    marks: Sequence[int]
    named: Sequence[int] = ()
    budget: int = 6
    draw: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Keyframe:
    """A picture of a frame as a model is shown it.

    Attributes:
        image: the frame with its marks drawn, `[H, W, 3] uint8` RGB.
        frame: source frame number.
        time: seconds.
        marks: the marks that can be read in it.
        plain: the same picture without marks; None where it is not to be had.
        part: which of the pictures of this frame, from 1; they show different marks.
        parts: how many there are.
        left_out: marks in the frame that none of its pictures shows.
    """

    image: Image
    frame: int
    time: float
    marks: tuple[int, ...]
    plain: Image | None = None
    part: int = 1
    parts: int = 1
    left_out: tuple[int, ...] = ()

    def __repr__(self) -> str:
        h, w = self.image.shape[:2]
        part = f", {self.part} of {self.parts}" if self.parts > 1 else ""
        return f"Keyframe({self.frame}{part}, {self.time:.3f} s, {w}x{h} px, marks {list(self.marks)})"


Pictures: TypeAlias = Callable[[Sequence[int], Wanted], list[Keyframe]]
"""Draws source frames, given by their numbers; fewer or others near them where those have been let go."""


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

    def renew(self, marked: MarkedFrame) -> None:
        """Take the newest frame again, which has other marks by now."""
        marked = replace(marked)
        if self._kept and self._kept[-1] is self._newest:
            self._kept[-1] = marked
        self._newest = marked

    def pictures(self, frames: Sequence[int], wanted: Wanted) -> list[Keyframe]:
        """For each wanted source frame number the nearest kept frame, drawn; each only once."""
        if self._newest is None:
            return []
        kept = {marked.index: marked for marked in (*self._kept, self._newest)}
        nearest = {min(kept, key=lambda index: (abs(index - number), index)) for number in frames}
        return keyframes([kept[index] for index in sorted(nearest)], wanted)


def keyframes(frames: Sequence[MarkedFrame], wanted: Wanted) -> list[Keyframe]:
    """The frames as a model is shown them: several pictures of a frame with more marks than it reads in one.

    Marks within a session's budget and beyond are drawn alike; what counts is their order in `wanted`.

    Args:
        frames: in the order in which they are shown.
        wanted: what to show of them.
    """
    most = wanted.view.marks
    marks = [_drawable(marked, wanted) for marked in frames]
    # Marks that are in every picture leave room for others beside them.
    named = [[m for m in some if m in wanted.named] for some in marks]
    named = [some if 2 * len(some) <= most else [] for some in named]
    others = [[m for m in some if m not in own] for some, own in zip(marks, named, strict=True)]
    rooms = [most - len(own) for own in named]
    needs = [max(1, -(-len(some) // room)) for some, room in zip(others, rooms, strict=True)]
    shares = _shares(needs, wanted.budget)
    return [
        picture
        for marked, own, some, room, share in zip(frames, named, others, rooms, shares, strict=True)
        for picture in _parts(marked, wanted, own, some, room, share)
    ]


def _drawable(marked: MarkedFrame, wanted: Wanted) -> list[int]:
    """The wanted marks of a frame; of those that a union is drawn in place of only the named ones."""
    covered = united(marked.infos)
    here = {info.mark for info in marked.infos if info.label not in covered or info.mark in wanted.named}
    return [mark for mark in wanted.marks if mark in here]


def _shares(needs: Sequence[int], budget: int) -> list[int]:
    """Pictures for each frame: one, then one more in turn where it needs more, as far as `budget` goes."""
    shares = [1] * len(needs)
    while sum(shares) < budget and (short := [i for i, need in enumerate(needs) if shares[i] < need]):
        for i in short[: budget - sum(shares)]:
            shares[i] += 1
    return shares


def _parts(
    marked: MarkedFrame, wanted: Wanted, named: list[int], others: list[int], room: int, share: int
) -> list[Keyframe]:
    """At most `share` pictures of a frame with the named marks and up to `room` of the others in each."""
    row_of = {info.mark: k for k, info in enumerate(marked.infos)}
    boxes = marked.regions.boxes[[row_of[mark] for mark in others[: share * room]]]
    if wanted.draw is not None:
        marked = replace(marked, style=replace(marked.style, draw=wanted.draw))
    parts = groups(others[: share * room], (boxes[:, :2] + boxes[:, 2:]) / 2, room) or [[]]
    looks = [marked.look(wanted.view, sorted([*named, *part])) for part in parts]
    present = set(wanted.marks).intersection(row_of)
    shown = [tuple(mark.mark for mark in look.marks if mark.shown) for look in looks]
    left_out = sorted(present.difference(*shown))
    return [
        Keyframe(
            image=look.image,
            frame=marked.index,
            time=marked.time,
            marks=shown[i],
            plain=look.plain,
            part=i + 1,
            parts=len(looks),
            left_out=tuple(left_out),
        )
        for i, look in enumerate(looks)
    ]
