"""A session that keeps to a time budget on a live source."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from som_agent.budget import Budget
from som_agent.marks.marked import MarkedFrame
from som_agent.regions import IntArray, Regions
from som_agent.segmenters import load_segmenter
from som_agent.segmenters.base import Segmenter
from som_agent.segmenters.scaled import ScaledSegmenter
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.tracking import PropagationTracker, Tracker
from som_agent.video.frame import Frame, Image

__all__ = ["QUALITY", "QUALITY_PROPAGATED", "LiveSession", "Quality"]


@dataclass(frozen=True)
class Quality:
    """How well the segmenter looks.

    Attributes:
        share: of a picture's sides, at which it is segmented.
        apart: factor on the frames from one look to the next.
    """

    share: float
    apart: int = 1


QUALITY = (Quality(1.0), Quality(0.75), Quality(0.5), Quality(0.35))
"""What gives way, in this order, where every frame is segmented."""
QUALITY_PROPAGATED = (
    Quality(1.0),
    Quality(0.75),
    Quality(0.75, apart=2),
    Quality(0.5, apart=2),
    Quality(0.5, apart=4),
    Quality(0.35, apart=4),
)
"""What gives way where a propagator carries masks from look to look."""


class LiveSession:
    """A session whose quality steps down while its steps take too long, and up again when there is room.

    Tracks and masks stay at the size of the settings; only the segmenter looks at smaller pictures and, where
    a propagator carries the masks, less often.

    Args:
        segmenter: a name or a segmenter, as for `Session`; a scaled one is scaled by this session.
        settings: see `Settings`.
        tracker: as for `Session`.
        budget_ms: most milliseconds that a step may take on average; None for no limit.
        notice: told of every change in one line.
        clock: what the steps are timed by, in seconds.

    Attributes:
        session: the session itself.

    Raises:
        InputError: a budget that is not above 0.
    """

    def __init__(
        self,
        segmenter: str | Segmenter = "hierarchy",
        settings: Settings | None = None,
        *,
        tracker: Tracker | None = None,
        budget_ms: float | None = None,
        notice: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        loaded = load_segmenter(segmenter)
        self._scaled = loaded if isinstance(loaded, ScaledSegmenter) else ScaledSegmenter(loaded)
        self.session = Session(self._scaled, settings, tracker=tracker)
        own = self.session.tracker
        self._tracker = own if isinstance(own, PropagationTracker) else None
        self._levels = QUALITY if self._tracker is None else QUALITY_PROPAGATED
        self._budget = None if budget_ms is None else Budget(budget_ms, len(self._levels))
        self._steps_ms: deque[float] = deque()  # the last ones on this level, from one look to the next
        self._notice, self._clock = notice, clock

    def warm_up(self) -> None:
        """Compile and load what the first frames need, so that none is missed meanwhile.

        Made-up pictures are processed by another session, which shares what was loaded and nothing else. A
        segmenter that only reads its regions has none for them: then the regions are made up too.
        """
        settings = replace(
            self.session.settings, discover_every=1
        )  # both frames are looked at: all code runs
        segmenter = _MadeUp() if self._scaled.ready_made else self._scaled
        propagator = None if self._tracker is None else self._tracker.propagator.fresh()
        rehearsal = Session(segmenter, settings, propagator=propagator, embedder=self.session.embedder)
        squares = _squares(settings.size)
        for k, labels in enumerate((squares, np.roll(squares, 2, axis=1))):
            seen = rehearsal.step(_colored(labels), time=float(k))
            _ = seen.image

    @property
    def budget_ms(self) -> float | None:
        """Most milliseconds that a step may take on average; it may be changed between steps."""
        return None if self._budget is None else self._budget.budget_ms

    @budget_ms.setter
    def budget_ms(self, budget_ms: float) -> None:
        new = Budget(budget_ms, len(self._levels))  # which says what makes no sense
        if self._budget is None:
            self._budget = new
        self._budget.budget_ms = budget_ms

    def step(self, frame: Frame) -> MarkedFrame:
        """Take the next frame; see `Session.step`."""
        start = self._clock()
        marked = self.session.step(frame)
        if self._budget is not None:
            self._keep_to(self._budget, 1000 * (self._clock() - start))
        return marked

    def _keep_to(self, budget: Budget, step_ms: float) -> None:
        """Take in how long a step took: a mean from one look to the next, as only looks are slow."""
        every = 1 if self._tracker is None else self._tracker.every
        self._steps_ms.append(step_ms)
        if len(self._steps_ms) < every:
            return
        before, level = budget.level, budget.update(sum(self._steps_ms) / every)
        if level == before:
            self._steps_ms.popleft()
            return
        self._steps_ms.clear()
        quality = self._levels[level]
        self._scaled.share = quality.share
        told = f"segmenting at {quality.share:.0%} of the size"
        if self._tracker is not None:
            self._tracker.every = quality.apart * self.session.settings.discover_every
            told += f", looking at every {_nth(self._tracker.every)}frame"
        what = "over" if level > before else "well within"
        self._notice(f"steps are {what} the budget of {budget.budget_ms:g} ms: {told}")


def _nth(n: int) -> str:
    """What stands between "every" and the noun: "2nd " for 2, nothing for 1."""
    if n == 1:
        return ""
    return f"{n}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')} "


class _MadeUp:
    """The squares of `_squares`, which are ready whatever the frame shows."""

    name = "made-up"

    def segment(self, frame: Frame) -> Regions:
        """See `Segmenter.segment`."""
        return Regions.from_labels(_squares(max(frame.image.shape[:2])))


def _squares(side: int) -> IntArray:
    """Labels 1 to 16 of squares, `[side, side] int32`."""
    cell = -(-side // 4)
    labels = np.arange(1, 17, dtype=np.int32).reshape(4, 4)
    return labels.repeat(cell, axis=0).repeat(cell, axis=1)[:side, :side].copy()


def _colored(labels: IntArray) -> Image:
    """A picture with something to segment: each label in a colour of chance, `[h, w, 3] uint8`."""
    return np.random.default_rng(0).integers(0, 256, (17, 3), np.uint8)[labels]
