"""Marks by a phrase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field

from som_agent.errors import InputError
from som_agent.grounding.attributes import answer as computed
from som_agent.history import GONE, OCCLUDED, STATES, VISIBLE, History
from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.actions.sights import LISTED, Sight, sight_of
from som_tools.actions.words import labels, printable
from som_tools.call import Call
from som_tools.sessions import Opened, SessionStore

__all__ = ["FIND", "FindForm"]

PHRASE = 300
"""Characters of a phrase."""


class FindForm(SessionForm):
    """What a model fills in to find something."""

    phrase: str = Field(
        description='What to find, a short noun phrase: "red cup", "largest moving thing", "blue things left '
        'of [3]"'
    )


def _find(store: SessionStore, form: FindForm, call: Call) -> Outcome:
    phrase = " ".join(form.phrase.split())
    if not phrase or len(phrase) > PHRASE:
        raise InputError(f"phrase must have 1 to {PHRASE} characters, got {len(phrase)}")
    opened = store.get(form.session, call)
    if store.finder is not None:
        found = opened.session.find(phrase, finder=store.finder)
        sure = {named.mark.mark: named.score for named in reversed(found)}  # surest first: that one stays
        return _told(opened, phrase, sure, [], "")
    history = opened.session.history
    said = computed(f"Which marks: {phrase}?", history)
    grounded = {known.mark: None for known in said.marks}
    missed = [part.text for part in said.unsupported]
    return _told(opened, phrase, grounded, missed, said.text)


def _told(opened: Opened, phrase: str, sure: dict[int, Any], missed: Sequence[str], how: str) -> Outcome:
    """The marks found, the largest visible ones first, and where each is now."""
    history = opened.session.history
    sights = [sight for mark in sure if (sight := _latest(history, mark)) is not None]
    sights.sort(key=lambda sight: (not _is_now(history, sight), -sight.area))
    name = f'"{printable(phrase, PHRASE)}"'
    found = f"the finder marks {labels([s.info.label for s in sights])} in the newest frame:"
    lines = [f"{name}: {how or found}" if sights else f"{name}: no mark was found."]
    lines += [_line(history, sight, sure[sight.info.mark]) for sight in sights[:LISTED]]
    if len(sights) > LISTED:
        lines.append(f"and {len(sights) - LISTED} more; look says where they are")
    if missed:
        words = ", ".join(f'"{printable(word)}"' for word in missed)
        lines.append(
            f"Not grounded: {words}. Only colour, size, place, motion, order and time of marks were looked "
            "at, not what things are: look with image true to see, or ask."
        )
    data = {
        "session": opened.id,
        "phrase": phrase,
        "marks": [
            {
                **sight.to_json(),
                "sure": None if sure[sight.info.mark] is None else round(sure[sight.info.mark], 4),
                "seen": round(float(history.traces[sight.info.mark].times[sight.row]), 3),
            }
            for sight in sights
        ],
        "not_grounded": list(missed),
        "by": "words" if not sights or sure[sights[0].info.mark] is None else "finder",
    }
    return Outcome("\n".join(lines), data)


def _latest(history: History, mark: int) -> Sight | None:
    """The last sight of a mark, under the state that it has now."""
    trace = history.traces.get(mark)
    if trace is None or not (trace.states == VISIBLE).any():
        return None
    sight = sight_of(history, mark, int(np.flatnonzero(trace.states == VISIBLE)[-1]))
    if _is_now(history, sight):
        return sight
    is_hidden = trace.frames[-1] == history.frames[-1] and trace.states[-1] == OCCLUDED
    return replace(sight, state=STATES[OCCLUDED if is_hidden else GONE])


def _is_now(history: History, sight: Sight) -> bool:
    return bool(history.traces[sight.info.mark].frames[sight.row] == history.frames[-1])


def _line(history: History, sight: Sight, sure: float | None) -> str:
    x0, y0, x1, y1 = (f"{v:.0f}" for v in sight.box)
    colors = f"{sight.colors}, " if sight.colors else ""
    when = history.traces[sight.info.mark].times[sight.row]
    now = "visible now" if sight.state == "visible" else f"{sight.state} now, last seen at {when:.2f} s"
    line = f"[{sight.info.label}] {colors}x {x0} to {x1}, y {y0} to {y1}; {now}"
    return line if sure is None else f"{line}; {sure:.0%} sure"


FIND = Action(
    "find",
    'Find the marks of what a phrase names, in colours, sizes, places, motions and marks: "red cup", '
    '"largest moving thing". Returns them with where they are now, and the words that could not be looked '
    "for. Nothing found is an answer too.",
    FindForm,
    _find,
    keys={
        "session": "its id",
        "phrase": "what was looked for",
        "marks": "mark, label, state now; box, anchor, area, colors of the last sight and its time in seen; "
        "sure: 0 to 1, null where not known",
        "not_grounded": "words that could not be looked for",
        "by": "finder, where a network looked at the newest frame; words, where marks were compared",
    },
    changes=True,  # what a finder finds gets a mark
)
