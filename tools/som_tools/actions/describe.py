"""One mark through time: where it went, how fast, when it was hidden, what it looks like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field

from som_agent.colors import COLOR_TERMS
from som_agent.grounding.attributes import motion
from som_agent.grounding.attributes.evaluate import Evaluator
from som_agent.grounding.attributes.query import Moves
from som_agent.grounding.attributes.table import Ints, Table, spans
from som_agent.grounding.attributes.wording import place_words
from som_agent.history import OCCLUDED, STATES, History
from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.actions.checks import known_mark, number, whole_span
from som_tools.actions.words import SPANS, labels, px, spans_text
from som_tools.call import Call
from som_tools.sessions import SessionStore

__all__ = ["DESCRIBE", "DescribeForm", "Hidden", "hidden_spans"]

_BACK = 0.2
"""A mark that ends within this part of its way is back where it started."""
_SHARE = 10
"""Percent of a mark's pixels from which on a colour is told."""


class DescribeForm(SessionForm):
    """What a model fills in to have a mark described."""

    mark: str = Field(description='The mark, "3"')
    start_s: float | None = Field(None, description="Seconds of the start; left out: from the beginning")
    end_s: float | None = Field(
        None, description="Seconds of the end, the same as start_s for one moment; left out: until now"
    )
    positions: int = Field(8, description="Positions of its path to give, spread over the time it is visible")


@dataclass(frozen=True)
class Hidden:
    """A stretch of time in which a mark is hidden; `by` is the mark that hides it, 0 where not known."""

    start_s: float
    end_s: float
    by: int


def hidden_spans(table: Table, rows: Ints) -> list[Hidden]:
    """The stretches in which a mark is hidden, each by one mark or by nobody knows what.

    Args:
        table: with the mark's rows.
        rows: of the mark, in time order.
    """
    found: list[Hidden] = []
    before = -2
    for row in rows:
        trace = table.history.traces[int(table.marks[table.owner[row]])]
        k = int(table.source[row])
        if trace.states[k] == OCCLUDED:
            time_s, by = float(table.times[row]), int(trace.hidden_by[k])
            if found and before == row - 1 and found[-1].by == by:
                found[-1] = replace(found[-1], end_s=time_s)
            else:
                found.append(Hidden(time_s, time_s, by))
            before = int(row)
    return found


def _describe(store: SessionStore, form: DescribeForm, call: Call) -> Outcome:
    number("positions", form.positions, 0, 200)
    opened = store.get(form.session, call)
    history = opened.session.history
    mark = known_mark(history, form.mark)
    info, trace = history.marks[mark], history.traces[mark]
    alone = replace(history, marks={mark: info}, traces={mark: trace})
    table = Table.of(alone)
    chosen = np.isin(table.frame_numbers, history.frames[whole_span(history, form.start_s, form.end_s)])
    times = table.clock[chosen]
    rows = np.flatnonzero(chosen[table.frame])
    seen = rows[table.seen[rows]]
    data: dict[str, Any] = {
        "session": opened.id,
        "mark": mark,
        "label": info.label,
        "start": round(float(times[0]), 3),
        "end": round(float(times[-1]), 3),
        **_presence(table, rows, seen),
        "state": _state(table, rows, float(times[-1])),
        "parent": None if info.parent not in history.marks else history.marks[info.parent].label,
        "parts": [other.label for other in history.marks.values() if other.parent == mark],
        "made_of": info.made_of,
        "colors": {},
        "size": None,
        "motion": None,
        "path": [],
    }
    if len(seen):
        data |= {
            "colors": _colors(table, seen),
            "size": _sizes(table, seen),
            "motion": _motion(table, chosen, seen),
            "path": _path(table, seen, form.positions),
        }
    return Outcome(_text(data, history, table), data)


def _presence(table: Table, rows: Ints, seen: Ints) -> dict[str, Any]:
    hidden = hidden_spans(table, rows)
    return {
        "first_seen": round(float(table.times[seen[0]]), 3) if len(seen) else None,
        "last_seen": round(float(table.times[seen[-1]]), 3) if len(seen) else None,
        "visible": [[round(a, 3), round(b, 3)] for a, b in spans(table, seen)],
        "hidden": [
            {"from": round(h.start_s, 3), "to": round(h.end_s, 3), "by": h.by or None} for h in hidden
        ],
    }


def _state(table: Table, rows: Ints, end_s: float) -> str:
    """Visible, occluded or gone at the end of the time asked about; "unseen" where it had not come yet."""
    if not len(rows):
        return "unseen" if table.times[0] > end_s else "gone"
    trace = table.history.traces[int(table.marks[0])]
    return STATES[trace.states[int(table.source[rows[-1]])]]


def _colors(table: Table, seen: Ints) -> dict[str, int]:
    """Percent of its pixels, over the time that it is seen."""
    mean = np.average(table.shares[seen], axis=0, weights=np.maximum(table.areas[seen], 1e-6))
    order = np.argsort(-mean, kind="stable")
    return {COLOR_TERMS[k]: round(float(mean[k])) for k in order if mean[k] >= _SHARE or k == order[0]}


def _sizes(table: Table, seen: Ints) -> dict[str, Any]:
    areas, last = table.areas[seen], int(seen[-1])
    return {
        "area": round(float(areas[-1])),
        "least": round(float(areas.min())),
        "median": round(float(np.median(areas))),
        "most": round(float(areas.max())),
        "box": [round(float(v), 1) for v in table.boxes[last]],
    }


