"""A truth that does not flicker."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["SETTLE_S", "Settled"]

SETTLE_S = 0.06
"""Seconds for which, and frames beside the first one in which, a change must last to be believed."""


@dataclass
class Settled:
    """Whether something holds; a change counts when two frames or more, 0.06 s apart, agree on it.

    That is a delay of one frame at 10 and 15 frames a second, of two at 24 and 30.

    Attributes:
        state: None until something is known.
        since_s: when the state began: the first frame of those that agreed.
        base: what a change is a change from.
        fired: it became true, which was told, and it has held since.
        told_s: when that was.
    """

    state: bool | None = None
    since_s: float = 0.0
    base: object = None
    fired: bool = False
    told_s: float = 0.0
    _other_s: float | None = field(default=None, repr=False)
    _frame: int = field(default=-1, repr=False)

    def take(self, holds: bool | None, time_s: float, frame: int, *, at_once: bool = False) -> bool:
        """Take in what a frame shows, None where it does not show it; whether the state has changed.

        Args:
            holds: what the frame shows.
            time_s: of the frame, which may be one that was taken in before.
            frame: its number.
            at_once: a change is certain without another frame.
        """
        if holds is None:
            return False
        if self.state is None:
            self.state, self.since_s = holds, time_s
            return True
        if holds == self.state:
            self._other_s = None
            return False
        if self._other_s is None:
            self._other_s, self._frame = time_s, frame
        if not at_once and (frame == self._frame or time_s - self._other_s < SETTLE_S):
            return False
        self.state, self.since_s, self._other_s = holds, self._other_s, None
        if not holds:
            self.fired = False
        return True
