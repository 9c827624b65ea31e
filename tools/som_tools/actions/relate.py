"""Two marks: how far apart, on which side, who hides whom, when nearest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from som_agent.errors import InputError
from som_agent.grounding.attributes import motion
from som_agent.grounding.intervals import stretches
from som_agent.history import OCCLUDED, VISIBLE, History, Observation, Trace
from som_agent.rle import decode
from som_agent.watches.geometry import Masks
from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.actions.checks import known_mark, whole_span
from som_tools.actions.words import SPANS, spans_text
from som_tools.call import Call
from som_tools.sessions import SessionStore

__all__ = ["RELATE", "RelateForm"]

MASKS = 200
"""Frames in which masks are compared to find the nearest moment; boxes are compared in all."""
AROUND_S = 0.5
"""Seconds before and after a moment by which it is told whether two marks come nearer."""
STEADY = 0.02
"""Picture diagonals a second below which a distance stays as it is: what counts as motion elsewhere."""
TOUCHING = 0.004
"""Picture diagonals between masks up to which they touch, as in answers."""
INSIDE = 0.9
"""Share of a mask that lies in another one, its holes filled, from which on it is inside, as in answers."""
_SIDES = {"left": "left of", "right": "right of", "up": "above", "down": "below"}


class RelateForm(SessionForm):
    """What a model fills in to have two marks compared."""

    mark: str = Field(description='One mark, "3"')
    other: str = Field(description='The other mark, "4"')
    start_s: float | None = Field(None, description="Seconds of the start; left out: from the beginning")
    end_s: float | None = Field(
        None, description="Seconds of the end, the same as start_s for one moment; left out: until now"
    )


@dataclass(frozen=True)
class _Pair:
    """Two marks in the frames in which both are visible, `P` of them.

    Attributes:
        history: what was seen.
        one: the first mark.
        other: the second one.
        a: rows in the trace of the first, `[P] int64`.
        b: rows in the trace of the second, `[P] int64`.
    """

    history: History
    one: int
    other: int
    a: npt.NDArray[np.int64]
    b: npt.NDArray[np.int64]

    @property
    def traces(self) -> tuple[Trace, Trace]:
        """Of both."""
        return self.history.traces[self.one], self.history.traces[self.other]

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """Seconds, `[P] float64`."""
        return self.traces[0].times[self.a]

    def boxes(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Boxes of both, `[P, 4] float64` each."""
        first, second = self.traces
        return first.boxes[self.a].astype(np.float64), second.boxes[self.b].astype(np.float64)

    def apart(self) -> npt.NDArray[np.float64]:
        """From the box centre of the second to that of the first, `[P, 2] float64`, x and y."""
        p, q = self.boxes()
        return np.asarray((p[:, :2] + p[:, 2:] - q[:, :2] - q[:, 2:]) / 2)

    def gap(self, k: int) -> float:
        """Source pixels between the masks in a frame, 0 where they touch."""
        masks = Masks(self.history.size, self.history.mask_size)
        first, second = self.traces
        p, q = _row(self.one, first, int(self.a[k])), _row(self.other, second, int(self.b[k]))
        return masks.gap(p, q, np.inf)

    def nearest(self) -> tuple[int, float]:
        """The frame in which the masks are nearest, and how far apart they are then."""
        p, q = self.boxes()
        gap = np.maximum(np.maximum(p[:, :2] - q[:, 2:], q[:, :2] - p[:, 2:]), 0)
        least = np.hypot(gap[:, 0], gap[:, 1])
        order = np.argsort(least, kind="stable")
        meeting = int((least == 0).sum())
        if meeting > MASKS:  # too many to compare all: some spread over them
            order = np.concatenate([order[np.linspace(0, meeting - 1, MASKS).astype(int)], order[meeting:]])
        best, found = int(order[0]), np.inf
        for k in order[:MASKS]:
            if least[k] >= found or found == 0:
                break  # masks are never nearer than their boxes
            if (away := self.gap(int(k))) < found:
                best, found = int(k), away
        return best, float(found)


