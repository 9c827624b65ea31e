"""What a client is told without asking: its resources changed."""

from __future__ import annotations

import time

import anyio
from mcp.server.session import ServerSession
from pydantic import AnyUrl

from som_agent.errors import InputError
from som_tools.mcp import resources
from som_tools.mcp.calls import GONE
from som_tools.mcp.client import Client

__all__ = ["keep_told"]

LOOK_S = 0.25
"""Seconds from one look at the client's sessions to the next."""
MOVING_S = 1.0
"""Least seconds between two messages that one resource changed: a camera moves on thirty times a second."""


async def keep_told(client: Client) -> None:
    """Tell a client of changes for as long as it is there."""
    known: list[str] = []
    told: dict[str, tuple[object, float]] = {}  # resource → what it was, and when that was told
    while True:
        # Nothing moves by itself where nothing is open.
        with anyio.move_on_after(LOOK_S if known else None):
            await client.stir.wait()
        client.stir = anyio.Event()
        if client.peer is None:
            continue
        try:
            ids = [opened.id for opened in client.store.all(client.call())]
            if ids != known:
                known = ids
                await client.peer.send_resource_list_changed()
            await _tell_updates(client, client.peer, ids, told)
        except GONE:  # the client went away; the server ends what is left of it
            return


async def _tell_updates(
    client: Client, peer: ServerSession, ids: list[str], told: dict[str, tuple[object, float]]
) -> None:
    for address in told.keys() - client.subscribed:
        del told[address]
    for address in sorted(client.subscribed):
        try:
            opened = resources.opened_of(client, address)
        except InputError:  # closed since
            client.subscribed.discard(address)
            continue
        if opened is None:
            state: object = tuple(ids)
        else:
            newest = opened.session.newest
            state = (None if newest is None else newest.index, opened.ended)
        now = time.monotonic()
        if address not in told:  # what it was when it was subscribed to, the client reads itself
            told[address] = (state, -MOVING_S)
        before, when = told[address]
        if state != before and now - when >= MOVING_S:
            told[address] = (state, now)
            await peer.send_resource_updated(AnyUrl(address))
