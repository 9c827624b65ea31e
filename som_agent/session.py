"""The whole pipeline, one frame at a time: regions → tracks → marks → memory → answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import numpy as np

from som_agent.answer import Answer
from som_agent.errors import InputError
from som_agent.history import History, MarkInfo, Observation
from som_agent.incoming import next_frame
from som_agent.keyframes import KeyframeStore, Pictures
from som_agent.marks.marked import MarkedFrame
from som_agent.marks.zoom import Zoom, known_parts, open_mark, row_of
from som_agent.numbering import Numbering
from som_agent.pointing import Named, mask_at
from som_agent.recorder import Recorder
from som_agent.scaling import fit
from som_agent.segmenters import load_finder, load_prompted, load_segmenter
from som_agent.segmenters.base import Segmenter
from som_agent.segmenters.prompts import Prompted
from som_agent.segmenters.text import Finder
from som_agent.settings import Settings
from som_agent.tracking import (
    AssociationTracker,
    Embedder,
    PropagationTracker,
    Propagator,
    Tracker,
    load_embedder,
    load_propagator,
)
from som_agent.video.frame import Frame, Image
from som_agent.watches.board import Board, resolved
from som_agent.watches.conditions import Condition
from som_agent.watches.event import WatchEvent
from som_agent.watches.memory import Seen
from som_agent.watches.watch import Watch

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from som_agent.grounding import Asking

__all__ = ["Session"]

P = ParamSpec("P")
T = TypeVar("T")


def _alone(
    method: Callable[Concatenate[Session, P], T],
) -> Callable[Concatenate[Session, P], T]:
    """No other thread takes a frame or makes a mark while this method runs."""

    @wraps(method)
    def locked(self: Session, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._lock:
            return method(self, *args, **kwargs)

    return locked


def _telling(
    method: Callable[Concatenate[Session, P], T],
) -> Callable[Concatenate[Session, P], T]:
    """What the watches of the session saw meanwhile is told to callbacks, when other threads may go on."""

    @wraps(method)
    def telling(self: Session, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result = method(self, *args, **kwargs)
        self._board.tell()
        return result

    return telling


class Session:
    """Frames in, marked frames and answers out; memory is bounded by the settings.

    Threads may share one: a camera's steps through its frames, others ask and make marks meanwhile. While a
    model is waited for, frames go on coming.

    Args:
        segmenter: a name such as `hierarchy` or `labels:DIR`, or a segmenter.
        settings: see `Settings`.
        propagator: a propagator, in place of the one that the settings name.
        embedder: an embedder, in place of the one that the settings name.
        tracker: regions per frame → tracks, in place of the two that there are.
        device: where a neural segmenter runs, `cpu` or `cuda:0` for example.

    Attributes:
        segmenter: the segmenter in use.
        settings: the settings in use.
        embedder: the embedder in use, None where there is none.
    """

    def __init__(
        self,
        segmenter: str | Segmenter = "hierarchy",
        settings: Settings | None = None,
        *,
        propagator: Propagator | None = None,
        embedder: Embedder | None = None,
        tracker: Tracker | None = None,
        device: str | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.segmenter = load_segmenter(segmenter, device=device)
        named = embedder or self.settings.embedder
        self.embedder = None if tracker or not named else load_embedder(named, device=device)
        self._tracker = tracker or self._new_tracker(propagator or self.settings.propagator, device)
        self._numbers = Numbering(self._tracker, self.settings)
        self._recorder = Recorder(self.settings.max_rows)
        self._keyframes = KeyframeStore(self.settings.keyframes)
        self._device = device
        self._last: Frame | None = None
        self._lock = RLock()
        self._board = Board()

    @_telling
    @_alone
    def step(self, image: Image | Frame, *, time: float | None = None) -> MarkedFrame:
        """Take the next frame.

        Args:
            image: `[H, W, 3] uint8` RGB, or a `Frame` with its own number and time.
            time: seconds since the start; needed unless `image` is a `Frame`. It never goes back.

        Raises:
            InputError: not such a picture, another size than before, or a time before the last one.
            Exception: what a callback of a watch raised; the frame was taken all the same.
        """
        frame = self._last = next_frame(image, time, self._last)
        small = replace(frame, image=fit(frame.image, self.settings.size))
        regions = self.segmenter.segment(small) if self._tracker.wants_regions else None
        found = self._tracker.update(small, regions)
        now = self._numbers.show(frame, small.image, found)
        gone = now.tracked.gone
        seen = self._numbers.observations(gone)
        self._recorder.add(frame.index, frame.time, seen, now.marked.sharpness)
        self._keyframes.add(now.marked)
        if self._board.watches:
            self._board.update(self._seen(frame.index, frame.time, seen))
        self._numbers.forget(gone, self._recorder.remembered)
        return now.marked

    def run(self, frames: Iterable[Frame]) -> Iterator[MarkedFrame]:
        """Step through frames."""
        for frame in frames:
            yield self.step(frame)

    @property
    @_alone
    def newest(self) -> MarkedFrame | None:
        """The newest frame with all its marks, those that were made since it came included."""
        newest = self._numbers.newest
        return None if newest is None else newest.marked

    @_telling
    @_alone
    def zoom(
        self, mark: int | str, *, segmenter: str | Segmenter | None = None, max_marks: int | None = None
    ) -> Zoom:
        """Open a mark of the newest frame: a closer look, in which its parts are marks of their own.

        The parts are labelled after the mark, "3a" and "3b", and followed in the frames to come, even when
        the mark itself is gone. A part that has a mark already, from an earlier look say, keeps it. One that
        has fewer than 12 pixels at the size of the pictures inside is not followed: `Zoom.untracked`.

        Args:
            mark: number or label.
            segmenter: finds the parts; the session's own by default. A name is loaded anew at every call.
            max_marks: most parts, the largest ones; the settings' by default.

        Raises:
            InputError: the mark is not visible in the newest frame.
            SegmenterError: the segmenter cannot segment a part of a picture.
        """
        most = self.settings.max_marks if max_marks is None else max_marks
        if most < 1:
            raise InputError(f"max_marks must be at least 1, got {most}")
        marked = self._numbers.seen.marked
        opened = open_mark(
            marked,
            mark,
            self.segmenter if segmenter is None else load_segmenter(segmenter, device=self._device),
            number=lambda parts: self._made(self._numbers.number(marked.infos[row_of(marked, mark)], parts)),
            max_marks=most,
            size=self.settings.size,
        )
        parts = {info.mark for info in opened.marked.infos}
        return replace(opened, untracked=frozenset(parts.difference(self._numbers.book.tied)))

    @_telling
    @_alone
    def point(
        self,
        points: Sequence[Sequence[float]] = (),
        labels: Sequence[int] = (),
        *,
        box: Sequence[float] | None = None,
        mark: int | str | None = None,
        segmenter: str | Prompted | None = None,
    ) -> MarkInfo:
        """Make a mark in the newest frame by pointing, or correct one; it is tracked from here on.

        Without a propagator it is followed among the regions of the session's segmenter, and hidden where
        that sees nothing of the kind.

        Args:
            points: x, y in source pixels.
            labels: for each point 1 (on the thing) or 0 (off it); all are on it if left out.
            box: x0, y0, x1, y1 around the thing, in source pixels.
            mark: number or label of the mark that is wrong there, or hidden; a new one if left out.
            segmenter: makes the mask; the session's own by default.

        Raises:
            InputError: a prompt that makes no sense or hits nothing, an unknown mark, or no room for a track.
            SegmenterError: the segmenter takes no prompts.
        """
        now = self._numbers.seen
        by = load_prompted(self.segmenter if segmenter is None else segmenter, device=self._device)
        mask = mask_at(by, now.marked.frame, now.small, points, labels, box)
        if mark is None:
            return self._made(self._numbers.adopt(mask[None]))[0]
        return self._made(self._numbers.correct(mark, mask))

    @_telling
    @_alone
    def find(self, *phrases: str, finder: str | Finder, masks: str | Prompted = "hierarchy") -> list[Named]:
        """Mark what phrases name in the newest frame. What has a mark already keeps it; the others get one.

        Args:
            phrases: short noun phrases, "red cup" for example.
            finder: `hf:REPO_OR_DIR` of Grounding DINO or SAM 3, or a finder.
            masks: what cuts masks out of the boxes of Grounding DINO.

        Raises:
            InputError: no phrase, or an empty one.
            SegmenterError: the finder cannot be loaded.
        """
        now = self._numbers.seen
        by = load_finder(finder, masks=masks, device=self._device)
        found = by.find(replace(now.marked.frame, image=now.small), phrases)
        known = known_parts(now.marked, found.regions, ())
        new = [k for k in range(len(found.regions)) if k not in known]
        if new:
            rows = self._made(self._numbers.adopt(np.array([found.regions.mask(k) for k in new])))
            known |= dict(zip(new, rows, strict=False))  # fewer where the tracker is full
        return [
            Named(known[k], phrase, float(found.regions.scores[k]))
            for k, phrase in enumerate(found.phrases)
            if k in known
        ]

    @_telling
    @_alone
    def union(self, *marks: int | str) -> MarkInfo:
        """A mark of all that the given ones cover. It is drawn in place of them.

        It is computed from their masks in every frame from the newest one on, and like any other it can be
        opened, cited and combined. It is gone when all of them are. Asked for again it is the same.

        Args:
            marks: two or more, by number or label.

        Raises:
            InputError: one of them is not visible in the newest frame, or they are fewer than two.
        """
        return self._made(self._numbers.combine("union", marks))

    @_telling
    @_alone
    def intersection(self, *marks: int | str) -> MarkInfo:
        """A mark of what all the given ones share; gone when one of them is. See `union`.

        Raises:
            InputError: as in `union`, or they share nothing in the newest frame.
        """
        return self._made(self._numbers.combine("intersection", marks))

    @_telling
    @_alone
    def minus(self, mark: int | str, *others: int | str) -> MarkInfo:
        """A mark of what the others leave of the first one; gone when that one is. See `union`.

        Raises:
            InputError: as in `union`, or they leave nothing in the newest frame.
        """
        return self._made(self._numbers.combine("minus", (mark, *others)))

    @_telling
    @_alone
    def watch(
        self,
        condition: Condition,
        *,
        once: bool = False,
        callback: Callable[[WatchEvent], None] | None = None,
        since_s: float | None = None,
    ) -> Watch:
        """Wait for something to happen to marks: see `som_agent.watches`. Every frame is looked at; no model is.

        What holds already in the frame at which the watch begins is an event at once, which says so.

        Args:
            condition: `Near(mark=3, other=4, distance_px=40)` for example; marks by number or label.
            once: the watch is done after the first event.
            callback: called with every event in the thread that steps, after the step, while other threads
                may use the session; it may use it too. What it raises is raised by `step` and by what makes
                marks, after all callbacks were called.
            since_s: begin in the past, with the first frame from this time on that is remembered; what has
                happened since is told at once. With the newest frame by default.

        Raises:
            InputError: a mark that there is not, or a zone outside the picture; it names what there is.
        """
        book = self._numbers.book
        size = None if self._last is None else (self._last.image.shape[1], self._last.image.shape[0])
        wanted = resolved(condition, book.table, max(book.table, default=0), size)
        past = [self._seen(*row) for row in self._recorder.frames()]
        return self._board.add(wanted, past, book.tied.keys(), once=once, callback=callback, since_s=since_s)

    @_alone
    def unwatch(self, watch: Watch | str) -> None:
        """Let a watch, or the one of this id, wait no more.

        Raises:
            InputError: there is no such watch that waits.
        """
        self._board.remove(watch)

    @property
    @_alone
    def watches(self) -> list[Watch]:
        """The watches that wait for something."""
        return self._board.watches

    @property
    @_alone
    def history(self) -> History:
        """The mark table and what was seen so far."""
        size = (0, 0) if self._last is None else (self._last.image.shape[1], self._last.image.shape[0])
        newest = self._numbers.newest
        mask_size = (0, 0) if newest is None else (newest.small.shape[1], newest.small.shape[0])
        return self._recorder.history(
            self._numbers.book.table, size=size, mask_size=mask_size, segmenter=self.segmenter.name
        )

    @property
    @_alone
    def observations(self) -> list[Observation]:
        """What was seen of every mark in the newest frame."""
        return self._recorder.newest

    @property
    def pictures(self) -> Pictures:
        """Draws the frames that are kept for questions."""
        return self._keyframes.pictures

    def recall(self, source: str | Path) -> Pictures:
        """Draws any frame that was looked at, from the file or folder that it came from; for `ask`."""
        from som_agent.recall import Recall
        from som_agent.video.again import frame_again

        read = partial(frame_again, source)
        return Recall(lambda: self.history, read, self.settings.style, self.settings.max_marks).pictures

    def ask(
        self,
        question: str,
        *,
        lmm: str | BaseChatModel = "attributes",
        name: str | None = None,
        asking: Asking | None = None,
        finder: str | Finder | None = None,
        pictures: Pictures | None = None,
    ) -> Answer:
        """Answer a question about everything seen so far; see `som_agent.grounding.ask`.

        Args:
            question: in plain words; marks may be named as `[3]`.
            lmm: `attributes`, `llava:DIR`, `provider:model`, or a LangChain chat model.
            name: what the answer calls the model, where `lmm` is a model.
            asking: how a model is asked.
            finder: a text-prompted segmenter, for what the question is about and no mark is on; without one
                the marks that it may be a part of are opened. Either way it may get new marks.
            pictures: draws any frame, where the source can be read again: see `recall`. Without it only the
                frames that are kept can be shown, a few spread over all.
        """
        from som_agent.grounding import ask
        from som_agent.grounding.search import searcher

        return ask(
            question,
            self.history,
            pictures or self.pictures,
            lmm,
            name=name,
            asking=asking,
            search=searcher(self, finder, pictures or self.pictures),
            newest=lambda: self.history,
        )

    async def aask(
        self,
        question: str,
        *,
        lmm: str | BaseChatModel = "attributes",
        name: str | None = None,
        asking: Asking | None = None,
        finder: str | Finder | None = None,
        pictures: Pictures | None = None,
    ) -> Answer:
        """As `ask`, while the model is waited for the caller's event loop goes on and may `step`.

        `Answer.now` says where the marks are by the time of the answer.
        """
        from som_agent.grounding import aask
        from som_agent.grounding.search import searcher

        return await aask(
            question,
            self.history,
            pictures or self.pictures,
            lmm,
            name=name,
            asking=asking,
            search=searcher(self, finder, pictures or self.pictures),
            newest=lambda: self.history,
        )

    @property
    def tracker(self) -> Tracker:
        """The tracker in use."""
        return self._tracker

    def _new_tracker(self, propagator: str | Propagator, device: str | None) -> Tracker:
        if propagator == "":
            return AssociationTracker(embedder=self.embedder)
        carrier = load_propagator(propagator, device=device)
        return PropagationTracker(carrier, every=self.settings.discover_every, embedder=self.embedder)

    def _made(self, marks: T) -> T:
        """The same marks, remembered: the newest frame has them now, which it had not when it came."""
        now = self._numbers.seen.marked
        self._recorder.renew(self._numbers.observations())
        self._keyframes.renew(now)
        if self._board.watches:
            self._board.update(self._seen(now.index, now.time, self._recorder.newest))
        return marks

    def _seen(self, frame: int, time_s: float, rows: list[Observation]) -> Seen:
        """A frame as watches see it."""
        now = self._numbers.seen
        labels = {row.mark: self._numbers.book.table[row.mark].label for row in rows}
        return Seen(
            frame, time_s, rows, labels, now.marked.size, (now.small.shape[1], now.small.shape[0])
        )