def _row(mark: int, trace: Trace, k: int) -> Observation:
    x0, y0, x1, y1 = (float(v) for v in trace.boxes[k])
    return Observation(
        mark=mark,
        frame=int(trace.frames[k]),
        time=float(trace.times[k]),
        state=int(trace.states[k]),
        box=(x0, y0, x1, y1),
        area=int(trace.areas[k]),
        anchor=(float(trace.anchors[k, 0]), float(trace.anchors[k, 1])),
        score=float(trace.scores[k]),
        colors=trace.colors[k].tobytes(),
        rle=trace.rles[k],
        hidden_by=int(trace.hidden_by[k]),
    )


def _relate(store: SessionStore, form: RelateForm, call: Call) -> Outcome:
    opened = store.get(form.session, call)
    history = opened.session.history
    one, other = known_mark(history, form.mark), known_mark(history, form.other)
    if one == other:
        raise InputError(f"mark and other must be two marks, got [{history.marks[one].label}] twice")
    chosen = whole_span(history, form.start_s, form.end_s)
    frames, times = history.frames[chosen], history.times[chosen]
    pair = _pair(history, one, other, frames)
    looks = np.searchsorted(history.frames, pair.traces[0].frames[pair.a]).astype(np.int64)
    data: dict[str, Any] = {
        "session": opened.id,
        "mark": one,
        "label": history.marks[one].label,
        "other": other,
        "other_label": history.marks[other].label,
        "start": round(float(times[0]), 3),
        "end": round(float(times[-1]), 3),
        "together": [[round(a, 3), round(b, 3)] for a, b in stretches(looks, pair.times)],
        "last": None,
        "nearest": None,
        "hides": _hides(history, one, other, frames) + _hides(history, other, one, frames),
    }
    if len(pair.a):
        data["last"] = _at(pair, len(pair.a) - 1)
        k, away = pair.nearest()
        data["nearest"] = {
            "time": round(float(pair.times[k]), 3),
            "frame": int(pair.traces[0].frames[pair.a[k]]),
            "distance_px": round(away, 1),
        }
    return Outcome(_text(data, history), data)


def _pair(history: History, one: int, other: int, frames: npt.NDArray[np.int32]) -> _Pair:
    rows = []
    for mark in (one, other):
        trace = history.traces[mark]
        rows.append(np.flatnonzero((trace.states == VISIBLE) & np.isin(trace.frames, frames)))
    _, a, b = np.intersect1d(
        history.traces[one].frames[rows[0]], history.traces[other].frames[rows[1]], return_indices=True
    )
    return _Pair(history, one, other, rows[0][a], rows[1][b])


def _at(pair: _Pair, k: int) -> dict[str, Any]:
    """How the two are to each other in one frame."""
    history = pair.history
    diagonal = max(float(np.hypot(*history.size)), 1.0)
    apart = pair.apart()
    x, y = (float(v) for v in apart[k])
    gap = pair.gap(k)
    first, second = pair.traces
    p = decode(first.rles[pair.a[k]], history.mask_size)
    q = decode(second.rles[pair.b[k]], history.mask_size)
    scale = history.size[0] * history.size[1] / max(history.mask_size[0] * history.mask_size[1], 1)
    inside = None
    for mark, mine, whole in ((pair.one, p, q), (pair.other, q, p)):
        if mine.any() and mine.sum() <= whole.sum() and _filled(whole)[mine].mean() >= INSIDE:
            inside = history.marks[mark].label
    rate = _rate(pair.times, np.hypot(apart[:, 0], apart[:, 1]), k)
    change = None
    if rate is not None:
        steady = abs(rate) < STEADY * diagonal
        change = "steady" if steady else "closing" if rate < 0 else "moving apart"
    return {
        "time": round(float(pair.times[k]), 3),
        "frame": int(first.frames[pair.a[k]]),
        "distance_px": round(gap, 1),
        "center_distance_px": round(float(np.hypot(x, y)), 1),
        "side": _side(x, y),
        "touching": bool(gap <= TOUCHING * diagonal),
        "overlap_px": round(float((p & q).sum() * scale)),
        "inside": inside,
        "change": change,
        "change_px_s": None if rate is None else round(rate, 1),
    }


