"""How a live source fares, and how long it waits before it is tried again."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Backoff", "LiveState"]


@dataclass(frozen=True)
class Backoff:
    """How long to wait before a lost source is opened again: longer each time, and not in step with others.

    Attributes:
        first_s: most seconds before the first try; they double with each.
        most_s: most seconds there are. After a connection that held this long it begins anew.
        jitter: share of the wait that chance may take off, 0 to 1.
    """

    first_s: float = 0.25
    most_s: float = 10.0
    jitter: float = 0.5

    def wait_s(self, tries: int, chance: float) -> float:
        """Seconds to wait after `tries` tries that failed; `chance` is from 0 to 1."""
        return float(min(self.most_s, self.first_s * 2.0 ** min(tries, 60)) * (1 - self.jitter * chance))


@dataclass(frozen=True)
class LiveState:
    """How a live source fares.

    Attributes:
        delivered: frames handed out.
        dropped: frames that a newer one replaced before anyone asked for them.
        reconnects: connections that gave frames again after a loss.
        resized: frames of another size than the first, which were scaled to it.
        clock_jumps: how often the source's own clock went back or leapt.
        frozen_s: seconds for which the picture has been the same, 0 where it changes.
        silent_s: seconds since the last frame came.
        latency_s: from the coming of a frame until it was processed: until the next one was asked for.
        connected: frames are coming, or were until a moment ago.
        trouble: why the last connection was lost, in one line; None where none was.
    """

    delivered: int
    dropped: int
    reconnects: int
    resized: int
    clock_jumps: int
    frozen_s: float
    silent_s: float
    latency_s: float
    connected: bool
    trouble: str | None
