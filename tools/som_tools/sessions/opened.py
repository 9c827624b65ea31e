"""What every open session has, wherever its frames come from."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from threading import Lock
from typing import ClassVar

from som_agent.errors import InputError
from som_agent.keyframes import Pictures
from som_agent.marks.marked import MarkedFrame
from som_agent.session import Session
from som_agent.watches import Condition, Watch
from som_tools.call import Call

__all__ = ["Opened"]

KEPT = 100
"""Watches of a session that can be asked for, those that are done included."""


class Opened(ABC):
    """A session under an id that a model can repeat.

    Attributes:
        id: "v1", "v2", ….
        name: what the caller named as source.
        owner: whose it is; see `Call.owner`.
        session: the session; threads may share it.
        kind: "stored", "live" or "fed".
        problem: one line saying what could not be read, or why no more frames come; None where all is well.
        asked_s: when it was asked for last, `time.monotonic()`.
        holders: calls that opened it, which share a stored one; see `SessionStore.abandon`.
    """

    kind: ClassVar[str]
    problem: str | None = None

    def __init__(self, id_: str, name: str, owner: str, session: Session) -> None:
        self.id, self.name, self.owner, self.session = id_, name, owner, session
        self.asked_s, self.holders = time.monotonic(), 0
        self._watches: dict[str, Watch] = {}
        self._watching = Lock()

    def watch(self, condition: Condition, *, once: bool = False, since_s: float | None = None) -> Watch:
        """As `Session.watch`, and remembered when it is done, which the session forgets then."""
        watch = self.session.watch(condition, once=once, since_s=since_s)
        with self._watching:
            self._watches[watch.id] = watch
            done = [id_ for id_, known in self._watches.items() if known.done]
            for id_ in done[: max(len(self._watches) - KEPT, 0)]:
                del self._watches[id_]
        return watch

    @property
    def watches(self) -> dict[str, Watch]:
        """The watches that agents set, by id, in the order in which they did."""
        with self._watching:
            return dict(self._watches)

    @property
    def newest(self) -> MarkedFrame:
        """The newest frame: what "now" is.

        Raises:
            InputError: no frame has come yet.
        """
        newest = self.session.newest
        if newest is None:
            raise InputError(f"session {self.id} has no frame yet")
        return newest

    @property
    def pictures(self) -> Pictures:
        """Draws frames that were seen, or the nearest ones that are kept."""
        return self.session.pictures

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether no more frames will come."""

    @property
    def duration_s(self) -> float | None:
        """Seconds of the whole source; None where it is not known or has no end."""
        return None

    @abstractmethod
    def play(self, until_s: float | None, call: Call) -> None:
        """Go on until the newest frame is at `until_s` or later, or to the end where it is None.

        A stored video is tracked; others are waited for.

        Raises:
            StoppedError: the caller went away; the session stays where it is by then.
            InputError: nothing to wait for without an end, a frame that cannot be used, or the session was
                closed meanwhile.
        """

    @abstractmethod
    def close(self) -> None:
        """Let files, cameras and threads go, within about a second; who waits in `play` is told."""

    def is_at(self, until_s: float | None) -> bool:
        """Whether the newest frame is at `until_s` or later; never where that is None."""
        newest = self.session.newest
        return until_s is not None and newest is not None and newest.time >= until_s
