"""A look at one moment of a session."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from som_agent.history import VISIBLE, History
from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.actions.checks import known_mark
from som_tools.actions.pictures import marked_picture, png
from som_tools.actions.sights import moment
from som_tools.actions.words import counted
from som_tools.call import Call
from som_tools.sessions import SessionStore

__all__ = ["LOOK", "LookForm"]


class LookForm(SessionForm):
    """What a model fills in to look."""

    time_s: float | None = Field(None, description="Seconds of a moment that was watched; left out: now")
    marks: list[str] = Field(
        [], description='Only these marks, visible or not, ["3", "3a"]; empty: all that are visible'
    )
    image: bool = Field(False, description="Also give the picture with the marks drawn on it")


def _look(store: SessionStore, form: LookForm, call: Call) -> Outcome:
    opened = store.get(form.session, call)
    history = opened.session.history
    chosen = [known_mark(history, mark) for mark in form.marks] or None
    seen = moment(history, form.time_s, chosen)
    lines = [
        f"At {seen.time:.2f} s (frame {seen.frame}), {counted(len(seen.sights), 'mark')}:",
        seen.roster(history),
    ]
    missing = [mark for mark in chosen or () if mark not in {sight.info.mark for sight in seen.sights}]
    lines += [_missing(history, mark, seen.frame) for mark in dict.fromkeys(missing)]
    data = {
        "session": opened.id,
        "time": round(seen.time, 3),
        "frame": seen.frame,
        "marks": [sight.to_json() for sight in seen.sights],
        "missing": [history.marks[mark].label for mark in dict.fromkeys(missing)],
        "picture": None,
    }
    pictures: tuple[bytes, ...] = ()
    if form.image:
        drawn = marked_picture(opened, seen.frame, [s.info.mark for s in seen.sights if s.state == "visible"])
        if drawn.frame != seen.frame:
            lines.append(f"The picture is of {drawn.time:.2f} s, the nearest one that is kept.")
        data["picture"] = {"time": round(drawn.time, 3), "frame": drawn.frame, "marks": list(drawn.marks)}
        pictures = (png(drawn.image),)
    return Outcome("\n".join(line for line in lines if line), data, pictures)


def _missing(history: History, mark: int, frame: int) -> str:
    """Why a mark has no place in a frame: before its first sight, or long after its last."""
    trace, label = history.traces[mark], history.marks[mark].label
    seen = np.flatnonzero(trace.states == VISIBLE)
    if not len(seen):
        return f"[{label}] is not seen in any frame that is remembered."
    if trace.frames[0] > frame:
        return f"[{label}] is not seen before {trace.times[seen[0]]:.2f} s."
    return f"[{label}] is gone; it was last seen at {trace.times[seen[-1]]:.2f} s."


LOOK = Action(
    "look",
    "Look at one moment of a session: every visible mark with its colours, box in pixels and state, and the "
    "picture with the marks drawn on it if you ask for it.",
    LookForm,
    _look,
    keys={
        "session": "its id",
        "time": "seconds of the frame",
        "frame": "its number",
        "marks": "mark, label, state, box, anchor, area, colors; where not visible those of the last sight",
        "missing": "labels of those asked for that have no place then",
        "picture": "time, frame and marks of the picture, null without one",
    },
)
