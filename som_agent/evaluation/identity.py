"""Do objects keep their numbers? HOTA, IDF1, switches and STQ of one video, on masks.

All count every mark and every true object alike, of whatever class. A mark on a thing that nobody annotated
counts against `hota`, `idf1`, `mota` and `stq`, as in the benchmarks that they come from; `owta` and `idr`
are for truth that names only some of the things. Where there is nothing to count a score is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from som_agent.evaluation.clear import Clear, clear
from som_agent.evaluation.contingency import Contingency
from som_agent.evaluation.hota import Hota, hota
from som_agent.evaluation.match import MATCH_IOU
from som_agent.evaluation.pairs import Pairs
from som_agent.evaluation.stq import Stq, Tubes

__all__ = ["Identity", "IdentityScore"]


@dataclass(frozen=True)
class IdentityScore:
    """How well one video's objects keep their numbers, or several videos': `a + b` counts both together.

    Attributes:
        matched: sights that lie on their object when each mark stands for one object at most, and each object
            for one mark, the whole video long (IDTP).
        objects: sights of objects.
        marks: sights of marks.
        hota: see `Hota`.
        clear: see `Clear`.
        stq: see `Stq`.
    """

    matched: int
    objects: int
    marks: int
    hota: Hota
    clear: Clear
    stq: Stq

    def __add__(self, other: IdentityScore) -> IdentityScore:
        return IdentityScore(
            self.matched + other.matched,
            self.objects + other.objects,
            self.marks + other.marks,
            self.hota + other.hota,
            self.clear + other.clear,
            self.stq + other.stq,
        )

    @property
    def idf1(self) -> float:
        """F1 of the sights that are identified rightly.

        Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking",
        ECCV 2016 Workshops (arXiv 1609.01775).
        """
        return 2 * self.matched / max(self.objects + self.marks, 1)

    @property
    def idp(self) -> float:
        """Share of the marks' sights that are."""
        return self.matched / max(self.marks, 1)

    @property
    def idr(self) -> float:
        """Share of the objects' sights that are."""
        return self.matched / max(self.objects, 1)

    def to_json(self) -> dict[str, float | int]:
        """Every score by its name."""
        return {
            "hota": self.hota.hota,
            "det_a": self.hota.det_a,
            "ass_a": self.hota.ass_a,
            "owta": self.hota.owta,
            "idf1": self.idf1,
            "idp": self.idp,
            "idr": self.idr,
            "id_switches": self.clear.switches,
            "mota": self.clear.mota,
            "stq": self.stq.stq,
            "aq": self.stq.aq,
            "sq": self.stq.sq,
        }


class Identity:
    """The marks of a video against its true objects; takes one frame at a time and keeps no masks."""

    def __init__(self) -> None:
        self._frames: list[Pairs] = []
        self._tubes = Tubes()

    def add(self, seen: Contingency) -> None:
        """Take the next frame; all frames are counted for the same objects."""
        self._frames.append(Pairs.of(seen))
        self._tubes.add(seen)

    def score(self) -> IdentityScore:
        """What has come so far."""
        frames = self._frames
        return IdentityScore(
            matched=_identified(frames),
            objects=sum(len(frame.objects) for frame in frames),
            marks=sum(len(frame.marks) for frame in frames),
            hota=hota(frames),
            clear=clear(frames),
            stq=self._tubes.score(),
        )


def _identified(frames: Sequence[Pairs]) -> int:
    """Most sights that a fixed pairing of objects and marks gets right, by an overlap of 0.5 or more."""
    from scipy.optimize import linear_sum_assignment

    together: dict[tuple[int, int], int] = {}
    for frame in frames:
        for row, column in np.argwhere(frame.ious >= MATCH_IOU):
            pair = int(frame.objects[row]), int(frame.marks[column])
            together[pair] = together.get(pair, 0) + 1
    objects = {obj: k for k, obj in enumerate(sorted({obj for obj, _ in together}))}
    marks = {mark: k for k, mark in enumerate(sorted({mark for _, mark in together}))}
    table = np.zeros((len(objects), len(marks)), np.int64)
    for (obj, mark), count in together.items():
        table[objects[obj], marks[mark]] = count
    return int(table[linear_sum_assignment(table, maximize=True)].sum())
