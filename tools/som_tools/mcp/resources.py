"""What clients read beside the tools: where their sessions stand, the newest marked frame, the tracks.

| resource | what |
|---|---|
| `som://sessions` | the client's sessions, JSON |
| `som://sessions/{session}/frame` | the newest marked frame, PNG |
| `som://sessions/{session}/tracks` | the mark table, and when and where each mark was seen, JSON |
| `som://sessions/{session}/watches` | what is watched for, and what has happened, JSON |
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp.types import Resource, ResourceTemplate
from pydantic import AnyUrl

from som_agent.errors import InputError
from som_agent.grounding.intervals import visible_intervals
from som_agent.history import STATES, VISIBLE, History, MarkInfo, Trace
from som_tools.actions.pictures import LONG_PX, png
from som_tools.mcp.client import Client
from som_tools.sessions import Opened

__all__ = ["SESSIONS", "exists", "listed", "opened_of", "read", "templates", "uri"]

SESSIONS = "som://sessions"
MARKS = 200
"""Marks whose tracks are told, those seen last; the number of all is told with them."""
SPANS = 20
"""Spans of time told of each mark, the newest."""

EVENTS = 50
"""Events told of each watch, the newest."""


@dataclass(frozen=True)
class _Kind:
    """One resource of a session."""

    description: str
    mime: str
    read: Callable[[Opened], dict[str, Any] | bytes]


def _frame(opened: Opened) -> bytes:
    return png(opened.newest.look(LONG_PX).image)


def _tracks(opened: Opened) -> dict[str, Any]:
    history = opened.session.history
    seen_last = sorted(history.traces, key=lambda mark: -_last_seen(history.traces[mark]))
    told = sorted(seen_last[:MARKS])
    return {
        **_standing(opened),
        "size": list(history.size),
        "marks_given": len(history.marks),
        "marks": [_track(history.marks[mark], history.traces[mark], history) for mark in told],
    }


def _last_seen(trace: Trace) -> float:
    return max(trace.times[trace.states == VISIBLE], default=-1.0)


def _track(info: MarkInfo, trace: Trace, history: History) -> dict[str, Any]:
    spans = visible_intervals(trace, frames=history.frames)
    return {
        "mark": info.mark,
        "label": info.label,
        "color": list(info.color),
        "parent": info.parent,
        "made_of": info.made_of,
        "state": STATES[trace.states[-1]] if len(trace) else None,
        "box": [round(float(v), 1) for v in trace.boxes[-1]] if len(trace) else None,
        "anchor": [round(float(v), 1) for v in trace.anchors[-1]] if len(trace) else None,
        "visible": [[round(a, 3), round(b, 3)] for a, b in spans[-SPANS:]],
        "spans": len(spans),
    }


def _watches(opened: Opened) -> dict[str, Any]:
    told = []
    for watch in opened.watches.values():
        written = watch.to_json()
        dropped = written["dropped"] + max(len(written["events"]) - EVENTS, 0)
        told.append({**written, "events": written["events"][-EVENTS:], "dropped": dropped})
    return {**_standing(opened), "watches": told}


def _standing(opened: Opened) -> dict[str, Any]:
    newest = opened.session.newest
    return {
        "session": opened.id,
        "source": opened.name,
        "kind": opened.kind,
        "frame": None if newest is None else newest.index,
        "time": None if newest is None else round(newest.time, 3),
        "duration_s": opened.duration_s,
        "ended": opened.ended,
        "problem": opened.problem,
    }


KINDS = {
    "frame": _Kind("the newest frame with its marks", "image/png", _frame),
    "tracks": _Kind("every mark: its state, when and where it was seen", "application/json", _tracks),
    "watches": _Kind("what is watched for, and what has happened", "application/json", _watches),
}


def uri(session: str, kind: str) -> str:
    """The address of a resource of a session."""
    return f"{SESSIONS}/{session}/{kind}"


def listed(client: Client) -> list[Resource]:
    """All that a client can read."""
    found = [
        Resource(
            uri=AnyUrl(SESSIONS),
            name="sessions",
            description="your open sessions and where they stand",
            mimeType="application/json",
        )
    ]
    for opened in client.store.all(client.call()):
        found += [
            Resource(
                uri=AnyUrl(uri(opened.id, name)),
                name=f"{opened.id} {name}",
                description=f"{kind.description}; session {opened.id} of {opened.name!r}",
                mimeType=kind.mime,
            )
            for name, kind in KINDS.items()
        ]
    return found


def templates() -> list[ResourceTemplate]:
    """How the addresses of a session's resources are made."""
    return [
        ResourceTemplate(
            uriTemplate=uri("{session}", name), name=name, description=kind.description, mimeType=kind.mime
        )
        for name, kind in KINDS.items()
    ]


def opened_of(client: Client, address: str) -> Opened | None:
    """The session that a resource is of; None for the list of them.

    Raises:
        InputError: there is no such resource, or it is of another client, which looks the same.
    """
    if address == SESSIONS:
        return None
    found = re.fullmatch(rf"{SESSIONS}/([^/]+)/({'|'.join(KINDS)})", address)
    if found is None:
        known = ", ".join([SESSIONS, *(uri("ID", name) for name in KINDS)])
        raise InputError(f"there is no resource {address!r}; resources: {known}")
    for opened in client.store.all(client.call()):
        if opened.id == found[1]:  # looking is not asking: a live session that nobody asks for is closed
            return opened
    return client.store.get(found[1], client.call())  # says what became of it


def exists(client: Client, address: str) -> bool:
    """Whether there is such a resource for a client."""
    try:
        opened_of(client, address)
    except InputError:
        return False
    return True


def read(client: Client, address: str) -> tuple[dict[str, Any] | bytes, str]:
    """What a resource holds, and its MIME type.

    Raises:
        InputError: as in `opened_of`, or nothing was seen yet.
    """
    opened = opened_of(client, address)
    if opened is None:
        sessions = [_standing(own) for own in client.store.all(client.call())]
        return {"sessions": sessions}, "application/json"
    client.store.get(opened.id, client.call())
    kind = KINDS[address.rsplit("/", 1)[-1]]
    return kind.read(opened), kind.mime
