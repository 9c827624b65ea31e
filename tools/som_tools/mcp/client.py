"""One client of the server: whose sessions it sees, and what it wants to be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio

from som_tools.call import Call
from som_tools.sessions import SessionStore

if TYPE_CHECKING:
    from mcp.server.session import ServerSession


__all__ = ["CALLS", "LEVELS", "Client"]

CALLS = 8
"""Calls of one client that run at once; more wait, so that one client cannot take every thread."""
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Of log messages, the least grave first."""


def _owner() -> str:
    return uuid4().hex


@dataclass
class Client:
    """An MCP session; the server makes one at its start and closes the client's sessions at its end.

    Attributes:
        store: the sessions of all clients.
        owner: whose sessions in `store` are its own; never told to anybody.
        peer: what takes its messages; None until the first request.
        followed: resources that it wants to hear of, each with the state of which it knows.
        level: the least grave log messages that it wants.
        room: how many of its calls run at once.
        stir: set when something may have happened that it should be told.
    """

    store: SessionStore
    owner: str = field(default_factory=_owner)
    peer: ServerSession | None = None
    followed: dict[str, object] = field(default_factory=dict)
    level: str = "info"
    room: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(CALLS))
    stir: anyio.Event = field(default_factory=anyio.Event)

    def call(
        self, tell: Callable[[dict[str, Any]], None] | None = None, stopped: Callable[[], bool] | None = None
    ) -> Call:
        """A call of this client."""
        call = Call(self.owner)
        return Call(self.owner, tell or call.tell, stopped or call.stopped)

    def wants(self, level: str) -> bool:
        """Whether it wants log messages of a level."""
        return LEVELS.index(level) >= LEVELS.index(self.level)

    async def close(self) -> None:
        """Close its sessions, even where the client went away and everything else is cancelled."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.store.close_all, self.owner)
