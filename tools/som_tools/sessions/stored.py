"""A stored video: tracked as far as it was asked for, and on from there when more is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import ClassVar

from som_agent.errors import InputError
from som_agent.keyframes import Pictures
from som_agent.marks.marked import MarkedFrame
from som_agent.session import Session
from som_agent.video import Frame, VideoSource
from som_tools.call import Call
from som_tools.quota import Quota
from som_tools.sessions.files import CheckedFile
from som_tools.sessions.gate import Gate
from som_tools.sessions.opened import Opened
from som_tools.sessions.waiting import CHECKED_S, Ahead

__all__ = ["PROGRESS_S", "StoredSession"]

PROGRESS_S = 0.5
"""Seconds between two progress events."""


class StoredSession(Opened):
    """A video, a folder of pictures or a picture on disk.

    Args:
        id_: the session's id.
        name: what the caller named.
        owner: whose it is.
        session: a new session.
        file: what `name` stands for.
        source: `file`, opened; it is closed with the session.
        quota: what it may take in.
        gate: whose turn it is to step.
    """

    kind: ClassVar[str] = "stored"

    def __init__(
        self,
        id_: str,
        name: str,
        owner: str,
        session: Session,
        *,
        file: CheckedFile,
        source: VideoSource,
        quota: Quota,
        gate: Gate,
    ) -> None:
        super().__init__(id_, name, owner, session)
        self.path, self._file, self._source = file.path, file, source
        self._quota, self._gate = quota, gate
        self._ahead: Ahead[Frame] = Ahead(iter(source), repr(name), quota.wait_s)
        self._playing = Lock()  # two calls that want more share the work
        self._closed = Event()
        self._ended = False
        self._began_s: float | None = None
        self._frames = 0

    @property
    def pictures(self) -> Pictures:
        """Draws any frame that was seen: it is read again."""
        return self._file.pictures(self.session)

    @property
    def ended(self) -> bool:
        """Whether no more frames will come: the last one was seen, or `problem` says why not."""
        return self._ended or self._closed.is_set()

    @property
    def duration_s(self) -> float | None:
        """Seconds of the whole video."""
        return self._source.duration

    def play(self, until_s: float | None, call: Call) -> None:
        """See `Opened.play`."""

        def check() -> None:
            call.check()
            if self._closed.is_set():
                raise InputError(f"session {self.id} was closed")

        with self._alone(check):
            due = 0.0
            while not self._ended and not self.is_at(until_s):
                check()
                marked = self._step(check)
                if marked is not None and time.monotonic() >= due:
                    due = time.monotonic() + PROGRESS_S
                    call.tell(self._progress(marked))

    def _step(self, check: Callable[[], None]) -> MarkedFrame | None:
        """Take the next frame; None where there is none any more, and `problem` says why that is so."""
        try:
            frame = self._ahead.next(check)
        except InputError as error:
            if not self._frames or self._closed.is_set():
                raise
            self._ended, self.problem = True, str(error)  # what was seen stays
            return None
        if frame is None:
            self._ended, self.problem = True, self._source.problem
            return None
        self._began_s = frame.time if self._began_s is None else self._began_s
        reached = self._quota.reached(self._frames, frame.time - self._began_s)
        if reached:
            self._ended, self.problem = True, f"stopped at {frame.time:.2f} s: {reached}"
            return None
        with self._gate.turn(check):
            marked = self.session.step(frame)
        self._frames += 1
        return marked

    @contextmanager
    def _alone(self, check: Callable[[], None]) -> Iterator[None]:
        while not self._playing.acquire(timeout=CHECKED_S):
            check()
        try:
            yield
        finally:
            self._playing.release()

    def _progress(self, marked: MarkedFrame) -> dict[str, object]:
        return {
            "type": "som.watching",
            "session": self.id,
            "video": self.name,
            "frame": marked.index,
            "frames": self._source.frame_count,
            "time": round(marked.time, 3),
        }

    def close(self) -> None:
        """See `Opened.close`."""
        self._closed.set()
        self._source.close()
