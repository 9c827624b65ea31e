"""Frames that a program pushes: a robot's control loop, whose camera no agent opens."""

from __future__ import annotations

from threading import Condition
from typing import ClassVar

from som_agent.errors import InputError
from som_agent.marks.marked import MarkedFrame
from som_agent.session import Session
from som_agent.video import Image
from som_tools.call import Call
from som_tools.sessions.opened import Opened

__all__ = ["FedSession"]

CHECKED_S = 0.1
"""Seconds from one look at whether the caller of `play` still waits to the next."""


class FedSession(Opened):
    """A session that a program steps; see `SessionStore.feed`."""

    kind: ClassVar[str] = "fed"

    def __init__(self, id_: str, name: str, owner: str, session: Session) -> None:
        super().__init__(id_, name, owner, session)
        self._came = Condition()
        self._ended = False

    def step(self, image: Image, time_s: float) -> MarkedFrame:
        """Take the next frame, `[H, W, 3] uint8` RGB, at `time_s`; see `Session.step`."""
        marked = self.session.step(image, time=time_s)
        with self._came:
            self._came.notify_all()
        return marked

    @property
    def ended(self) -> bool:
        """Whether it was closed."""
        return self._ended

    def play(self, until_s: float | None, call: Call) -> None:
        """Wait for frames; see `Opened.play`."""
        if until_s is None:
            raise InputError(f"session {self.id} has no end to wait for: say until when, in seconds")
        with self._came:
            while not self._ended and not ((newest := self.session.newest) and newest.time >= until_s):
                call.check()
                self._came.wait(CHECKED_S)

    def close(self) -> None:
        """See `Opened.close`."""
        with self._came:
            self._ended = True
            self._came.notify_all()
