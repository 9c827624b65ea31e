"""A tracker that lives in a worker."""

from __future__ import annotations

from operator import methodcaller

from som_agent.regions import BoolArray, Regions
from som_agent.segmenters.hierarchy import HierarchySegmenter
from som_agent.segmenters.scaled import ScaledSegmenter
from som_agent.tracking import Tracked
from som_agent.video.frame import Frame
from som_tools.workers.child import Step
from som_tools.workers.pool import Pool

__all__ = ["WorkerTracker"]


class WorkerTracker:
    """Tracking by association in another process; it segments there too, where the hierarchy does.

    Every method raises `SomError` once the worker has ended.

    Args:
        pool: makes it.
        segmenter: of the session. Networks stay in the parent, which has loaded them: then their regions
            are sent.
    """

    def __init__(self, pool: Pool, segmenter: ScaledSegmenter) -> None:
        self._held, self._segmenter = pool.hold(), segmenter

    @property
    def wants_regions(self) -> bool:
        """See `Tracker.wants_regions`."""
        return not isinstance(self._segmenter.inner, HierarchySegmenter)

    def update(self, frame: Frame, regions: Regions | None) -> Tracked:
        """See `Tracker.update`."""
        tracked: Tracked = self._held.run(Step(frame, self._segmenter if regions is None else regions))
        return tracked

    def adopt(self, masks: BoolArray, whole: int | None = None) -> list[int]:
        """See `Tracker.adopt`."""
        tracks: list[int] = self._held.run(methodcaller("adopt", masks, whole))
        return tracks

    def correct(self, track: int, mask: BoolArray) -> bool:
        """See `Tracker.correct`."""
        could: bool = self._held.run(methodcaller("correct", track, mask))
        return could

    def ready(self) -> None:
        """Wait until the worker has started."""
        self._held.run(bool)

    def close(self) -> None:
        """Let it go, and the worker when it was its last one."""
        self._held.close()
