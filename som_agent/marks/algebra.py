"""Marks made of marks: union, intersection and what is left of one without others, in every frame anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from som_agent.history import MarkInfo
from som_agent.regions import BoolArray
from som_agent.tracking.tracks import Tracked

__all__ = ["Derived", "Op", "derive", "united"]

Op = Literal["union", "intersection", "minus"]
_SIGNS: dict[Op, str] = {"union": "∪", "intersection": "∩", "minus": "∖"}


@dataclass(frozen=True)
class Derived:
    """What a mark is made of.

    Attributes:
        op: `union` of all operands, `intersection` of all, or the first `minus` the others.
        operands: tracks, which may be derived themselves.
    """

    op: Op
    operands: tuple[int, ...]

    @classmethod
    def of(cls, op: Op, tracks: Sequence[int]) -> Derived:
        """The same for the same tracks in whatever order, where that does not matter."""
        first = 1 if op == "minus" else 0
        return cls(op, (*tracks[:first], *sorted(tracks[first:])))

    def members(self, rows: Mapping[int, BoolArray]) -> BoolArray | None:
        """The mask in one frame.

        Args:
            rows: the visible tracks of the frame, each `[A + 1] bool`, sets of the same atoms.

        Returns:
            `[A + 1] bool`, maybe all false; None where too few operands are visible to say. An intersection
            needs all of them, a difference the first, a union any.
        """
        if self._lacks(rows.keys()):
            return None
        seen = np.array([rows[track] for track in self.operands if track in rows])
        result: BoolArray = {
            "union": seen.any(axis=0),
            "intersection": seen.all(axis=0),
            "minus": seen[0] & ~seen[1:].any(axis=0),
        }[self.op]
        return result

    def is_empty(self, tracked: Tracked) -> bool:
        """Whether a frame shows no pixel of it."""
        members = self.members(_rows(tracked))
        return members is None or int(members @ tracked.regions.atom_areas) == 0

    def is_over(self, alive: AbstractSet[int]) -> bool:
        """Whether it can never be seen again: `alive` are the tracks that are visible or may come back."""
        return self._lacks(alive)

    def written(self, labels: Sequence[str]) -> str:
        """It in the labels of its operands, as they were given: "3 ∪ 4"."""
        return f" {_SIGNS[self.op]} ".join(labels)

    def nothing(self, labels: Sequence[str]) -> str:
        """What it means that it is empty, in words."""
        if self.op == "minus":
            return f"nothing of mark {labels[0]} is left without {_named(labels[1:])}"
        return f"{_named(labels)} share no pixel"

    def _lacks(self, present: AbstractSet[int]) -> bool:
        """Whether an operand is not present that it cannot do without."""
        if self.op == "union":
            return present.isdisjoint(self.operands)
        if self.op == "intersection":
            return not present >= set(self.operands)
        return self.operands[0] not in present


def united(marks: Iterable[MarkInfo]) -> dict[str, str]:
    """Label of a mark that is drawn as a part of a union → the union's label."""
    sign = f" {_SIGNS['union']} "
    return {
        label: info.label
        for info in marks
        if info.made_of is not None and sign in info.made_of
        for label in info.made_of.split(sign)
    }


def _named(labels: Sequence[str]) -> str:
    if len(labels) == 1:
        return f"mark {labels[0]}"
    return f"marks {', '.join(labels[:-1])} and {labels[-1]}"


def derive(tracked: Tracked, derived: Mapping[int, Derived]) -> Tracked:
    """The tracks of a frame and those that are made of them.

    Args:
        tracked: what the tracker found.
        derived: ids that no tracker gives → what they are made of; operands come before what is made of them.

    Returns:
        The same, and after the others those of the derived ones that have a pixel; the rest is occluded, or
        gone where it can never come back.
    """
    rows = _rows(tracked)
    scores = dict(zip(tracked.ids.tolist(), tracked.scores.tolist(), strict=True))
    occluded, gone = list(tracked.occluded), list(tracked.gone)
    seen: list[int] = []
    for track, what in derived.items():
        members = what.members(rows)
        if members is not None and (members @ tracked.regions.atom_areas) > 0:
            rows[track] = members
            scores[track] = min(scores[operand] for operand in what.operands if operand in scores)
            seen.append(track)
        elif what.is_over(rows.keys() | set(occluded)):
            gone.append(track)
        else:
            occluded.append(track)
    atoms = tracked.regions.members.shape[1]
    members = np.array([rows[track] for track in seen], bool).reshape(len(seen), atoms)
    shown = tracked.plus(seen, members, [scores[track] for track in seen])
    return replace(shown, occluded=occluded, gone=gone)


def _rows(tracked: Tracked) -> dict[int, BoolArray]:
    """Visible track → the atoms it consists of."""
    return dict(zip(tracked.ids.tolist(), tracked.regions.members, strict=True))
