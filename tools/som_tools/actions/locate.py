"""Where marks are from the camera, for whoever moves it."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from som_agent.bearings import Bearing
from som_agent.errors import InputError
from som_agent.marks.roster import color_words
from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.actions.checks import known_mark
from som_tools.call import Call
from som_tools.sessions import FedSession, SessionStore

__all__ = ["LOCATE", "LocateForm"]

STRAIGHT_DEG = 0.5
"""A direction nearer than this to the camera's is called ahead."""
STILL_M_S = 0.02


class LocateForm(SessionForm):
    """What a model fills in to learn where marks are."""

    marks: list[str] | None = Field(
        None,
        description='Only these marks, ["3", "3a"] for example; left out: all that are visible or hidden',
    )


def _locate(store: SessionStore, form: LocateForm, call: Call) -> Outcome:
    opened = store.get(form.session, call)
    if not isinstance(opened, FedSession):
        raise InputError(
            f"session {opened.id} is {opened.kind}: only a program that feeds frames knows its camera"
        )
    marked, bearings = opened.locate()
    if form.marks is not None:
        history = opened.session.history
        chosen = {known_mark(history, mark) for mark in form.marks}
        bearings = [bearing for bearing in bearings if bearing.mark in chosen]
    colors = {
        row.mark: color_words(np.frombuffer(row.colors, np.uint8)) for row in opened.session.observations
    }
    lines = [f"At {marked.time:.2f} s, {len(bearings)} marks from the camera:"]
    lines += [_line(bearing, colors.get(bearing.mark, "")) for bearing in bearings]
    data: dict[str, Any] = {
        "session": opened.id,
        "time": round(marked.time, 3),
        "frame": marked.index,
        "marks": [b.to_json() | {"colors": colors.get(b.mark, "")} for b in bearings],
    }
    return Outcome("\n".join(lines), data)


def _line(bearing: Bearing, colors: str) -> str:
    """For example "[3] red: 12° right, 3° down, 8° wide, 1.4 m (floor), closing 0.30 m/s"."""
    parts = [
        _turn(bearing.azimuth_deg, "right", "left", "ahead"),
        _turn(bearing.elevation_deg, "up", "down", "level"),
        f"{bearing.width_deg:.0f}° wide" + (", cut by the border" if bearing.cut else ""),
    ]
    if bearing.range_m is not None:
        parts.append(f"{bearing.range_m:.2f} m ({bearing.range_from})")
    if bearing.closing_m_s is not None and abs(bearing.closing_m_s) >= STILL_M_S:
        way = "closing" if bearing.closing_m_s > 0 else "receding"
        parts.append(f"{way} {abs(bearing.closing_m_s):.2f} m/s")
    if bearing.time_to_contact_s is not None:
        parts.append(
            f"here in {bearing.time_to_contact_s:.1f} ± {bearing.time_to_contact_sd_s:.1f} s "
            f"({bearing.contact_from})"
        )
    state = "" if bearing.state == "visible" else f"{bearing.state} for {bearing.age_s:.1f} s, was "
    return f"[{bearing.label}] {colors + ': ' if colors else ''}{state}{', '.join(parts)}"


def _turn(degrees: float, positive: str, negative: str, straight: str) -> str:
    if abs(degrees) < STRAIGHT_DEG:
        return straight
    return f"{abs(degrees):.0f}° {positive if degrees > 0 else negative}"


LOCATE = Action(
    "locate_marks",
    "Where marks are from the camera of a session that a robot feeds: degrees to the right or left and up or "
    "down, how wide they look, their range in metres and where it is from (depth, or where they stand on the "
    "floor), how fast they come nearer, and the seconds until they are here. Left out is what is not known.",
    LocateForm,
    _locate,
    keys={
        "session": "its id",
        "time": "seconds of the frame",
        "frame": "its number",
        "marks": "a row each: mark, label, colors, and what is known of azimuth, elevation, width, range and "
        "approach, in degrees, metres and seconds",
    },
)
