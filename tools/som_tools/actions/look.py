"""A look at one moment of a session."""

from __future__ import annotations

from pydantic import Field

from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.actions.pictures import marked_picture, png
from som_tools.actions.sights import known_mark, moment
from som_tools.call import Call
from som_tools.sessions import SessionStore

__all__ = ["LOOK", "LookForm"]


class LookForm(SessionForm):
    """What a model fills in to look."""

    time_s: float | None = Field(None, description="Seconds of a moment that was seen; left out: now")
    marks: list[int | str] | None = Field(
        None, description="Only these marks, visible or not; left out: all that are visible"
    )
    image: bool = Field(False, description="Also give the picture with the marks drawn on it")


def _look(store: SessionStore, form: LookForm, call: Call) -> Outcome:
    opened = store.get(form.session, call)
    history = opened.session.history
    chosen = None if form.marks is None else [known_mark(history, mark) for mark in form.marks]
    seen = moment(history, form.time_s, chosen)
    text = f"At {seen.time:.2f} s (frame {seen.frame}), {len(seen.sights)} marks:\n{seen.roster(history)}"
    data = {
        "session": opened.id,
        "time": round(seen.time, 3),
        "frame": seen.frame,
        "marks": [sight.to_json() for sight in seen.sights],
    }
    if not form.image:
        return Outcome(text.rstrip(), data)
    drawn = marked_picture(opened, seen.frame, [s.info.mark for s in seen.sights if s.state == "visible"])
    if drawn.frame != seen.frame:
        text += f"\nThe picture is of {drawn.time:.2f} s, the nearest one that is kept."
    data["picture"] = {"time": round(drawn.time, 3), "frame": drawn.frame, "marks": list(drawn.marks)}
    return Outcome(text.rstrip(), data, (png(drawn.image),))


LOOK = Action(
    "look",
    "Look at one moment of a session: every visible mark with its colours, box in pixels and state, and the "
    "marked picture if you ask for it.",
    LookForm,
    _look,
)
