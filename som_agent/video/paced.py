"""A file that plays at its own pace, as a camera would deliver it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from som_agent.errors import InputError
from som_agent.video.frame import Frame
from som_agent.video.source import VideoSource

__all__ = ["paced"]


def paced(video: VideoSource, *, speed: float = 1.0, loop: bool = False) -> VideoSource:
    """Play a file, a folder or a picture by the clock.

    Args:
        video: its frames; the result takes it over and closes it.
        speed: how many times faster; `math.inf` does not wait at all.
        loop: begin again at the end. Numbers and times of the frames go on.

    Returns:
        A source whose times are those of the playing: seconds from its start; at infinite speed they are the
        video's own. It has no end, `is_live`, where it is looped.

    Raises:
        InputError: a speed that is not above 0.
    """
    if not speed > 0:
        raise InputError(f"speed {speed:g} makes no sense: 1 plays a video as it was taken, 2 twice as fast")
    return _Paced(video, speed, loop)


class _Paced(VideoSource):
    def __init__(self, video: VideoSource, speed: float, loop: bool) -> None:
        self.name, self.size, self.is_live = video.name, video.size, loop
        self._rate = 1.0 if speed == math.inf else speed
        self._waits = speed != math.inf
        self.fps = None if video.fps is None else video.fps * self._rate
        self.frame_count = None if loop else video.frame_count
        self.duration = None if loop or video.duration is None else video.duration / self._rate
        self._video = video
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        start, first, index, at_s, gap_s = time.monotonic(), 0.0, 0, 0.0, 1 / (self.fps or 25.0)
        while not self._stopped.is_set():
            begun, before = at_s, index
            for k, frame in enumerate(self._video):
                first = frame.time if k == 0 else first
                now_s = begun + (frame.time - first) / self._rate
                gap_s = now_s - at_s if k else gap_s
                at_s = now_s
                wait_s = start + at_s - time.monotonic() if self._waits else 0.0
                if self._stopped.wait(wait_s) if wait_s > 0 else self._stopped.is_set():
                    return
                yield replace(frame, index=index, time=at_s)
                index += 1
            self.problem = self._video.problem
            if not self.is_live or index == before:
                return
            at_s += gap_s

    def interrupt(self) -> None:
        """End the iteration, from any thread, in the middle of a wait."""
        self._stopped.set()

    def close(self) -> None:
        """End the iteration and let the video go."""
        self.interrupt()
        self._video.close()
