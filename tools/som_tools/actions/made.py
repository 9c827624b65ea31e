"""Marks that agents make: by pointing, and of other marks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field

from som_agent.errors import InputError
from som_agent.history import VISIBLE, History, MarkInfo
from som_agent.marks.roster import kinship
from som_agent.marks.zoom import SAME_IOU
from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.actions.checks import known_mark, newest_sight
from som_tools.actions.pictures import marked_picture, png
from som_tools.actions.sights import sight_of
from som_tools.actions.words import labels, px
from som_tools.call import Call
from som_tools.sessions import Opened, SessionStore

__all__ = ["COMBINE", "MARK_OBJECT", "CombineForm", "MarkForm", "told"]

_KEYS = {
    "session": "its id",
    "mark": "number of the mark",
    "label": "its label",
    "time": "seconds of the frame",
    "frame": "its number",
    "box": "x0, y0, x1, y1 in source pixels",
    "anchor": "x, y of a point on it",
    "area": "source pixels",
    "colors": "in words",
    "same_as": "labels of marks with nearly the same mask",
}
POINTS = 100
"""Most points in a prompt."""


class MarkForm(SessionForm):
    """What a model fills in to point at something."""

    points: list[list[float]] = Field(
        [], description="Points [x, y] in source pixels, on the thing or off it"
    )
    labels: list[int] = Field(
        [], description="For each point 1 (on the thing) or 0 (off it); empty: all are on it"
    )
    box: list[float] = Field(
        [], description="[x0, y0, x1, y1] around the thing in source pixels; empty: none"
    )
    mark: str = Field("", description='The mark whose mask is wrong, "3"; empty: a new mark')
    image: bool = Field(False, description="Also give the picture with the mark drawn on it")


class CombineForm(SessionForm):
    """What a model fills in to make a mark of others."""

    marks: list[str] = Field(description='Two marks or more, ["3", "4"]')
    how: Literal["union", "intersection", "minus"] = Field(
        "union",
        description="union: all that they cover; intersection: what all share; minus: the first without the "
        "others",
    )
    image: bool = Field(False, description="Also give the picture with the mark drawn on it")


def _mark(store: SessionStore, form: MarkForm, call: Call) -> Outcome:
    if len(form.points) > POINTS:
        raise InputError(f"points must be at most {POINTS}, got {len(form.points)}")
    if not set(form.labels) <= {0, 1}:
        raise InputError(f"labels must be 1 (on the thing) or 0 (off it), got {form.labels}")
    opened = store.get(form.session, call)
    mark = known_mark(opened.session.history, form.mark) if form.mark.strip() else None
    box = tuple(form.box) or None
    made = opened.session.point(form.points, form.labels, box=box, mark=mark)
    return told(opened, made, "is a new mark" if mark is None else "has a new mask", form.image)


def _combine(store: SessionStore, form: CombineForm, call: Call) -> Outcome:
    opened = store.get(form.session, call)
    marks = [known_mark(opened.session.history, mark) for mark in form.marks]
    for mark in marks:
        newest_sight(opened.session.history, mark)
    session = opened.session
    how: dict[str, Callable[..., MarkInfo]] = {
        "union": session.union,
        "intersection": session.intersection,
        "minus": session.minus,
    }
    if len(set(marks)) < 2:
        raise InputError(
            f"{form.how} needs two different marks or more, got {', '.join(form.marks) or 'none'}"
        )
    made = how[form.how](*marks)
    return told(opened, made, "is a mark" + kinship(made, session.history.marks), form.image)


def told(opened: Opened, made: MarkInfo, what: str, image: bool) -> Outcome:
    """A mark that was just made: where it was seen last, which is now, or in a live session just before."""
    history = opened.session.history
    trace = history.traces[made.mark]
    seen = np.flatnonzero(trace.states == VISIBLE)  # a live session may have gone on by now, and it be hidden
    sight = sight_of(history, made.mark, int(seen[-1]))
    time_s, frame = float(trace.times[sight.row]), int(trace.frames[sight.row])
    colors = f", {sight.colors}" if sight.colors else ""
    text = f"[{made.label}] {what}: at {time_s:.2f} s box {px(sight.box)}, {sight.area} px{colors}"
    alike = _alike(history, made.mark, frame)
    if alike:
        text += f". It covers the same as {labels(alike)}"
    data = {
        "session": opened.id,
        "time": round(time_s, 3),
        "frame": frame,
        **sight.to_json(),
        "same_as": alike,
    }
    del data["state"]
    if not image:
        return Outcome(text, data)
    drawn = marked_picture(opened, frame, [made.mark])
    if drawn.frame != frame:
        text += f". The picture is of {drawn.time:.2f} s, the nearest one that is kept"
    return Outcome(text, data, (png(drawn.image),))


def _alike(history: History, made: int, frame: int) -> list[str]:
    """Labels of the marks whose masks in a frame are about the same as that of one that was made."""
    from pycocotools import mask as coco

    w, h = history.mask_size
    rles = {}
    for mark, trace in history.traces.items():
        row = int(np.searchsorted(trace.frames, frame, side="right")) - 1
        if row >= 0 and trace.frames[row] == frame and trace.states[row] == VISIBLE:
            rles[mark] = {"size": [h, w], "counts": trace.rles[row].encode("ascii")}
    others = [mark for mark in rles if mark != made]
    if not others:
        return []
    iou = coco.iou([rles[made]], [rles[mark] for mark in others], [0] * len(others))[0]
    return [history.marks[mark].label for mark, v in zip(others, iou, strict=True) if v >= SAME_IOU]


MARK_OBJECT = Action(
    "mark_object",
    "Point at a thing in the newest frame that has no mark, by points on it or a box around it, or correct "
    "the mask of a mark that is wrong. It is followed from here on. Look at the picture first: you need "
    "pixel coordinates. Returns the mark with its box and area.",
    MarkForm,
    _mark,
    keys=_KEYS,
    changes=True,
)
COMBINE = Action(
    "combine_marks",
    "Make one mark of several that are visible now, for example of the pieces of one thing. It follows them "
    "from here on. Returns the mark with its box and area.",
    CombineForm,
    _combine,
    keys=_KEYS,
    changes=True,
)
