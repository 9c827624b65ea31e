"""Frames that a program pushes: a robot's control loop, whose camera no agent opens."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Condition, Lock
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from som_agent.bearings import Bearing, Bearings, Camera
from som_agent.errors import InputError
from som_agent.marks.marked import MarkedFrame
from som_agent.session import Session
from som_agent.video import Image
from som_tools.call import Call
from som_tools.sessions.opened import Opened

__all__ = ["FedSession"]

CHECKED_S = 0.1
"""Seconds from one look at whether the caller of `play` still waits to the next."""

Depth = npt.NDArray[np.floating]


class FedSession(Opened):
    """A session that a program steps; see `SessionStore.feed`."""

    kind: ClassVar[str] = "fed"

    def __init__(
        self, id_: str, name: str, owner: str, session: Session, camera: Camera | None = None
    ) -> None:
        super().__init__(id_, name, owner, session)
        self._came = Condition()
        self._ended = False
        self._bearings = None if camera is None else Bearings(camera)
        self._locating = Lock()
        self._depth: Depth | None = None
        self._located: tuple[MarkedFrame, Sequence[Bearing]] | None = None

    def step(self, image: Image, time_s: float, depth_m: Depth | None = None) -> MarkedFrame:
        """Take the next frame.

        Args:
            image: `[H, W, 3] uint8` RGB.
            time_s: seconds; it never goes back.
            depth_m: `[H, W]` float, metres along the optical axis, where a sensor knows them.

        Raises:
            InputError: see `Session.step` and `Bearings.update`, or a depth map without a camera.
        """
        if depth_m is not None and self._bearings is None:
            raise InputError(
                f"session {self.id} was given a depth map and has no camera: feed(name, camera=…)"
            )
        with self._locating:
            marked = self.session.step(image, time=time_s)
            self._depth = depth_m
            self._locate(marked)
        with self._came:
            self._came.notify_all()
        return marked

    def locate(self) -> tuple[MarkedFrame, Sequence[Bearing]]:
        """The newest frame, and where its marks are from the camera, those made since it came included.

        Raises:
            InputError: there is no frame yet, or no camera is known.
        """
        if self._bearings is None:
            raise InputError(f"session {self.id} knows no camera, so it cannot say where its marks are")
        with self._locating:
            return self._locate(self.newest)

    def _locate(self, marked: MarkedFrame) -> tuple[MarkedFrame, Sequence[Bearing]]:
        if self._located is None or self._located[0] is not marked:
            found = (
                self._bearings.update(marked, self.session.observations, self._depth)
                if self._bearings
                else ()
            )
            self._located = marked, found
        return self._located

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
