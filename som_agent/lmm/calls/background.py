"""One event loop for all calls of the process, in a thread of its own.

The HTTP clients that LangChain shares between models belong to the loop that used them first. So there is one
loop, and code without a loop, or with a loop of its own (a notebook, a server), hands its work to it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["await_there", "run"]

T = TypeVar("T")

_POLL_S = 0.2  # Ctrl-C does not end a wait for a lock on Windows
_STOP_S = 5.0  # what a cancelled task gets to close its connections

_lock = threading.Lock()
_loops: list[tuple[threading.Thread, asyncio.AbstractEventLoop]] = []


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that runs on the background loop; the calling thread waits.

    Ctrl-C, or any exception that is raised in the waiting thread, cancels it. The caller may be inside a
    running loop of its own, which then waits, too: `await_there` does not make it wait.

    Raises:
        RuntimeError: called on the background loop itself, which would wait for itself for ever.
    """
    loop = _loop()
    if _is_running(loop):
        coroutine.close()
        raise RuntimeError(
            "run() was called on the background loop, which would wait for itself: await instead"
        )
    ended = threading.Event()
    future = asyncio.run_coroutine_threadsafe(_announced(coroutine, ended), loop)
    try:
        while not concurrent.futures.wait([future], timeout=_POLL_S).done:
            pass
    except BaseException:
        future.cancel()
        ended.wait(_STOP_S)
        raise
    return future.result()


async def await_there(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that runs on the background loop, awaited from any loop.

    To cancel it here cancels it there.
    """
    loop = _loop()
    if _is_running(loop):
        return await coroutine
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))


async def _announced(coroutine: Coroutine[Any, Any, T], ended: threading.Event) -> T:
    try:
        return await coroutine
    finally:
        ended.set()


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:  # none runs in this thread
        return False


def _loop() -> asyncio.AbstractEventLoop:
    with _lock:
        if _loops and _loops[-1][0].is_alive():
            return _loops[-1][1]
        # The first call, or the first after a fork: threads do not come along.
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_forever, args=(loop,), name="som-agent-calls", daemon=True)
        _loops.append((thread, loop))
        thread.start()
        return loop


def _forever(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
