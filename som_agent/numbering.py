"""The newest frame: its tracks under their numbers, and the marks that are made in it by hand."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from som_agent.errors import InputError
from som_agent.history import MarkInfo, Observation
from som_agent.marks.algebra import Derived, Op, derive
from som_agent.marks.book import MarkBook
from som_agent.marks.marked import MarkedFrame
from som_agent.marks.steady import SteadyPlacer
from som_agent.marks.zoom import known_parts, row_of
from som_agent.observe import Observer
from som_agent.regions import BoolArray, Regions
from som_agent.scaling import resized
from som_agent.settings import Settings
from som_agent.sharpness import sharpness
from som_agent.tracking import Tracked, Tracker
from som_agent.video.frame import Frame, Image

__all__ = ["Newest", "Numbering"]

TRACKED_PX = 12
"""A part of fewer pixels, at the size of the pictures inside, is not followed."""


@dataclass(frozen=True)
class Newest:
    """The newest frame.

    Attributes:
        small: the picture that was processed.
        found: the tracks that the tracker has.
        tracked: these and those that are made of them.
        marked: what the caller sees.
    """

    small: Image
    found: Tracked
    tracked: Tracked
    marked: MarkedFrame


class Numbering:
    """Gives tracks their marks, and makes marks in the newest frame.

    Args:
        tracker: the tracker in use; it is told of the objects that are made.
        settings: see `Settings`.

    Attributes:
        book: the mark table.
        newest: the newest frame, None where there is none yet.
    """

    def __init__(self, tracker: Tracker, settings: Settings) -> None:
        self.book = MarkBook(settings.max_marks, settings.labels)
        self._tracker, self._style = tracker, settings.style
        self._placer = SteadyPlacer(settings.style)
        self._observer = Observer()
        self._derived: dict[int, Derived] = {}  # track → what it is made of, in the order of their making
        self.newest: Newest | None = None

    @property
    def seen(self) -> Newest:
        """The newest frame.

        Raises:
            InputError: there is none yet.
        """
        if self.newest is None:
            raise InputError("there is no frame yet, and so no mark: step comes first")
        return self.newest

    def show(self, frame: Frame, small: Image, found: Tracked) -> Newest:
        """Number and draw what was found in a frame, which is the newest one from here on."""
        tracked = derive(found, self._derived)
        choice = self.book.choose(tracked, small)
        drawn = [k for k, is_drawn in enumerate(choice.drawn) if is_drawn]
        regions = tracked.regions.select(choice.rows)
        placement = self._placer.place(
            [choice.marks[k] for k in drawn],
            regions.select(drawn),
            tracked.centers[choice.rows][drawn],
            (frame.image.shape[1], frame.image.shape[0]),
        )
        marked = MarkedFrame(
            frame=frame,
            infos=choice.marks,
            scores=tracked.scores[choice.rows],
            regions=regions,
            drawn=drawn,
            placement=placement,
            style=self._style,
            unmarked=choice.unmarked,
            sharpness=sharpness(small),
        )
        self.newest = Newest(small, found, tracked, marked)
        return self.newest

    def observations(self, gone: Sequence[int] = ()) -> list[Observation]:
        """What is seen of every mark in the newest frame.

        Args:
            gone: tracks that are given up in it.
        """
        now = self.seen
        mark_of = {track: mark for mark, track in self.book.tied.items()}
        return self._observer.observe(
            now.marked,
            now.small,
            occluded=self.book.marks_of(now.tracked.occluded),
            gone=self.book.marks_of(list(gone)),
            hidden_by={
                mark_of[track]: mark_of[hider]
                for track, hider in now.tracked.hidden_by.items()
                if track in mark_of and hider in mark_of
            },
        )

    def forget(self, gone: list[int], remembered: AbstractSet[int]) -> None:
        """Let tracks go that were given up, and marks of which nothing is remembered."""
        self.book.forget(gone, remembered)
        for track in self._derived.keys() & set(gone):
            del self._derived[track]

    def adopt(self, masks: BoolArray) -> list[MarkInfo]:
        """New marks for masks `[N, h, w] bool` of the size of the pictures inside.

        Raises:
            InputError: the tracker has no room for another object.
        """
        tracks = self._tracker.adopt(masks)
        if not tracks:
            raise InputError("the tracker has no room for another object")
        rows = [self.book.add() for _ in tracks]
        for row, track in zip(rows, tracks, strict=True):
            self.book.tie(row.mark, track)
        self._renew(self.seen.found.adopting(tracks, masks[: len(tracks)]))
        return rows

    def correct(self, mark: int | str, mask: BoolArray) -> MarkInfo:
        """Give a mark another mask `[h, w] bool` of the size of the pictures inside.

        Raises:
            InputError: there is no such mark that could be corrected.
        """
        now, known = self.seen, self.book.named(mark)
        if known is None or not self._tracker.correct(known[1], mask):
            raise InputError(f"there is no mark {mark} in frame {now.marked.index} that could be corrected")
        self._renew(now.found.correcting(known[1], mask))
        return known[0]

    def number(self, parent: MarkInfo, parts: Regions) -> list[MarkInfo]:
        """Rows of the mark table for parts of a mark, given at the source's size; new ones get tracks."""
        now = self.seen
        small = resized(parts, (now.small.shape[1], now.small.shape[0]))
        known = known_parts(now.marked, small, self.book.line_of(parent.mark))
        rows = [
            known.get(k) or self.book.add(parent=parent.mark, neighbours=[parent.mark])
            for k in range(len(parts))
        ]
        new = [k for k in range(len(parts)) if k not in known and small.areas[k] >= TRACKED_PX]
        masks = np.array([small.mask(k) for k in new])
        whole = self.book.tied[parent.mark]
        tracks = self._tracker.adopt(masks, whole if whole > 0 else None) if new else []
        for k, track in zip(new, tracks, strict=False):  # fewer where the tracker is full
            self.book.tie(rows[k].mark, track)
        if tracks:
            self._renew(now.found.adopting(tracks, masks[: len(tracks)]))
        return rows

    def combine(self, op: Op, marks: tuple[int | str, ...]) -> MarkInfo:
        """A mark that is made of others.

        Raises:
            InputError: fewer than two, one that is not visible, or nothing is left.
        """
        now = self.seen
        infos = list(dict.fromkeys(now.marked.infos[row_of(now.marked, mark)] for mark in marks))
        if len(infos) < 2:
            raise InputError(f"{op} needs two marks or more, got {', '.join(map(str, marks)) or 'none'}")
        tracks = self.book.tied
        what = Derived.of(op, [tracks[info.mark] for info in infos])
        for track, known in self._derived.items():
            if known == what:
                return self.book.table[-track]
        labels = [info.label for info in infos]
        if what.is_empty(now.tracked):
            raise InputError(f"{what.nothing(labels)} in frame {now.marked.index}: there is nothing to mark")
        row = self.book.add(made_of=what.written(labels), neighbours=[info.mark for info in infos])
        track = -row.mark  # the tracker's own count up from 1
        self._derived[track] = what
        self.book.tie(row.mark, track, stands_for=what.operands if op == "union" else ())
        self._renew(now.found)
        return row

    def _renew(self, found: Tracked) -> None:
        """Show the newest frame anew: it has marks that it had not when it came."""
        now = self.seen
        self.show(now.marked.frame, now.small, found)
