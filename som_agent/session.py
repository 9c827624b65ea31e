"""The whole pipeline, one frame at a time: regions → tracks → marks → memory → answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from som_agent.answer import Answer
from som_agent.errors import InputError
from som_agent.history import History, Observation
from som_agent.keyframes import KeyframeStore
from som_agent.marks.book import MarkBook
from som_agent.marks.marked import MarkedFrame
from som_agent.marks.steady import SteadyPlacer
from som_agent.observe import Observer
from som_agent.recorder import Recorder
from som_agent.scaling import fit
from som_agent.segmenters import load_segmenter
from som_agent.segmenters.base import Segmenter
from som_agent.settings import Settings
from som_agent.tracking import IouTracker, Tracker
from som_agent.video.frame import Frame, Image

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Session"]


class Session:
    """Frames in, marked frames and answers out; memory is bounded by the settings.

    Args:
        segmenter: a name such as `hierarchy` or `labels:DIR`, or a segmenter.
        settings: see `Settings`.
        tracker: regions per frame → tracks.
        device: where a neural segmenter runs, `cpu` or `cuda:0` for example.

    Attributes:
        segmenter: the segmenter in use.
        settings: the settings in use.
    """

    def __init__(
        self,
        segmenter: str | Segmenter = "hierarchy",
        settings: Settings | None = None,
        *,
        tracker: Tracker | None = None,
        device: str | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.segmenter = load_segmenter(segmenter, device=device)
        self._tracker = tracker or IouTracker()
        self._book = MarkBook(self.settings.max_marks, self.settings.labels)
        self._placer = SteadyPlacer(self.settings.style)
        self._observer = Observer()
        self._recorder = Recorder(self.settings.max_rows)
        self._keyframes = KeyframeStore(self.settings.keyframes)
        self._last: Frame | None = None
        self._mask_size = (0, 0)

    def step(self, image: Image | Frame, *, time: float | None = None) -> MarkedFrame:
        """Take the next frame.

        Args:
            image: `[H, W, 3] uint8` RGB, or a `Frame` with its own number and time.
            time: seconds since the start; needed unless `image` is a `Frame`. It never goes back.

        Raises:
            InputError: not such a picture, another size than before, or a time before the last one.
        """
        frame = self._checked(image, time)
        small = Frame(fit(frame.image, self.settings.size), frame.index, frame.time, frame.name)
        tracked = self._tracker.update(small, self.segmenter.segment(small))
        choice = self._book.choose(tracked)
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
            style=self.settings.style,
            unmarked=choice.unmarked,
        )
        self._mask_size = (small.image.shape[1], small.image.shape[0])
        rows = self._observer.observe(
            marked,
            small.image,
            occluded=self._book.marks_of(tracked.occluded),
            gone=self._book.marks_of(tracked.gone),
        )
        self._recorder.add(frame.index, frame.time, rows)
        self._keyframes.add(marked)
        self._book.forget(tracked.gone, self._recorder.remembered)
        return marked

    def run(self, frames: Iterable[Frame]) -> Iterator[MarkedFrame]:
        """Step through frames."""
        for frame in frames:
            yield self.step(frame)

    @property
    def history(self) -> History:
        """The mark table and what was seen so far."""
        size = (0, 0) if self._last is None else (self._last.image.shape[1], self._last.image.shape[0])
        return self._recorder.history(
            self._book.table, size=size, mask_size=self._mask_size, segmenter=self.segmenter.name
        )

    @property
    def observations(self) -> list[Observation]:
        """What was seen of every mark in the newest frame."""
        return self._recorder.newest

    def ask(
        self, question: str, *, lmm: str | BaseChatModel = "attributes", name: str | None = None
    ) -> Answer:
        """Answer a question about everything seen so far; see `som_agent.grounding.ask`."""
        from som_agent.grounding import ask

        return ask(question, self.history, self._keyframes.pictures, lmm, name=name)

    def _checked(self, image: Image | Frame, time: float | None) -> Frame:
        if isinstance(image, Frame):
            frame = image
        elif time is None:
            raise InputError("step needs the time of the frame in seconds: step(image, time=0.0)")
        else:
            frame = Frame(image, 0 if self._last is None else self._last.index + 1, float(time))
        pixels = frame.image
        if not isinstance(pixels, np.ndarray):
            raise InputError(f"a frame must be [H, W, 3] uint8 RGB, got {type(pixels).__name__}")
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
            raise InputError(
                f"a frame must be [H, W, 3] uint8 RGB, got {pixels.dtype} of shape {pixels.shape}"
            )
        if not math.isfinite(frame.time):
            raise InputError(f"the time of frame {frame.index} is {frame.time}, but must be in seconds")
        if self._last is not None:
            if pixels.shape != self._last.image.shape:
                was, now = (f"{s[1]}x{s[0]} px" for s in (self._last.image.shape, pixels.shape))
                raise InputError(f"frame {frame.index} is {now}, the frames before it are {was}")
            if frame.time < self._last.time:
                raise InputError(
                    f"frame {frame.index} is at {frame.time} s, before the last one ({self._last.time} s)"
                )
        self._last = frame
        return frame
