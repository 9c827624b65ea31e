"""Session time of a live source, whatever the source's own clock does."""

from __future__ import annotations

import math

__all__ = ["SessionClock"]

LEAST_STEP_S = 1e-3
"""Two frames are at least this far apart: a time printed with three digits names one frame."""
TOLERANCE_S = 1.0
"""How far a stream's clock may be from the arrival of its pictures before it is set anew."""
FOLLOWING = 0.01
"""Share of that difference that is taken back with each frame: the clocks of cameras run fast or slow."""


class SessionClock:
    """Turns a stream's times into seconds of the session that only ever grow.

    A stream's own times are evener than those of arrival, and are kept as long as both agree; where they go
    back, stand still, wrap round or leap, the time of arrival says where they go on.

    Attributes:
        jumps: how often the stream's clock went back or leapt in the middle of a connection.
    """

    def __init__(self) -> None:
        self.jumps = 0
        self._offset: float | None = None
        self._stream_s = -math.inf
        self._last = -math.inf

    def restart(self) -> None:
        """The next time comes from another connection, whose clock may start anywhere."""
        self._offset, self._stream_s = None, -math.inf

    def tick(self, arrival_s: float, stream_s: float) -> float:
        """The session's time of the next frame.

        Args:
            arrival_s: when it came, in seconds of a clock that never goes back.
            stream_s: what the stream says; a value that is not finite says nothing.

        Returns:
            Seconds on the scale of `arrival_s`, at least a millisecond after the last frame.
        """
        time_s = arrival_s
        if math.isfinite(stream_s):
            expected = None if self._offset is None else self._offset + stream_s
            if expected is None or stream_s <= self._stream_s or abs(expected - arrival_s) > TOLERANCE_S:
                self.jumps += expected is not None and stream_s != self._stream_s
                self._offset = arrival_s - stream_s
            else:
                time_s = expected
                self._offset = expected - stream_s + FOLLOWING * (arrival_s - expected)
            self._stream_s = stream_s
        self._last = max(time_s, self._last + LEAST_STEP_S)
        return self._last
