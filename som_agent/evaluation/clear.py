"""CLEAR-MOT: objects missed, marks too many, and numbers that changed.

Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics",
EURASIP Journal on Image and Video Processing 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from som_agent.evaluation.match import MATCH_IOU
from som_agent.evaluation.pairs import Pairs

__all__ = ["Clear", "clear"]


@dataclass(frozen=True)
class Clear:
    """Counts over a video; those of videos add up.

    Attributes:
        objects: sights of objects.
        missed: sights of an object without a mark on it.
        extra: sights of a mark on no object.
        switches: how often an object was matched with another mark than the last time.
    """

    objects: int
    missed: int
    extra: int
    switches: int

    def __add__(self, other: Clear) -> Clear:
        return Clear(
            self.objects + other.objects,
            self.missed + other.missed,
            self.extra + other.extra,
            self.switches + other.switches,
        )

    @property
    def mota(self) -> float:
        """One minus the errors of each sight of an object: 1 at most, below 0 where marks abound."""
        errors = self.missed + self.extra + self.switches
        return (self.objects - errors) / max(self.objects, 1)


def clear(frames: Sequence[Pairs]) -> Clear:
    """Match each frame and count.

    A pair overlaps by 0.5 or more. An object stays with the mark of its last match as long as they do,
    however long ago that was; the others are paired so that most are, and those that overlap best.
    """
    objects = missed = extra = switches = 0
    last: dict[int, int] = {}  # object → the mark of its last match
    for frame in frames:
        matched = _match(frame, last)
        switches += sum(last.get(obj, mark) != mark for obj, mark in matched.items())
        last.update(matched)
        objects += len(frame.objects)
        missed += len(frame.objects) - len(matched)
        extra += len(frame.marks) - len(matched)
    return Clear(objects, missed, extra, switches)


def _match(frame: Pairs, last: dict[int, int]) -> dict[int, int]:
    """Object → its mark in one frame."""
    from scipy.optimize import linear_sum_assignment

    possible = frame.ious >= MATCH_IOU
    objects, marks = frame.objects.tolist(), frame.marks.tolist()
    column = {mark: k for k, mark in enumerate(marks)}
    matched: dict[int, int] = {}
    for row, obj in enumerate(objects):
        k = column.get(last.get(obj, 0))
        if k is not None and possible[row, k]:
            matched[obj] = marks[k]
            possible[row], possible[:, k] = False, False
    # As many pairs as can be come first: one more outweighs all overlaps together.
    worth = np.where(possible, frame.ious + min(possible.shape), 0)
    for row, k in zip(*linear_sum_assignment(worth, maximize=True), strict=True):
        if possible[row, k]:
            matched[objects[row]] = marks[k]
    return matched
