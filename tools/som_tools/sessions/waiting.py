"""Waiting for what may never come: decoders and disks take the time they like, callers do not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as LateError
from threading import Thread
from typing import Generic, TypeVar

from som_agent.errors import InputError

__all__ = ["CHECKED_S", "Ahead", "begun", "waited"]

T = TypeVar("T")

CHECKED_S = 0.1
"""Seconds from one look at whether the caller still waits to the next."""


def begun(work: Callable[[], T]) -> Future[T]:
    """Do something in a thread of its own, which ends with it and keeps no program from ending."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # raised where the result is taken, which is another thread
            future.set_exception(error)

    Thread(target=run, name="reads a frame", daemon=True).start()
    return future


def waited(future: Future[T], wait_s: float, check: Callable[[], None], late: str) -> T:
    """What a thread came up with.

    Args:
        future: from `begun`.
        wait_s: most seconds to wait.
        check: called now and then; may raise.
        late: what the error says where it takes longer.

    Raises:
        InputError: it takes longer.
    """
    end_s = time.monotonic() + wait_s
    while True:
        check()
        try:
            return future.result(timeout=CHECKED_S)
        except LateError:
            if future.done():  # the work's own
                raise
        if time.monotonic() >= end_s:
            raise InputError(late)


class Ahead(Generic[T]):
    """Items of an iterator; the next one is read while the last one is processed.

    Threads live as long as a reading: when nobody wants more, there are none.

    Args:
        items: not used elsewhere.
        what: what the error calls them.
        wait_s: most seconds to wait for one.
    """

    def __init__(self, items: Iterator[T], what: str, wait_s: float) -> None:
        self._items, self._what, self._wait_s = items, what, wait_s
        self._coming: Future[T | None] | None = None

    def next(self, check: Callable[[], None]) -> T | None:
        """The next item, None at the end.

        Args:
            check: called while it is waited for; where it raises, the item is there for the next call.

        Raises:
            InputError: it did not come in time.
        """
        coming = self._coming or self._read()
        self._coming = coming
        item = waited(coming, self._wait_s, check, f"{self._what} gave no frame for {self._wait_s:g} s")
        self._coming = None if item is None else self._read()
        return item

    def _read(self) -> Future[T | None]:
        return begun(lambda: next(self._items, None))
