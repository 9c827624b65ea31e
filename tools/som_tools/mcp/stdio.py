"""The server on stdin and stdout, for the one client that started it.

Stdout is the client's: whatever else this process or a library in C prints goes to stderr. Both ends are
served by daemon threads, so that Ctrl-C ends a server that waits for a line, or for a client that reads none.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

__all__ = ["serve_stdio"]

CHUNK = 1 << 16
LINE_LIMIT = 4 << 20
"""Bytes of the longest message that is read; what clients send is short."""

log = logging.getLogger("som_tools.mcp")


async def serve_stdio(server: Server[Any, Any]) -> None:
    """Serve until the client closes stdin or reads stdout no more."""
    with _own_stdout() as out:
        lines = _Lines(0)
        writer = _Writer(out, lost=lines.end)
        stdin: Any = lines  # the two methods of an `anyio.AsyncFile` that are used
        stdout: Any = writer
        async with stdio_server(stdin, stdout) as (read, write):
            await server.run(read, write, server.create_initialization_options())


@contextmanager
def _own_stdout() -> Iterator[int]:
    """A descriptor of the real stdout; whoever writes to descriptor 1 meanwhile writes to stderr."""
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        yield out
    finally:
        os.dup2(out, 1)  # and `out` stays open: a thread may still wait to write to it


class _Lines:
    """The lines of a descriptor, for `async for`. It is read directly: a buffer's lock would outlive us."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        threading.Thread(target=self._read, name="som-stdin", daemon=True).start()

    def end(self) -> None:
        """Give no more lines; any thread may say so."""
        self._put(None)

    async def __aiter__(self) -> AsyncIterator[str]:
        while (line := await self._queue.get()) is not None:
            yield line

    def _put(self, line: str | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._queue.put_nowait, line)

    def _read(self) -> None:
        rest = b""
        while True:
            try:
                chunk = os.read(self._descriptor, CHUNK)
            except OSError:
                chunk = b""
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._put(line.decode("utf-8", errors="replace"))
            if len(rest) > LINE_LIMIT:
                log.error("a message is longer than %d bytes; nothing more is read", LINE_LIMIT)
            elif chunk:
                continue
            self.end()
            return


class _Writer:
    """Writes to a descriptor; `lost` is called, in a thread, once nobody reads it."""

    def __init__(self, descriptor: int, lost: Callable[[], None]) -> None:
        self._descriptor, self._lost = descriptor, lost
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[bytes, asyncio.Future[bool]]] = SimpleQueue()
        threading.Thread(target=self._write, name="som-stdout", daemon=True).start()

    async def write(self, text: str) -> None:
        """Write all of it.

        Raises:
            anyio.ClosedResourceError: nobody reads any more.
        """
        done: asyncio.Future[bool] = self._loop.create_future()
        self._queue.put((text.encode(), done))
        if not await done:
            raise anyio.ClosedResourceError

    async def flush(self) -> None:
        """Nothing: there is no buffer."""

    def _write(self) -> None:
        while True:
            data, done = self._queue.get()
            view = memoryview(data)
            try:
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError:
                self._lost()
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_settle, done, not view)


def _settle(done: asyncio.Future[bool], value: bool) -> None:
    if not done.done():
        done.set_result(value)
