"""The mark table: which track has which number, and which numbers are drawn in this frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from som_agent.history import MarkInfo
from som_agent.marks.labels import Scheme, child_label, label_of
from som_agent.marks.palette import Rgb, choose_color
from som_agent.marks.surroundings import surroundings
from som_agent.tracking.tracks import Tracked
from som_agent.video.frame import Image

__all__ = ["Choice", "MarkBook"]

CHALLENGE = 4.0
"""A mark gives up its place among the drawn ones only to an object this many times larger."""


@dataclass(frozen=True)
class Choice:
    """The marks of one frame.

    Attributes:
        marks: rows of the mark table.
        rows: for each mark its row in the tracked regions, `[n]`.
        drawn: for each mark whether it is within the budget.
        unmarked: tracks in this frame that have no number yet, because there was no room to draw it.
    """

    marks: list[MarkInfo]
    rows: list[int]
    drawn: list[bool]
    unmarked: int


class MarkBook:
    """Gives numbers to tracks, for good.

    All tracks of the first frame are numbered at once, the largest first; a newcomer gets its number when
    there is room to draw it. Parts of a mark and marks made of others are numbered by hand, with `add`. A
    number once given is never given again, nor is the label of a part.

    Args:
        max_marks: marks drawn at once, at least 1.
        labels: numbers or letters.
    """

    def __init__(self, max_marks: int, labels: Scheme = "numbers") -> None:
        self.max_marks = max_marks
        self.labels = labels
        self.table: dict[int, MarkInfo] = {}
        self._mark_of: dict[int, int] = {}  # track -> mark
        self._drawn: set[int] = set()  # tracks drawn in the frame before
        self._stands_for: dict[int, frozenset[int]] = {}  # track -> tracks that it is drawn in place of
        self._parts: dict[int, int] = {}  # mark -> how many parts of it were ever named
        self._next = 1

    def marks_of(self, tracks: Iterable[int]) -> list[int]:
        """The marks of those of the tracks that have one."""
        return [self._mark_of[track] for track in tracks if track in self._mark_of]

    @property
    def tied(self) -> dict[int, int]:
        """Mark → its track, for the marks that have one: those that are not gone."""
        return {mark: track for track, mark in self._mark_of.items()}

    def named(self, mark: int | str) -> tuple[MarkInfo, int] | None:
        """The row and the track of a mark by number or label, seen or hidden; None if unknown."""
        name = str(mark).strip().casefold()
        by_number = {str(number): number for number in self.tied}
        by_label = {self.table[number].label.casefold(): number for number in self.tied}
        number = (by_number | by_label if isinstance(mark, str) else by_number).get(name)
        return None if number is None else (self.table[number], self.tied[number])

    def line_of(self, mark: int) -> list[int]:
        """The mark, what it is a part of, what that is a part of, and so on."""
        line = [mark]
        while (row := self.table.get(line[-1])) is not None and row.parent is not None:
            line.append(row.parent)
        return line

    def add(
        self,
        *,
        parent: int | None = None,
        made_of: str | None = None,
        ground: Sequence[Rgb] = (),
        neighbours: Sequence[int] = (),
    ) -> MarkInfo:
        """A new row: the next number, and what belongs to it.

        Args:
            parent: the mark that it is a part of.
            made_of: see `MarkInfo`.
            ground: colours of its object and of what lies round it: its own stands out from those.
            neighbours: marks beside it: its colour differs from theirs.
        """
        number = self._next
        self._next += 1
        if parent is None:
            label = label_of(number, self.labels)
        else:
            self._parts[parent] = self._parts.get(parent, 0) + 1
            label = child_label(self.table[parent].label, self._parts[parent])
        beside = [self.table[mark].color for mark in neighbours]
        used = [info.color for info in self.table.values()]
        color = choose_color(number, ground, beside, used)
        self.table[number] = MarkInfo(number, label, color, parent, made_of)
        return self.table[number]

    def tie(self, mark: int, track: int, stands_for: Iterable[int] = ()) -> None:
        """Give a track its mark, for good.

        Args:
            mark: a row of the table.
            track: it may be one that no tracker knows, of a mark that is made of others.
            stands_for: tracks that lie wholly in this one and are not drawn beside it.
        """
        self._mark_of[track] = mark
        if covered := frozenset(stands_for):
            self._stands_for[track] = covered.union(*(self._stands_for.get(t, ()) for t in covered))

    def choose(self, tracked: Tracked, image: Image) -> Choice:
        """Number what can be numbered and choose what is drawn.

        Args:
            tracked: the tracks of the frame.
            image: the picture that was tracked, `[h, w, 3] uint8` RGB: new marks stand out from it.
        """
        weights = self._weights(tracked)
        covered = {t for track in weights for t in self._stands_for.get(track, ())}
        ranked = sorted(weights.keys() - covered, key=lambda track: (-weights[track], track))
        drawn = set(ranked[: self.max_marks])
        first = self._next == 1
        new = [track for track in ranked if track not in self._mark_of and (first or track in drawn)]
        row_of = {track: row for row, track in enumerate(tracked.ids.tolist())}
        found = surroundings(image, tracked.regions, [row_of[track] for track in new])
        for track, where in zip(new, found, strict=True):
            beside = self.marks_of(int(tracked.ids[row]) for row in where.neighbours)
            self.tie(self.add(ground=where.ground, neighbours=beside).mark, track)
        self._drawn = drawn
        rows = [k for k, track in enumerate(tracked.ids) if int(track) in self._mark_of]
        rows.sort(key=lambda k: self._mark_of[int(tracked.ids[k])])
        tracks = [int(tracked.ids[k]) for k in rows]
        return Choice(
            marks=[self.table[self._mark_of[track]] for track in tracks],
            rows=rows,
            drawn=[track in drawn for track in tracks],
            unmarked=len(tracked.ids) - len(rows),
        )

    def _weights(self, tracked: Tracked) -> dict[int, float]:
        """Track → how much it is worth to be drawn."""
        weights = {}
        for track, area in zip(tracked.ids.tolist(), tracked.regions.areas.tolist(), strict=True):
            # What stands for others takes over their places.
            was_drawn = not self._drawn.isdisjoint({track, *self._stands_for.get(track, ())})
            weights[track] = area * (CHALLENGE if was_drawn else 1.0)
        return weights

    def forget(self, tracks: list[int], keep: AbstractSet[int]) -> None:
        """Drop what ended, except marks that `keep` names: memory must not grow with the video."""
        if not tracks:
            return
        for track in tracks:
            self._mark_of.pop(track, None)
            self._stands_for.pop(track, None)
        living = {*self._mark_of.values(), *keep}
        for mark in [mark for mark in self.table if mark not in living]:
            del self.table[mark]
            self._parts.pop(mark, None)
