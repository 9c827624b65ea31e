"""Videos tracked for a tool: each once, the last few remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock

from som_agent.session import Session

__all__ = ["Watched", "WatchedVideos"]


@dataclass(frozen=True)
class Watched:
    """A tracked video.

    Attributes:
        session: what was seen, ready for questions.
        problem: one line saying what of the video could not be read, or None.
    """

    session: Session
    problem: str | None


@dataclass
class _Place:
    lock: Lock = field(default_factory=Lock)
    watched: Watched | None = None


class WatchedVideos:
    """At most `capacity` tracked videos, those asked about last.

    Agents call tools in parallel: two questions about one video wait for the same tracking, questions about
    two videos do not wait for each other.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._lock = Lock()
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()

    def get(self, key: Hashable, watch: Callable[[], Watched]) -> Watched:
        """The video of a key, tracked by `watch` if it is not remembered; a failure is not remembered."""
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            while len(self._places) > self.capacity:
                self._places.popitem(last=False)
        with place.lock:
            if place.watched is None:
                place.watched = watch()
            return place.watched
