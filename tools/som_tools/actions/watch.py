"""Waiting for something to happen to marks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from som_agent.errors import InputError
from som_agent.history import History
from som_agent.watches import And, Condition, Or, Then, Watch, WatchEvent, condition_from_json
from som_agent.watches.written import condition_to_json
from som_tools.actions.base import Action, Form, Outcome, SessionForm
from som_tools.actions.checks import check_seconds, known_mark, number
from som_tools.actions.words import counted, printable
from som_tools.call import Call, StoppedError
from som_tools.sessions import Opened, SessionStore

__all__ = ["WATCH", "WatchForm", "When"]

MOST_SET = 20
"""Watches that wait at a time in a session."""
EVENTS = 50
"""Events told by one call; the next call tells the others."""
MOST_WAIT_S = 600.0
LOOKED_S = 0.1
"""Seconds from one look at whether the caller still waits to the next."""
TOLD_S = 0.5
"""Seconds between two progress events."""

Kind = Literal[
    "appears",
    "leaves",
    "comes_back",
    "moves",
    "stops",
    "faster",
    "slower",
    "enters",
    "exits",
    "near",
    "touches",
    "beside",
    "changes_color",
    "changes_size",
]


class When(Form):
    """One condition, flat: each kind uses a few of the fields."""

    kind: Kind = Field(
        description="appears, leaves (is not visible any more), comes_back, moves (begins to), stops (stood "
        "still for seconds), faster or slower (than speed_px_s), enters or exits (zone), near (distance_px "
        "of other), touches (other), beside (side of other), changes_color, changes_size"
    )
    mark: str = Field("", description='The mark, "3"; empty: any mark. near, touches and beside need it')
    other: str = Field("", description="For near, touches, beside: the other mark; empty: any other")
    distance_px: float | None = Field(None, description="For near: pixels between the nearest pixels")
    side: Literal["left_of", "right_of", "above", "below"] | None = Field(
        None, description="For beside: where the mark comes to be of the other"
    )
    zone: list[float] = Field(
        [], description="For enters, exits: [x0, y0, x1, y1], or the corners x, y of a polygon in a row"
    )
    seconds: float | None = Field(None, description="For stops: how long it stood still, 1 if left out")
    speed_px_s: float | None = Field(None, description="For faster, slower: pixels a second")
    to: str = Field("", description='For changes_color: a basic colour, "red"; empty: any other one')
    factor: float | None = Field(None, description="For changes_size: 2 for twice the area, 0.5 for half")
    how: Literal["gone", "hidden"] | None = Field(None, description="For leaves: only gone or only hidden")


class WatchForm(SessionForm):
    """What a model fills in to wait for something."""

    when: Annotated[list[When], WithJsonSchema({"type": "array", "items": When.model_json_schema()})] = Field(
        [], description="What to wait for, one condition or more; empty with watch"
    )
    join: Literal["any", "all", "then"] = Field(
        "any", description="Of several conditions: any, all at once, or the second after the first"
    )
    within_s: float = Field(10.0, description="For then: seconds that may pass in between")
    watch: str = Field("", description='Id of a watch that was set before, "w1": what it found since then')
    once: bool = Field(False, description="Be done after the first event")
    since_s: float | None = Field(
        None, description="Begin in the past, at this second that was watched; left out: now"
    )
    until_s: float | None = Field(
        None, description="Play on until something happens, at most up to this second"
    )
    wait_s: float = Field(
        0.0, description="Live only: wait for something to happen at most so many seconds; 0: return at once"
    )
    stop: bool = Field(False, description="Remove the watch")


def _watch(store: SessionStore, form: WatchForm, call: Call) -> Outcome:
    number("wait_s", form.wait_s, 0, MOST_WAIT_S)
    number("within_s", form.within_s, 0, 1e6)
    check_seconds(since_s=form.since_s, until_s=form.until_s)
    opened = store.get(form.session, call)
    if form.wait_s and opened.kind == "stored" and form.until_s is None:
        raise InputError("a stored video does not go on by itself: give until_s in place of wait_s")
    watch = _known(opened, form) if form.watch.strip() else _new(opened, form)
    events = _taken(watch)
    if not events and not watch.done and not form.stop:
        if form.until_s is not None:
            _play(opened, watch, form.until_s, call)
            events = _taken(watch)
        if not events and form.wait_s:
            events = _waited(opened, watch, form.wait_s, call)
    if form.stop and not watch.done:
        opened.session.unwatch(watch)
    return _told(opened, watch, events)


def _known(opened: Opened, form: WatchForm) -> Watch:
    if form.when:
        raise InputError("watch names one that was set before, and when sets a new one: give one of the two")
    known, wanted = opened.watches, form.watch.strip()
    if wanted not in known:
        names = ", ".join(known) or "none"
        raise InputError(f'there is no watch "{printable(wanted, 40)}" in {opened.id}; there are: {names}')
    return known[wanted]


def _new(opened: Opened, form: WatchForm) -> Watch:
    if not form.when:
        raise InputError("when is empty: say what to wait for, or name a watch that was set before")
    if len(opened.session.watches) >= MOST_SET:
        raise InputError(f"{MOST_SET} watches wait in {opened.id}, the most allowed: stop one first")
    history = opened.session.history
    conditions = [_condition(when, history) for when in form.when]
    condition = conditions[0]
    if len(conditions) > 1:
        if form.join == "then":
            if len(conditions) != 2:
                raise InputError(f"then joins two conditions, got {len(conditions)}")
            condition = Then(conditions[0], conditions[1], form.within_s)
        else:
            condition = (And if form.join == "all" else Or)(tuple(conditions))
    return opened.watch(condition, once=form.once, since_s=form.since_s)


def _condition(when: When, history: History) -> Condition:
    """The condition that a form means; what was left empty is left out."""
    written = {name: value for name, value in when.model_dump().items() if value not in (None, "", [])}
    for name in ("mark", "other"):
        if name in written:
            written[name] = known_mark(history, written[name])
    if corners := written.get("zone"):
        points = [list(corners[k : k + 2]) for k in range(0, len(corners), 2)]
        written["zone"] = {"box": corners} if len(corners) == 4 else {"polygon": points}
    return condition_from_json(written)


def _taken(watch: Watch) -> list[WatchEvent]:
    """What happened and was not told yet."""
    events: list[WatchEvent] = []
    while len(events) < EVENTS and (event := watch.wait(0)) is not None:
        events.append(event)
    return events


def _play(opened: Opened, watch: Watch, until_s: float, call: Call) -> None:
    """Go on until something happens."""
    before = len(watch.events) + watch.dropped

    def stopped() -> bool:
        return call.stopped() or watch.done or len(watch.events) + watch.dropped > before

    try:
        opened.play(until_s, replace(call, stopped=stopped))
    except StoppedError:
        if call.stopped():
            raise


def _waited(opened: Opened, watch: Watch, wait_s: float, call: Call) -> list[WatchEvent]:
    """Wait for something to happen in a session that goes on by itself."""
    end_s, due_s = time.monotonic() + wait_s, 0.0
    while (left_s := end_s - time.monotonic()) > 0 and not opened.ended:
        call.check()
        if time.monotonic() >= due_s:
            due_s = time.monotonic() + TOLD_S
            _tell(opened, call.tell)
        if (event := watch.wait(min(LOOKED_S, left_s))) is not None:
            return [event, *_taken(watch)]
        if watch.done:
            break
    return _taken(watch)


def _tell(opened: Opened, tell: Callable[[dict[str, Any]], None]) -> None:
    newest = opened.session.newest
    if newest is not None:
        told = {"type": "som.watching", "session": opened.id, "video": opened.name, "frame": newest.index}
        tell({**told, "frames": None, "time": round(newest.time, 3)})


def _told(opened: Opened, watch: Watch, events: list[WatchEvent]) -> Outcome:
    newest = opened.session.newest
    now = None if newest is None else round(newest.time, 3)
    goes_on = f"is done: {watch.why_done}" if watch.done else f'waits; ask again with watch "{watch.id}"'
    at = ("no frame yet" if now is None else f"now at {now:.2f} s") + (", ended" if opened.ended else "")
    lines = [f"{counted(len(events), 'event')}; {watch.id} of {opened.id} {goes_on} ({at})"]
    lines += [event.text for event in events]
    if watch.dropped:
        lines.append(f"{watch.dropped} older events were dropped")
    return Outcome(
        "\n".join(lines),
        {
            "session": opened.id,
            "watch": watch.id,
            "condition": condition_to_json(watch.condition),
            "events": [event.to_json() for event in events],
            "more": len(events) == EVENTS,
            "done": watch.done,
            "why_done": watch.why_done,
            "time": now,
            "ended": opened.ended,
        },
    )


WATCH = Action(
    "watch",
    "Wait for something to happen to marks: a mark leaves, stops, comes near another, enters a zone …. Every "
    "frame from now on is checked, without a model. Set one with when; ask for what it found with watch. "
    "until_s plays a stored video on until it happens, wait_s waits in a live one. Returns the events with "
    "times, marks and what was measured.",
    WatchForm,
    _watch,
    keys={
        "session": "its id",
        "watch": "id of the watch",
        "condition": "what it waits for",
        "events": "what happened since the last call: watch, kind, text, time, frame, started_s, already, "
        "marks (mark, frame, time, box, anchor), values",
        "more": "whether there may be more: ask again",
        "done": "whether nothing will happen any more",
        "why_done": "why, or null",
        "time": "seconds of the newest frame, null for none",
        "ended": "whether no more frames come",
    },
    changes=True,
)
