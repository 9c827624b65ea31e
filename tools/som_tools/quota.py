"""How much agents may use."""

from __future__ import annotations

from dataclasses import dataclass

from som_agent.errors import InputError

__all__ = ["Quota"]


@dataclass(frozen=True)
class Quota:
    """The most that the sessions of a store may use.

    Attributes:
        sessions: open at once.
        seconds: of video that a session takes in.
        frames: that a session takes in.
        pixels: of a frame.
        out_mb: megabytes that are written.
    """

    sessions: int = 8
    seconds: float = 3600.0
    frames: int = 100_000
    pixels: int = 4096 * 2304
    out_mb: int = 1000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise InputError(f"quota {name} must be above 0, got {value:g}")
