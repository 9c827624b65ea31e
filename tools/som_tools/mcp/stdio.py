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
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCMessage
from pydantic import ValidationError

from som_tools.mcp.calls import GONE

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
        put, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        write, take = anyio.create_memory_object_stream[SessionMessage](0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_receive, lines, put)
            tasks.start_soon(_send, take, writer)
            await server.run(read, write, server.create_initialization_options())
            tasks.cancel_scope.cancel()


async def _receive(lines: _Lines, put: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
    with put, suppress(*GONE):
        async for line in lines:
            try:
                message: SessionMessage | Exception = SessionMessage(JSONRPCMessage.model_validate_json(line))
            except ValidationError as error:  # the server tells the client
                message = error
            await put.send(message)


async def _send(take: MemoryObjectReceiveStream[SessionMessage], writer: _Writer) -> None:
    with take:
        async for message in take:
            line = message.message.model_dump_json(by_alias=True, exclude_none=True) + "\n"
            if not await writer.write(line.encode()):
                return


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
            for line in lines if chunk else [*lines, rest]:  # the last one may have no end
                if line.strip():
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

    async def write(self, data: bytes) -> bool:
        """Write all of it; whether that could be done."""
        done: asyncio.Future[bool] = self._loop.create_future()
        self._queue.put((data, done))
        return await done

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
