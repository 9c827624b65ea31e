"""Live sessions that are tracked in processes of their own: one interpreter cannot step many at once."""

from __future__ import annotations

from som_tools.workers.pool import Pool
from som_tools.workers.tracker import WorkerTracker

__all__ = ["Pool", "WorkerTracker"]