def _motion(table: Table, chosen: Any, seen: Ints) -> dict[str, Any]:
    """Way and speed against the picture; what is too short to be called motion does not count."""
    evaluator = Evaluator(table, chosen)
    moving = evaluator.rows(Moves())
    moves = bool(evaluator.decide(Moves(), moving)[0])
    length, (x, y) = motion.way(table, seen, moving & moves)
    away = float(np.hypot(x, y))
    speeds = table.speeds[seen] * table.diagonal
    return {
        "moves": moves,
        "distance_px": round(length, 1),
        "displacement_px": [round(x, 1), round(y, 1)],
        "direction": motion.direction(x, y) if moves and away >= max(_BACK * length, 1) else None,
        "moving": [[round(a, 3), round(b, 3)] for a, b in spans(table, np.flatnonzero(moving & moves))],
        "mean_speed_px_s": round(float(speeds.mean()), 1),
        "top_speed_px_s": round(float(speeds.max()), 1),
    }


def _path(table: Table, seen: Ints, count: int) -> list[dict[str, Any]]:
    few = seen[np.unique(np.linspace(0, len(seen) - 1, min(count, len(seen))).round().astype(int))]
    return [
        {
            "time": round(float(table.times[row]), 3),
            "center": [round(float(v), 1) for v in table.centres[row]],
            "box": [round(float(v), 1) for v in table.boxes[row]],
        }
        for row in few[:count]
    ]


def _text(data: dict[str, Any], history: History, table: Table) -> str:
    name = f"[{data['label']}]"
    kin = f", it is {data['made_of']}" if data["made_of"] else ""
    kin += f", part of [{data['parent']}]" if data["parent"] else ""
    kin += f", parts {labels(data['parts'])}" if data["parts"] else ""
    head = f"{name} from {data['start']:.2f} to {data['end']:.2f} s{kin}:"
    if data["first_seen"] is None:
        return f"{head} not visible in that time{_hidden(data, history)}."
    colors = ", ".join(f"{term} {share} %" for term, share in data["colors"].items())
    size, moved = data["size"], data["motion"]
    width, height = (max(side, 1) for side in history.size)
    x0, y0, x1, y1 = size["box"]
    place = place_words((x0 + x1) / 2 / width, (y0 + y1) / 2 / height)
    lines = [
        head,
        f"visible {spans_text([tuple(span) for span in data['visible']])}; {data['state']} at the end"
        + _hidden(data, history),
        f"colours: {colors}",
        f"last seen {place}: box {px(size['box'])}, {size['area']} px at {data['last_seen']:.2f} s; area "
        f"{size['least']} to {size['most']} px, median {size['median']}",
        _moved(moved),
    ]
    if data["path"]:
        steps = "; ".join(f"{at['time']:.2f} s {px(at['center'])}" for at in data["path"])
        lines.append(f"box centres: {steps}")
    return "\n".join(lines)


def _hidden(data: dict[str, Any], history: History) -> str:
    """When it was hidden and by what, the longest times of many, in words."""
    longest = sorted(data["hidden"], key=lambda h: h["from"] - h["to"])[:SPANS]
    told = []
    for h in sorted(longest, key=lambda h: h["from"]):
        known = history.marks.get(h["by"] or 0)
        by = f" by [{known.label}]" if known is not None else ""
        told.append(f"{h['from']:.2f}-{h['to']:.2f} s{by}")
    left = len(data["hidden"]) - len(told)
    more = f" and {left} shorter times" if left else ""
    return f"; hidden {', '.join(told)}{more}" if told else ""


def _moved(moved: dict[str, Any]) -> str:
    if not moved["moves"]:
        return "does not move"
    x, y = moved["displacement_px"]
    away = float(np.hypot(x, y))
    where = f"{away:.0f} px {moved['direction']} of its start" if moved["direction"] else "where it started"
    return (
        f"moves {spans_text([tuple(span) for span in moved['moving']])}: {moved['distance_px']:.0f} px in "
        f"all, ends {where}; speed {moved['mean_speed_px_s']:.0f} px/s on average, "
        f"{moved['top_speed_px_s']:.0f} at most (against the picture: a moving camera counts)"
    )


DESCRIBE = Action(
    "describe_mark",
    "Describe one mark over a stretch of time or at one moment: when it is visible, when it is hidden and by "
    "which mark, colours, size, path, distance travelled, direction and speed. Pixels, seconds, pixels a "
    "second; x grows to the right, y downwards.",
    DescribeForm,
    _describe,
    keys={
        "session": "its id",
        "mark": "number",
        "label": "label",
        "start": "seconds of the first frame of the time asked about",
        "end": "seconds of the last one",
        "first_seen": "seconds of its first sight in that time, null for none",
        "last_seen": "of its last sight",
        "visible": "stretches [from, to] in seconds",
        "hidden": "stretches from, to, and by: number of the mark that hides it or null",
        "state": "at the end: visible, occluded, gone, or unseen where it had not come yet",
        "parent": "label of the mark that it is a part of, or null",
        "parts": "labels of its parts",
        "made_of": 'the marks that it was made of, "3 ∪ 4", or null',
        "colors": "percent of its pixels by colour term",
        "size": "area, least, median, most in pixels; box of the last sight",
        "motion": "moves, distance_px, displacement_px [x, y], direction, moving (stretches), "
        "mean_speed_px_s, top_speed_px_s",
        "path": "positions: time, center [x, y], box",
    },
)
