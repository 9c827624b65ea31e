"""Trying again what failed for the moment, as long as there is time.

Exponential back-off with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
2015), unless the server says how long to wait.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, wait_random_exponential

from som_agent.errors import UnansweredError
from som_agent.lmm.calls.faults import retry_after_s

__all__ = ["Clock", "tried"]

T = TypeVar("T")

_backoff = wait_random_exponential(multiplier=1, max=60)


@dataclass
class Clock:
    """The time that a question has left.

    Attributes:
        limit_s: how long it may take; None for ever.
        now: seconds from some moment on.
        begun_s: when it began, None before that.
    """

    limit_s: float | None
    now: Callable[[], float] = field(default=time.monotonic)
    begun_s: float | None = None

    def start(self) -> float:
        """The moment; the first one is when it began."""
        moment = self.now()
        if self.begun_s is None:
            self.begun_s = moment
        return moment

    @property
    def left_s(self) -> float | None:
        """Seconds until the end, negative after it; None where there is none."""
        if self.limit_s is None or self.begun_s is None:
            return None
        return self.begun_s + self.limit_s - self.now()

    @property
    def over(self) -> str:
        """What is said after the end."""
        limit = f"the limit of {self.limit_s:g} s for the whole question"
        return f"{limit} has passed; a slower model needs a longer one (--max-seconds)"


async def tried(
    once: Callable[[], Awaitable[T]],
    again: Callable[[BaseException | T], bool],
    failed: Callable[[BaseException], str],
    clock: Clock,
    *,
    attempts: int,
    sleep: Callable[[float], Awaitable[None]],
) -> T:
    """What `once` returns, after as many tries as it takes.

    Args:
        once: one try.
        again: whether to try again after this exception or this result.
        failed: an exception as one line.
        clock: no pause goes past its end.
        attempts: most tries.
        sleep: waits for so many seconds.

    Returns:
        The first result that will do, or the last one.

    Raises:
        UnansweredError: tries or time ran out.
        Exception: what `once` raised and `again` does not want again.
    """

    async def attempt() -> T:
        return await once()

    def wait_s(state: RetryCallState) -> float:
        error = _error(state)
        if error is None:
            return 0.0  # a result that will not do was no fault
        told_s = retry_after_s(error)
        if told_s is None or told_s < 1:  # "at once" is no promise that it will be well then
            return (told_s or 0.0) + _backoff(state)
        # All that were told the same would come back at the same moment.
        return told_s * random.uniform(1.0, 1.1)

    def stop(state: RetryCallState) -> bool:
        left_s = clock.left_s
        return state.attempt_number >= attempts or (left_s is not None and state.upcoming_sleep >= left_s)

    def gave_up(state: RetryCallState) -> T:
        error = _error(state)
        if error is None:
            return _result(state)  # type: ignore[no-any-return]
        number = state.attempt_number
        why = f"gave up after {number} {'tries' if number > 1 else 'try'}"
        if number < attempts:
            told = (
                "the server asks to wait" if retry_after_s(error) is not None else "the next pause would take"
            )
            left_s = max(clock.left_s or 0.0, 0.0)
            why += (
                f": {told} {state.upcoming_sleep:.1f} s, and {left_s:.1f} s of {clock.limit_s:g} s are left"
            )
        raise UnansweredError(f"{failed(error)}; {why}") from error

    retrying = AsyncRetrying(
        sleep=sleep,
        retry=lambda state: again(_error(state) or _result(state)),
        wait=wait_s,
        stop=stop,
        retry_error_callback=gave_up,
    )
    result: T = await retrying(attempt)
    return result


def _error(state: RetryCallState) -> BaseException | None:
    assert state.outcome is not None
    return state.outcome.exception()


def _result(state: RetryCallState) -> Any:
    assert state.outcome is not None
    return state.outcome.result()