def _side(x: float, y: float) -> str:
    """On which side of the other one a mark is whose centre is that far right and down of the other's."""
    if x == 0 and y == 0:
        return "at"
    words = motion.direction(x, y).split(" and ")
    return " and ".join(_SIDES[word] for word in words)


def _filled(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    from scipy.ndimage import binary_fill_holes

    return np.asarray(binary_fill_holes(mask), bool)


def _rate(times: npt.NDArray[np.float64], away: npt.NDArray[np.float64], k: int) -> float | None:
    """Pixels a second by which a distance grows around a moment; None where one frame is all there is."""
    near = np.abs(times - times[k]) <= AROUND_S
    if near.sum() < 2:
        return None
    return float(np.polyfit(times[near] - times[k], away[near], 1)[0])


def _hides(history: History, hider: int, hidden: int, frames: npt.NDArray[np.int32]) -> list[dict[str, Any]]:
    """The stretches in which one hides the other."""
    trace = history.traces[hidden]
    rows = np.flatnonzero(
        (trace.states == OCCLUDED) & (trace.hidden_by == hider) & np.isin(trace.frames, frames)
    )
    looks = np.searchsorted(history.frames, trace.frames[rows]).astype(np.int64)
    return [
        {"hider": hider, "hidden": hidden, "from": round(a, 3), "to": round(b, 3)}
        for a, b in stretches(looks, trace.times[rows])
    ]


def _text(data: dict[str, Any], history: History) -> str:
    one, other = f"[{data['label']}]", f"[{data['other_label']}]"
    lines = [
        f"{one} and {other} from {data['start']:.2f} to {data['end']:.2f} s: both visible "
        f"{spans_text([tuple(span) for span in data['together']])}"
    ]
    if (at := data["last"]) is not None:
        near = data["nearest"]
        parts = [
            f"at {at['time']:.2f} s {one} is {at['side']} {other}, {at['distance_px']:.0f} px between their "
            f"nearest pixels, {at['center_distance_px']:.0f} px between centres"
        ]
        if at["touching"]:
            parts.append("they touch")
        if at["overlap_px"]:
            parts.append(f"they share {at['overlap_px']} px")
        if at["inside"]:
            inner, outer = (one, other) if at["inside"] == data["label"] else (other, one)
            parts.append(f"{inner} is inside {outer}")
        if at["change"] == "steady":
            parts.append("their distance stays about the same")
        elif at["change"]:
            parts.append(f"{at['change']} at {abs(at['change_px_s']):.0f} px/s")
        lines.append(", ".join(parts))
        lines.append(f"nearest at {near['time']:.2f} s: {near['distance_px']:.0f} px")
    longest = sorted(data["hides"], key=lambda h: h["from"] - h["to"])[:SPANS]
    for h in sorted(longest, key=lambda h: h["from"]):
        names = history.marks[h["hider"]].label, history.marks[h["hidden"]].label
        lines.append(f"[{names[0]}] hides [{names[1]}] from {h['from']:.2f} to {h['to']:.2f} s")
    if len(data["hides"]) > SPANS:
        lines.append(f"and {len(data['hides']) - SPANS} shorter times")
    return "\n".join(lines)


RELATE = Action(
    "relate_marks",
    "Compare two marks over a stretch of time or at one moment: distance in pixels (0 where they meet), on "
    "which side one is of the other, touching, inside, closing or moving apart, when they were nearest, when "
    "both are visible, and who hides whom.",
    RelateForm,
    _relate,
    keys={
        "session": "its id",
        "mark": "number of the first mark",
        "label": "its label",
        "other": "number of the second mark",
        "other_label": "its label",
        "start": "seconds of the first frame of the time asked about",
        "end": "seconds of the last one",
        "together": "stretches [from, to] in which both are visible",
        "last": "in the last frame with both, or null: time, frame, distance_px (nearest pixels), "
        "center_distance_px, side (the first is … the other), touching, overlap_px, inside (label or null), "
        "change (closing, moving apart, steady, null), change_px_s",
        "nearest": "time, frame, distance_px of the nearest moment, or null",
        "hides": "stretches: hider, hidden, from, to",
    },
)
