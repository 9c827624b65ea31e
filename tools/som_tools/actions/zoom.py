"""A mark opened: its parts become marks."""

from __future__ import annotations

from pydantic import Field

from som_agent.marks.roster import kinship, roster_line
from som_agent.marks.zoom import Zoom
from som_agent.segmenters.base import is_ready_made
from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.actions.checks import known_mark, newest_sight, number
from som_tools.actions.pictures import LONG_PX, png
from som_tools.actions.sights import LISTED, sight_of
from som_tools.actions.words import counted
from som_tools.call import Call
from som_tools.sessions import SessionStore

__all__ = ["ZOOM", "ZoomForm"]


class ZoomForm(SessionForm):
    """What a model fills in to open a mark."""

    mark: str = Field(description='The mark to open, "3"')
    max_parts: int = Field(12, description="Most parts to mark, the largest ones")
    image: bool = Field(False, description="Also give the enlarged picture with the parts marked")


def _zoom(store: SessionStore, form: ZoomForm, call: Call) -> Outcome:
    number("max_parts", form.max_parts, 1, 100)
    opened = store.get(form.session, call)
    session = opened.session
    mark = known_mark(session.history, form.mark)
    newest_sight(session.history, mark)
    anew = "hierarchy" if is_ready_made(session.segmenter) else None  # those have no parts of anything
    zoom = session.zoom(mark, segmenter=anew, max_marks=form.max_parts)
    history = session.history
    parts, lines = [], []
    for info, part in zip(zoom.marked.infos, zoom.marks, strict=True):
        trace = history.traces.get(info.mark)
        colors = sight_of(history, info.mark, len(trace) - 1).colors if trace is not None and trace else ""
        followed = info.mark not in zoom.untracked
        parts.append(
            {
                "mark": info.mark,
                "label": info.label,
                "box": [round(v, 1) for v in part.box],
                "anchor": [round(v, 1) for v in part.anchor],
                "area": part.area,
                "colors": colors,
                "followed": followed,
            }
        )
        state = f"{part.area} px" + ("" if followed else "; too small to be followed")
        lines.append(roster_line(info.label, colors, part.box, state + kinship(info, history.marks)))
    return Outcome(
        "\n".join([_head(zoom, len(parts)), *lines[:LISTED]]),
        {
            "session": opened.id,
            "mark": zoom.parent.mark,
            "label": zoom.parent.label,
            "time": round(zoom.marked.time, 3),
            "frame": zoom.marked.index,
            "box": [round(float(v), 1) for v in zoom.box],
            "parts": parts,
            "more": zoom.marked.unmarked,
        },
        (png(zoom.look(LONG_PX).image),) if form.image else (),
    )


def _head(zoom: Zoom, count: int) -> str:
    what = f"[{zoom.parent.label}] at {zoom.marked.time:.2f} s"
    if not count:
        return f"{what} has no parts that can be told apart."
    more = f", {zoom.marked.unmarked} smaller ones are not marked" if zoom.marked.unmarked else ""
    return f"{what} has {counted(count, 'part')} with a mark from now on{more}:"


ZOOM = Action(
    "zoom",
    "Open a mark to tell its parts apart: they become marks of their own, 3a and 3b, and are followed from "
    "here on. Call it when a thing that you need is only a part of a mark. Works on what is visible in the "
    "newest frame. Returns the parts with colours, box and area in pixels.",
    ZoomForm,
    _zoom,
    keys={
        "session": "its id",
        "mark": "number of the opened mark",
        "label": "its label",
        "time": "seconds of the frame",
        "frame": "its number",
        "box": "x0, y0, x1, y1 of the close-up in source pixels",
        "parts": "mark, label, box, anchor, area, colors; followed: false where too small to be followed",
        "more": "parts that got no mark",
    },
    changes=True,
)
