"""Opening a video, going on with it, closing it, and which ones are open."""

from __future__ import annotations

from pydantic import Field

from som_agent.history import History
from som_tools.actions.base import Action, Form, Outcome, SessionForm
from som_tools.actions.checks import check_seconds
from som_tools.actions.sights import moment
from som_tools.actions.words import printable
from som_tools.call import Call
from som_tools.sessions import Opened, SessionStore

__all__ = ["CLOSE", "OPEN", "PLAY", "SESSIONS", "OpenForm", "PlayForm", "overview"]

_OVERVIEW = {
    "session": "its id",
    "source": "what was opened",
    "kind": "stored, live or fed",
    "size": "width and height in pixels",
    "time": "seconds of the newest frame",
    "frame": "its number",
    "duration_s": "seconds of the whole source; null where not known",
    "ended": "whether no more frames come",
    "problem": "what could not be read, or null",
    "marks_given": "numbers of all marks so far",
    "marks": "the visible ones: mark, label, state, box, anchor, area, colors",
}


class OpenForm(Form):
    """What a model fills in to open a video."""

    source: str = Field(
        description="Path of a video file, a picture or a folder of pictures; where that is allowed also a "
        'camera, "0", or the address of a stream, "rtsp://…"'
    )
    start_s: float | None = Field(None, description="Seconds at which to begin")
    end_s: float | None = Field(None, description="Seconds at which the video ends for you")
    until_s: float | None = Field(
        None, description="Watch only this far for now, in seconds; go on with play. Left out: to the end"
    )
    live: bool = Field(
        False,
        description="Play a file at its own pace as a camera would; cameras and streams always are live",
    )


class PlayForm(SessionForm):
    """What a model fills in to go on."""

    until_s: float | None = Field(
        None, description="Seconds up to which to go on; left out: to the end, which only stored videos have"
    )


def overview(opened: Opened) -> Outcome:
    """Where a session stands: its newest frame, and the marks in it."""
    history = opened.session.history
    now = moment(history)
    width, height = history.size
    lines = [
        f"{_standing(opened, history)}: {width}x{height} px",
        f"{len(history.marks)} marks were given, {len(now.sights)} are visible now:",
        now.roster(history),
    ]
    if opened.problem:
        lines.append(f"Not all could be read: {printable(opened.problem)}")
    data = {
        "session": opened.id,
        "source": opened.name,
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


def _standing(opened: Opened, history: History) -> str:
    """Session, source and how far it was watched, in words."""
    length = "" if opened.duration_s is None else f" of {opened.duration_s:.2f} s"
    at = f"now at {history.times[-1]:.2f} s{length}" if len(history.times) else "no frame yet"
    end = ", ended" if opened.ended else ""
    return f'Session {opened.id} ({opened.kind} "{printable(opened.name)}"), {at}{end}'


def _open(store: SessionStore, form: OpenForm, call: Call) -> Outcome:
    check_seconds(start_s=form.start_s, end_s=form.end_s, until_s=form.until_s)
    opened = store.open(form.source, call, start_s=form.start_s, end_s=form.end_s, live=form.live)
    try:
        if opened.kind == "stored" or form.until_s is not None:  # a live one has its first frame
            opened.play(form.until_s, call)
        return overview(opened)
    except BaseException:  # a session that nobody has the id of
        store.abandon(opened)
        raise


def _play(store: SessionStore, form: PlayForm, call: Call) -> Outcome:
    check_seconds(until_s=form.until_s)
    opened = store.get(form.session, call)
    opened.play(form.until_s, call)
    return overview(opened)


def _close(store: SessionStore, form: SessionForm, call: Call) -> Outcome:
    store.close(form.session, call)
    return Outcome(f"Session {form.session} is closed.", {"session": form.session, "closed": True})


def _sessions(store: SessionStore, _: Form, call: Call) -> Outcome:
    rows, lines = [], []
    for opened in store.all(call):
        history = opened.session.history
        time_s = round(float(history.times[-1]), 3) if len(history.times) else None
        marks = len(history.marks)
        lines.append(f"{_standing(opened, history)}, {marks} marks")
        rows.append(
            {
                "session": opened.id,
                "source": opened.name,
                "kind": opened.kind,
                "time": time_s,
                "ended": opened.ended,
                "marks": marks,
            }
        )
    return Outcome("\n".join(lines) or "No session is open; open_video opens one.", {"sessions": rows})


OPEN = Action(
    "open_video",
    "Open a video file, picture or folder of pictures and give every object in it a number, its mark. A mark "
    "names the same object for as long as the session is open and is cited as [3]. Returns the session's id, "
    "which the other tools need, and the marks visible now with colours and box in pixels.",
    OpenForm,
    _open,
    keys=_OVERVIEW,
    changes=True,
)
PLAY = Action(
    "play",
    "Go on with a session: a stored video is watched up to a moment, a live one is waited for. Returns where "
    "it stands then and the visible marks.",
    PlayForm,
    _play,
    keys=_OVERVIEW,
    changes=True,
)
SESSIONS = Action(
    "sessions",
    "List the sessions that are open: ids, sources and how far each was watched. Call it when you do not "
    "know the id, or when another program opened the camera.",
    Form,
    _sessions,
    keys={"sessions": "a row each: session, source, kind, time, ended, marks (how many were given)"},
)
CLOSE = Action(
    "close_session",
    "Close a session that is not needed any more. Its marks mean nothing after that.",
    SessionForm,
    _close,
    keys={"session": "its id", "closed": "true"},
    changes=True,
)
