"""Frames as a live source sends them, made into one sequence: one size, growing numbers and times."""

from __future__ import annotations

from som_agent.video.clock import SessionClock
from som_agent.video.frame import Frame, Image
from som_agent.video.letterbox import letterboxed

__all__ = ["Arrivals"]

FROZEN_S = 2.0
"""The same picture for this long is worth a notice."""


class Arrivals:
    """Takes frames of one connection after the other.

    Frames get the size of the first one, scaled and with black bars where the proportions differ, the next
    number, and a time in seconds since the first one.

    Args:
        name: what notices call the source.
        own_times: keep the source's times, which can be relied on: a file's.

    Attributes:
        count: frames taken.
        size: width and height of the first one.
        resized: frames that had another size.
        last_s: when the last frame came, None before the first.
    """

    def __init__(self, name: str, *, own_times: bool = False) -> None:
        self.name, self._own_times = name, own_times
        self.count = self.resized = 0
        self.size = (0, 0)
        self.last_s: float | None = None
        self._first_s: float | None = None
        self._clock = SessionClock()
        self._picture: Image | None = None
        self._same_since_s: float | None = None

    @property
    def clock_jumps(self) -> int:
        """How often the source's own clock went back or leapt in the middle of a connection."""
        return self._clock.jumps

    def restart(self) -> None:
        """What comes next is from another connection, whose clock may start anywhere."""
        self._clock.restart()

    def begin(self) -> None:
        """Number and time the next frame as the first one."""
        self.count, self._first_s = 0, None
        self._clock = SessionClock()

    def frozen_s(self, now_s: float) -> float:
        """Seconds for which the picture has been the same, pixel by pixel; 0 where it changes."""
        return 0.0 if self._same_since_s is None else now_s - self._same_since_s

    def take(self, frame: Frame, now_s: float) -> tuple[Frame, list[str]]:
        """The frame in its place in the sequence, and what there is to say about it, a line each.

        Args:
            frame: as the connection gave it.
            now_s: when it came, in seconds of a clock that never goes back.
        """
        h, w = frame.image.shape[:2]
        if self.last_s is None:
            self.size, self.last_s = (w, h), now_s
        notices = self._stillness(frame.image, now_s)
        if (w, h) != self.size:
            if not self.resized:
                to = "{}x{} px".format(*self.size)
                notices.append(f"the frames of {self.name} are {w}x{h} px now: they are scaled to {to}")
            self.resized += 1
        if self._first_s is None:
            self._first_s = now_s
        jumps = self._clock.jumps
        seconds = self._clock.tick(now_s - self._first_s, frame.time)
        if self._clock.jumps > jumps == 0:
            notices.append(f"the clock of {self.name} leaps: times go on by the arrival of its frames")
        if self._own_times:
            seconds = frame.time
        taken = Frame(letterboxed(frame.image, self.size), self.count, seconds, frame.name)
        self.count += 1
        self.last_s = now_s
        return taken, notices

    def _stillness(self, image: Image, now_s: float) -> list[str]:
        """Keep account of pictures that are all the same."""
        before_s = self.frozen_s(self.last_s or now_s)
        is_same = self._picture is not None and _is_same(self._picture, image)
        self._picture = image
        if not is_same:
            self._same_since_s = None
            return [f"{self.name} moves again after {before_s:.0f} s"] if before_s >= FROZEN_S else []
        if self._same_since_s is None:
            self._same_since_s = self.last_s
        if before_s < FROZEN_S <= self.frozen_s(now_s):
            return [f"{self.name} has shown the same picture for {FROZEN_S:g} s"]
        return []


def _is_same(a: Image, b: Image) -> bool:
    """Whether two pictures are one and the same; a few rows tell for most that are not."""
    return a.shape == b.shape and bool((a[::16] == b[::16]).all() and (a == b).all())
