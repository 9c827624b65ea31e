"""Opening a video, going on with it, closing it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.actions.sights import moment
from som_tools.call import Call
from som_tools.sessions import Opened, SessionStore

__all__ = ["CLOSE", "OPEN", "PLAY", "OpenForm", "PlayForm", "overview"]


class OpenForm(BaseModel):
    """What a model fills in to open a video."""

    source: str = Field(description="Path of a video file, a picture or a folder of pictures")
    start_s: float | None = Field(None, description="Seconds at which to begin")
    end_s: float | None = Field(None, description="Seconds at which the video ends for you")
    until_s: float | None = Field(
        None, description="Watch only this far for now, in seconds; go on with play. Left out: to the end"
    )


class PlayForm(SessionForm):
    """What a model fills in to go on."""

    until_s: float | None = Field(None, description="Seconds up to which to go on; left out: to the end")


def overview(opened: Opened) -> Outcome:
    """Where a session stands: its newest frame, and the marks in it."""
    history = opened.session.history
    now = moment(history)
    width, height = history.size
    length = "" if opened.duration_s is None else f" of {opened.duration_s:.2f} s"
    lines = [
        f"Session {opened.id} ({opened.kind}): {width}x{height} px, now at {now.time:.2f} s{length}"
        + (", at its end" if opened.ended else ""),
        f"{len(history.marks)} marks were given, {len(now.sights)} are visible now:",
        now.roster(history),
    ]
    if opened.problem:
        lines.append(f"Not all could be read: {opened.problem}")
    data = {
        "session": opened.id,
        "kind": opened.kind,
        "size": [width, height],
        "time": round(now.time, 3),
        "frame": now.frame,
        "duration_s": opened.duration_s,
        "ended": opened.ended,
        "problem": opened.problem,
        "marks_given": sorted(history.marks),
        "marks": [sight.to_json() for sight in now.sights],
    }
    return Outcome("\n".join(line for line in lines if line), data)


def _open(store: SessionStore, form: OpenForm, call: Call) -> Outcome:
    opened = store.open(form.source, call, start_s=form.start_s, end_s=form.end_s)
    try:
        opened.play(form.until_s, call)
        return overview(opened)
    except BaseException:  # a session that nobody has the id of
        store.close(opened.id, call)
        raise


def _play(store: SessionStore, form: PlayForm, call: Call) -> Outcome:
    opened = store.get(form.session, call)
    opened.play(form.until_s, call)
    return overview(opened)


def _close(store: SessionStore, form: SessionForm, call: Call) -> Outcome:
    store.close(form.session, call)
    return Outcome(f"Session {form.session} is closed.", {"session": form.session, "closed": True})


OPEN = Action(
    "open_video",
    "Open a video file, picture or folder of pictures and give every object in it a number, its mark. A mark "
    "names the same object for as long as the session is open. Returns the id of the session, which other "
    "tools need, and the marks that are visible now, each with its colours and box in pixels.",
    OpenForm,
    _open,
    changes=True,
)
PLAY = Action(
    "play",
    "Go on with a session: a stored video is watched up to a moment, a live one is waited for. Returns where "
    "it stands then and the marks that are visible.",
    PlayForm,
    _play,
    changes=True,
)
CLOSE = Action(
    "close_session",
    "Close a session that is not needed any more. Its marks mean nothing after that.",
    SessionForm,
    _close,
    changes=True,
)
