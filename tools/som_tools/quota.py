"""How much agents may use."""

from __future__ import annotations

from dataclasses import dataclass

from som_agent.errors import InputError

__all__ = ["Quota"]


@dataclass(frozen=True)
class Quota:
    """The most that the sessions of a store may use.

    What a stored video would take in is known when it is opened, and it is refused there. Where a limit is
    reached later, the session ends: what was seen stays, and `Opened.problem` says why.

    Attributes:
        sessions: open at once.
        seconds: of a stored video that a session takes in.
        frames: that a session takes in.
        pixels: of a frame; larger ones are never decoded.
        out_mb: megabytes that are written.
        live_s: seconds that a live session runs.
        live_fps: frames a second that a live session looks at.
        live_px: long side of the pictures inside a live session, where the settings have a larger one.
        idle_s: seconds without a call after which a live session is closed.
        wait_s: seconds that opening a file or waiting for one of its frames may take.
        probe_mb: megabytes of memory in which a video file must open.
    """

    sessions: int = 8
    seconds: float = 3600.0
    frames: int = 100_000
    pixels: int = 4096 * 2304
    out_mb: int = 1000
    live_s: float = 4 * 3600.0
    live_fps: float = 5.0
    live_px: int = 320
    idle_s: float = 1800.0
    wait_s: float = 20.0
    probe_mb: int = 1000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"quota {name} must be above 0, got {value:g}")

    def reached(self, frames: int, seconds: float) -> str | None:
        """Which limit of what a session takes in is reached, in words; None for none.

        Args:
            frames: that it has.
            seconds: of a stored video, from the first frame to the one that would be next.
        """
        if frames >= self.frames:
            return f"{self.frames} frames are the most that a session takes in"
        if seconds > self.seconds:
            return f"{self.seconds:g} s are the most that a session takes in"
        return None
