"""The server over streamable HTTP, for clients that come and go, on this machine or another."""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from som_agent.errors import OutputError

__all__ = ["PATH", "listen", "serve_http"]

PATH = "/mcp"
BODY_LIMIT = 1 << 20
"""Bytes of the largest request: a question is short, and no video comes this way."""
CLIENTS = 64
"""Clients at once; one more is told to come back later."""
SESSION_HEADER = "mcp-session-id"
LOOK_S = 0.25
"""Seconds from one look for clients that went away to the next."""


def listen(host: str, port: int) -> socket.socket:
    """A socket to serve on.

    Args:
        host: an address of this machine.
        port: 0 takes a free one.

    Raises:
        OutputError: it cannot be had.
    """
    if port > 65535:
        raise OutputError(f"cannot serve on port {port} of {host}: ports end at 65535")
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"cannot serve on port {port} of {host}: {reason}") from error


async def serve_http(
    server: Server[Any, Any],
    listening: socket.socket,
    *,
    hosts: Sequence[str],
    token: str | None,
    keep_s: float,
) -> None:
    """Serve until Ctrl-C.

    Args:
        server: from `make_server`.
        listening: from `listen`.
        hosts: what clients may call this machine, with or without a port; others are refused, so that no web
            page can reach the server under a name of its own.
        token: what every request must bear; None for no check.
        keep_s: seconds for which the sessions of a client are kept whose connection broke off.
    """
    manager = StreamableHTTPSessionManager(
        server,
        security_settings=TransportSecuritySettings(
            allowed_hosts=list(hosts),
            allowed_origins=[f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")],
        ),
        max_request_body_size=BODY_LIMIT,
        max_sessions=CLIENTS,
    )
    door = _Door(manager, None if token is None else f"Bearer {token}".encode(), hosts[0])
    config = uvicorn.Config(
        door, lifespan="off", ws="none", log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    logging.getLogger("mcp.server.streamable_http").addFilter(_is_no_farewell)
    async with manager.run():
        leaving = asyncio.create_task(door.end_those_who_left(keep_s))
        try:
            await uvicorn.Server(config).serve(sockets=[listening])
        finally:
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving


def _is_no_farewell(record: logging.LogRecord) -> bool:
    """Not what the package logs, with a traceback, whenever a client takes its leave."""
    return not (record.exc_info and isinstance(record.exc_info[1], anyio.ClosedResourceError))


def _is_answer(message: Message) -> bool:
    """Whether an event of a stream is the answer to the request; progress has no id."""
    head = bytes(message.get("body", b"")[:200])
    return b'data: {"jsonrpc":"2.0","id":' in head and b'"method":' not in head


@dataclass
class _Door:
    """The ASGI application: who may come in, and who has left.

    MCP says that a broken connection is no cancellation: the client may come back. One that was killed does
    not, and holds videos open. So whoever broke off and has no connection left is ended after a while.
    """

    manager: StreamableHTTPSessionManager
    bearer: bytes | None
    host: str
    connections: dict[str, int] = field(default_factory=dict)
    left: dict[str, float] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        if scope["path"].rstrip("/") != PATH:
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
            return
        # Latin-1 is what headers are decoded from; compare_digest takes no other text.
        if self.bearer is not None and not hmac.compare_digest(
            headers.get("authorization", "").encode("latin-1"), self.bearer
        ):
            refused = PlainTextResponse("Unauthorized", 401, {"www-authenticate": "Bearer"})
            await refused(scope, receive, send)
            return
        session = headers.get(SESSION_HEADER)
        if session is None:  # the first request: it is short
            await self.manager.handle_request(scope, receive, send)
        else:
            await self._visit(session, scope, receive, send)

    async def _visit(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of a client, and note whether it broke off."""
        has_begun = is_answered = is_done = broke_off = False

        async def receive_noting() -> Message:
            nonlocal broke_off
            message = await receive()
            broke_off |= message["type"] == "http.disconnect" and not (is_answered or is_done)
            return message

        async def send_noting(message: Message) -> None:
            nonlocal has_begun, is_answered, is_done
            has_begun |= message["type"] == "http.response.start"
            is_answered |= _is_answer(message)  # clients hang up as soon as they have it
            is_done |= message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        self.connections[session] = self.connections.get(session, 0) + 1
        self.left.pop(session, None)
        try:
            await self.manager.handle_request(scope, receive_noting, send_noting)
            if has_begun and not is_done and not broke_off:  # a stream that the server's own end cut short
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self.connections[session] -= 1
            if not self.connections[session]:
                del self.connections[session]
                if broke_off:
                    self.left[session] = time.monotonic()

    async def end_those_who_left(self, keep_s: float) -> None:
        """End the clients that broke off `keep_s` seconds ago and did not come back."""
        while True:
            await asyncio.sleep(min(LOOK_S, keep_s))
            for session, when in list(self.left.items()):
                if time.monotonic() - when >= keep_s:
                    self.left.pop(session, None)
                    await self._end(session)

    async def _end(self, session: str) -> None:
        """What a client does that takes its leave."""
        scope = {
            "type": "http",
            "method": "DELETE",
            "path": PATH,
            "query_string": b"",
            "headers": [(b"host", self.host.encode()), (SESSION_HEADER.encode(), session.encode("latin-1"))],
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(_: Message) -> None:
            return

        await self.manager.handle_request(scope, receive, send)
