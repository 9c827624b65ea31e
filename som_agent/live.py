"""A session that keeps to a time budget on a live source."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from som_agent.budget import Budget
from som_agent.marks.marked import MarkedFrame
from som_agent.segmenters import load_segmenter
from som_agent.segmenters.base import Segmenter
from som_agent.segmenters.scaled import ScaledSegmenter
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video.frame import Frame

__all__ = ["QUALITY", "LiveSession"]

QUALITY = (1.0, 0.75, 0.5, 0.35)
"""What gives way, in this order: the share of a picture's sides at which it is segmented."""


class LiveSession:
    """A session whose quality steps down while its steps take too long, and up again when there is room.

    Tracks and masks stay at the size of the settings; only the segmenter looks at smaller pictures.

    Args:
        segmenter: a name or a segmenter, as for `Session`.
        settings: see `Settings`.
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
        budget_ms: float | None = None,
        notice: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._scaled = ScaledSegmenter(load_segmenter(segmenter))
        self._budget = None if budget_ms is None else Budget(budget_ms, len(QUALITY))
        self._notice, self._clock = notice, clock
        self.session = Session(self._scaled, settings)

    def warm_up(self) -> None:
        """Compile and load what the first frames need, so that none is missed meanwhile.

        A segmenter that only reads its regions has none for a made-up picture: with it nothing is done.
        """
        if self._scaled.ready_made:
            return
        rehearsal = Session(self._scaled, self.session.settings, embedder=self.session.embedder)
        side = self.session.settings.size
        for k, frame in enumerate((_checkers(side), np.roll(_checkers(side), 2, axis=1))):
            seen = rehearsal.step(frame, time=float(k))
            _ = seen.image

    def step(self, frame: Frame) -> MarkedFrame:
        """Take the next frame; see `Session.step`."""
        start = self._clock()
        marked = self.session.step(frame)
        if self._budget is not None:
            self._keep_to(self._budget, 1000 * (self._clock() - start))
        return marked

    def _keep_to(self, budget: Budget, step_ms: float) -> None:
        before = budget.level
        level = budget.update(step_ms)
        if level == before:
            return
        self._scaled.share = QUALITY[level]
        what = "over" if level > before else "well within"
        self._notice(
            f"steps are {what} the budget of {budget.budget_ms:g} ms: "
            f"segmenting at {QUALITY[level]:.0%} of the size"
        )


def _checkers(side: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """A picture with something to segment: squares of chance colours, `[side, side, 3] uint8`."""
    squares = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    cell = -(-side // 4)
    return squares.repeat(cell, axis=0).repeat(cell, axis=1)[:side, :side].copy()
