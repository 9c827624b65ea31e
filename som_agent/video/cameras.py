"""Cameras, through OpenCV: it knows the ways of every operating system."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from som_agent.errors import InputError
from som_agent.video.frame import Image
from som_agent.video.readers import Stream, UnreadableError

__all__ = ["CameraStream"]


class CameraStream(Stream):
    """A camera by its number. Times are those of a monotonic clock when the frame arrived."""

    duration = None
    expected = None
    is_live = True
    losses = ""

    def __init__(self, number: int) -> None:
        # OpenCV prints warnings of its own about a camera that is not there.
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._capture = cv2.VideoCapture(number)
            # A control loop wants the newest picture, not the oldest of a queue.
            self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            ok, first = self._capture.read()
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not ok:
            self._capture.release()
            raise InputError(f"camera {number} cannot be opened or gives no picture; {_cameras()}")
        self._first: Image | None = np.ascontiguousarray(first[..., ::-1])
        self._start = time.monotonic()
        self.size = (first.shape[1], first.shape[0])
        self.fps = self._capture.get(cv2.CAP_PROP_FPS) or None

    def read(self) -> Iterator[tuple[float, Image]]:
        """Frames as they arrive."""
        if self._first is not None:
            first, self._first = self._first, None
            yield 0.0, first
        while True:
            ok, image = self._capture.read()
            if not ok:
                raise UnreadableError("gives no more pictures", after=-1)
            now = time.monotonic() - self._start
            yield now, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)

    def close(self) -> None:
        """Let the camera go."""
        self._capture.release()


def _cameras() -> str:
    nodes = sorted(str(node) for node in Path("/dev").glob("video[0-9]*"))
    return f"cameras here: {', '.join(nodes)}" if nodes else "no /dev/video* was found on this machine"
