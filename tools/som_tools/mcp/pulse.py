"""What a client is told without asking: its resources changed, something that is watched for has happened."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
from mcp.server.session import ServerSession
from pydantic import AnyUrl

from som_agent.errors import InputError
from som_agent.watches import WatchEvent
from som_tools.mcp import resources
from som_tools.mcp.calls import GONE
from som_tools.mcp.client import Client

__all__ = ["LOGGER", "keep_told", "state_of"]

LOOK_S = 0.25
"""Seconds from one look at the client's sessions to the next."""
MOVING_S = 1.0
"""Least seconds between two messages that one resource changed: a camera moves on thirty times a second."""
EVENTS = 20
"""Events of a watch that one look tells, the newest; the resource `…/watches` has more."""
LOGGER = "som_agent.watches"
"""The logger that events are told under, at level "notice"."""


@dataclass
class _Told:
    """What a client knows by now: its sessions, how many events each watch had, when resources were told."""

    sessions: list[str] = field(default_factory=list)
    events: dict[tuple[str, str], int] = field(default_factory=dict)
    when: dict[str, float] = field(default_factory=dict)


@dataclass
class _Seen:
    """What there is: sessions, how many events each watch had and the newest, states of what it follows."""

    sessions: list[str]
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    events: dict[tuple[str, str], list[WatchEvent]] = field(default_factory=dict)
    states: dict[str, object] = field(default_factory=dict)


def state_of(client: Client, address: str) -> object:
    """What changes whenever a resource does.

    Raises:
        InputError: there is no such resource.
    """
    opened = resources.opened_of(client, address)
    if opened is None:
        return [own.id for own in client.store.all(client.call())]
    if address.endswith("/watches"):
        return [(w.id, w.done, w.dropped + len(w.events)) for w in opened.watches.values()]
    newest = opened.session.newest
    return None if newest is None else newest.index, opened.ended


async def keep_told(client: Client) -> None:
    """Tell a client of changes for as long as it is there."""
    told = _Told()
    while True:
        # Nothing moves by itself where nothing is open.
        with anyio.move_on_after(LOOK_S if told.sessions else None):
            await client.stir.wait()
        client.stir = anyio.Event()
        if client.peer is None:
            continue
        # In a thread: a session that takes in a frame lets nobody look meanwhile.
        seen = await anyio.to_thread.run_sync(_look, client)
        try:
            await _tell(client, client.peer, seen, told)
        except GONE:  # the client went away; the server ends what is left of it
            return


def _look(client: Client) -> _Seen:
    own = client.store.all(client.call())
    seen = _Seen([opened.id for opened in own])
    for opened in own:
        for watch in opened.watches.values():
            key, events = (opened.id, watch.id), watch.events
            seen.counts[key], seen.events[key] = watch.dropped + len(events), events[-EVENTS:]
    for address in list(client.followed):
        with suppress(InputError):  # closed since: it has no state any more
            seen.states[address] = state_of(client, address)
    return seen


async def _tell(client: Client, peer: ServerSession, seen: _Seen, told: _Told) -> None:
    if seen.sessions != told.sessions:
        told.sessions = seen.sessions
        await peer.send_resource_list_changed()
    before, told.events = told.events, seen.counts
    for key, events in seen.events.items():
        new = seen.counts[key] - before.get(key, 0)
        for event in events[-new:] if new and client.wants("notice") else []:
            await peer.send_log_message("notice", {"session": key[0], **event.to_json()}, LOGGER)
    for address in list(client.followed):
        if not resources.exists(client, address):
            client.followed.pop(address, None)
    told.when = {address: when for address, when in told.when.items() if address in client.followed}
    for address in sorted(client.followed.keys() & seen.states.keys()):
        now, state = time.monotonic(), seen.states[address]
        is_moving = address.endswith(("/frame", "/tracks"))
        is_early = is_moving and now - told.when.get(address, -MOVING_S) < MOVING_S
        if state != client.followed[address] and not is_early:
            client.followed[address], told.when[address] = state, now
            await peer.send_resource_updated(AnyUrl(address))
