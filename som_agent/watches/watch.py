"""A watch: what was told so far, and three ways to be told: a callback, waiting, and `async for`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from threading import Condition as Signal
from time import monotonic
from typing import Any

from som_agent.watches.conditions import Condition
from som_agent.watches.event import WatchEvent
from som_agent.watches.written import condition_to_json

__all__ = ["MOST_EVENTS", "Callback", "Watch"]

MOST_EVENTS = 1000
"""Events that a watch keeps; the oldest are dropped and counted."""

Callback = Callable[[WatchEvent], None]


class Watch:
    """What waits for a condition; `Session.watch` makes one. Threads and event loops may share it.

    `async for event in watch` gives every event that is kept from the first one on, then those to come, until
    the watch is done.

    Attributes:
        id: "w1", "w2", ….
        condition: what is waited for, with the numbers of its marks.
        once: it is done after the first event.
    """

    def __init__(self, number: int, condition: Condition, *, once: bool, callback: Callback | None) -> None:
        self.id = f"w{number}"
        self.condition = condition
        self.once = once
        self._callback = callback
        self._signal = Signal()
        self._events: deque[WatchEvent] = deque(maxlen=MOST_EVENTS)
        self._count = 0
        self._waited = 0
        self._why_done: str | None = None
        self._wakers: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"Watch({self.id}, {self.condition!r}, {self._count} events, {self.why_done or 'waiting'})"

    @property
    def events(self) -> list[WatchEvent]:
        """What has happened so far, at most the newest 1000."""
        with self._signal:
            return list(self._events)

    @property
    def dropped(self) -> int:
        """How many events were dropped because there were more."""
        with self._signal:
            return self._count - len(self._events)

    @property
    def done(self) -> bool:
        """Nothing will happen any more; `why_done` says why."""
        return self._why_done is not None

    @property
    def why_done(self) -> str | None:
        """Why nothing will happen any more: it has happened, it can happen no more, or it was removed."""
        return self._why_done

    def wait(self, timeout_s: float | None = None) -> WatchEvent | None:
        """The next event that no call of this method has given yet; waits for it.

        Args:
            timeout_s: most seconds to wait, 0 not to wait; without it as long as it takes.

        Returns:
            None where the time is up, or the watch is done and there is no more.
        """
        end = None if timeout_s is None else monotonic() + timeout_s
        with self._signal:
            while not (new := self._after(self._waited)):
                left = None if end is None else end - monotonic()
                if self.done or (left is not None and left <= 0):
                    return None
                self._signal.wait(left)
            self._waited = self._count - len(new) + 1
            return new[0]

    def __aiter__(self) -> AsyncIterator[WatchEvent]:
        return self._follow()

    async def _follow(self) -> AsyncIterator[WatchEvent]:
        loop, woken, given = asyncio.get_running_loop(), asyncio.Event(), 0

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        with self._signal:
            self._wakers.append(wake)
        try:
            while True:
                woken.clear()
                with self._signal:
                    new, given, done = self._after(given), self._count, self.done
                for event in new:
                    yield event
                if done:
                    return
                await woken.wait()
        finally:
            with self._signal:
                if wake in self._wakers:
                    self._wakers.remove(wake)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        with self._signal:
            return {
                "watch": self.id,
                "condition": condition_to_json(self.condition),
                "once": self.once,
                "done": self.done,
                "why_done": self.why_done,
                "events": [event.to_json() for event in self._events],
                "dropped": self._count - len(self._events),
            }

    def _after(self, count: int) -> list[WatchEvent]:
        """The kept events but the first `count` of all that there were."""
        first = self._count - len(self._events)
        return list(self._events)[max(count - first, 0) :]

    def take(self, event: WatchEvent) -> None:
        """Take in what has happened; of the session."""
        with self._signal:
            self._events.append(event)
            self._count += 1
            self._wake()

    def end(self, why: str) -> None:
        """Be done; of the session. A second reason changes nothing."""
        with self._signal:
            self._why_done = self._why_done or why
            self._wake()

    def call(self, event: WatchEvent) -> None:
        """Tell the callback, if there is one; of the session."""
        if self._callback is not None:
            self._callback(event)

    def _wake(self) -> None:
        self._signal.notify_all()
        for wake in list(self._wakers):
            try:
                wake()
            except RuntimeError:  # its event loop was closed without another word: nobody listens there
                self._wakers.remove(wake)
