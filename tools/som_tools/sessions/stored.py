"""A stored video: tracked as far as it was asked for, and on from there when more is."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from typing import ClassVar

from som_agent.keyframes import Pictures
from som_agent.marks.marked import MarkedFrame
from som_agent.session import Session
from som_agent.video import VideoSource
from som_tools.call import Call
from som_tools.sessions.opened import Opened

__all__ = ["StoredSession"]

PROGRESS_S = 0.5
"""Seconds between two progress events."""


class StoredSession(Opened):
    """A video, a folder of pictures or a picture on disk.

    Args:
        id_: the session's id.
        name: what the caller named.
        owner: whose it is.
        session: a new session.
        path: what `name` stands for.
        source: `path`, opened; it is closed with the session.
    """

    kind: ClassVar[str] = "stored"

    def __init__(
        self, id_: str, name: str, owner: str, session: Session, path: Path, source: VideoSource
    ) -> None:
        super().__init__(id_, name, owner, session)
        self.path, self._source = path, source
        self._frames = iter(source)
        self._playing = Lock()  # two calls that want more share the work
        self._ended = False

    @property
    def pictures(self) -> Pictures:
        """Draws any frame that was seen: it is read again."""
        return self.session.recall(self.path)

    @property
    def ended(self) -> bool:
        """Whether the last frame was seen."""
        return self._ended

    @property
    def duration_s(self) -> float | None:
        """Seconds of the whole video."""
        return self._source.duration

    def play(self, until_s: float | None, call: Call) -> None:
        """See `Opened.play`."""
        with self._playing:
            due = 0.0
            while not self._ended and not self._is_at(until_s):
                call.check()
                frame = next(self._frames, None)
                if frame is None:
                    self._ended, self.problem = True, self._source.problem
                    return
                marked = self.session.step(frame)
                if time.monotonic() >= due:
                    due = time.monotonic() + PROGRESS_S
                    call.tell(self._progress(marked))

    def _is_at(self, until_s: float | None) -> bool:
        newest = self.session.newest
        return until_s is not None and newest is not None and newest.time >= until_s

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
        with self._playing:
            self._ended = True
            self._source.close()
