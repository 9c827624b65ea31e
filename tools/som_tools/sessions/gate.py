"""Whose turn it is: sessions share the processor one step each, in the order in which they ask."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

from som_tools.sessions.waiting import CHECKED_S

__all__ = ["Gate", "cores"]

SHARE = 0.7
"""Of the processor that live steps may plan with; the rest is for reading frames and for questions."""


def cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Gate:
    """At most so many steps at once; who asks first is first.

    A session waits for its own step to end before it asks again, so none steps twice while another waits,
    and a long stored video cannot hold up a camera for longer than a step or two.

    Args:
        at_once: steps at a time; as many as there are processors by default.

    Attributes:
        live: sessions that step for as long as they are open; see `budget_ms`.
    """

    def __init__(self, at_once: int | None = None) -> None:
        self.at_once = at_once or cores()
        self.live = 0
        self._changed = Condition()
        self._waiting: deque[object] = deque()
        self._stepping = 0

    @contextmanager
    def turn(self, check: Callable[[], None] = lambda: None) -> Iterator[float]:
        """Wait for a turn and keep it for the block; gives the seconds that it took to come.

        Args:
            check: called while waiting; may raise, and the place in the queue is free again.
        """
        ticket, asked_s = object(), time.perf_counter()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or self._stepping >= self.at_once:
                    check()
                    self._changed.wait(CHECKED_S)
            except BaseException:
                self._waiting.remove(ticket)
                self._changed.notify_all()
                raise
            self._waiting.popleft()
            self._stepping += 1
            self._changed.notify_all()
        try:
            yield time.perf_counter() - asked_s
        finally:
            with self._changed:
                self._stepping -= 1
                self._changed.notify_all()

    @contextmanager
    def lived(self) -> Iterator[None]:
        """Count a live session for the block."""
        with self._changed:
            self.live += 1
        try:
            yield
        finally:
            with self._changed:
                self.live -= 1

    def budget_ms(self, fps: float) -> float:
        """Milliseconds that a step may take so that all live sessions keep to `fps` frames a second."""
        return SHARE * 1000 * self.at_once / (fps * max(self.live, self.at_once))
