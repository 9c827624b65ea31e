"""What is said of marks: one function for each thing that can be asked of them.

Each takes a `Case` and returns a sentence and the marks that it rests on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from som_agent.answer import Evidence, GroundedMark
from som_agent.colors import COLOR_TERMS
from som_agent.grounding.attributes.evaluate import BY_FRAME, Evaluator
from som_agent.grounding.attributes.query import (
    Best,
    Event,
    HasColor,
    Is,
    Moves,
    Query,
    Size,
    leaves,
    needs_unseen,
)
from som_agent.grounding.attributes.relations import distances
from som_agent.grounding.attributes.table import Bools, Ints, Table, spans
from som_agent.grounding.attributes.windows import seconds
from som_agent.grounding.attributes.wording import Namer, capital, during, listed, place_words

__all__ = [
    "Case",
    "Report",
    "centre",
    "color",
    "describe",
    "distance",
    "ground",
    "order",
    "place",
    "size",
    "speed",
    "subject",
    "where",
    "with_times",
]

Report = tuple[str, list[GroundedMark]]

_ORDERS = {
    ("x", 1): "from left to right",
    ("x", -1): "from right to left",
    ("y", 1): "from top to bottom",
    ("y", -1): "from bottom to top",
    ("area", -1): "from largest to smallest",
    ("area", 1): "from smallest to largest",
    ("seen", 1): "in order of appearance",
    ("last", 1): "in order of leaving",
    ("return", 1): "in order of coming back",
    ("speed", -1): "from fastest to slowest",
    ("speed", 1): "from slowest to fastest",
    ("duration", -1): "from longest to shortest in view",
}


@dataclass(frozen=True)
class Case:
    """A question with all that is needed to answer it."""

    query: Query
    table: Table
    evaluator: Evaluator
    namer: Namer
    also: Bools
    """Marks that the claims about further times leave, `[M] bool`."""

    def marks(self, chosen: Bools) -> list[int]:
        """Numbers of the chosen marks, `chosen` as `[M] bool`."""
        return [int(mark) for mark in self.table.marks[chosen]]

    def named(self, held: Bools) -> list[int]:
        """Numbers of the marks that have rows among `held`."""
        return self.marks(np.bincount(self.table.owner[held], minlength=len(self.table.marks)) > 0)

    def rows(self, mark: int, held: Bools) -> Ints:
        """Rows of a mark among `held`."""
        return np.flatnonzero(held & (self.table.owner == np.searchsorted(self.table.marks, mark)))

    def seen(self, mark: int) -> Bools:
        """Rows of a mark at the times asked about, `[R] bool`."""
        rows: Bools = self.evaluator.base & (self.table.marks[self.table.owner] == mark)
        return rows


def ground(case: Case, mark: int, held: Bools) -> GroundedMark:
    """A mark with the spans during which `held` is true of it, and up to three frames to check it by.

    The frames are spread over those rows; of each third of them the clearest is taken: the largest area
    times score.
    """
    table = case.table
    rows = case.rows(mark, held)
    seen = rows[table.seen[rows]]
    trace = table.history.traces[mark]
    evidence = []
    shown = seen if len(seen) else rows
    for part in np.array_split(shown, min(3, len(shown))) if len(shown) else []:
        row = int(part[np.argmax(table.areas[part] * np.maximum(table.scores[part], 1e-3))])
        x0, y0, x1, y1 = (float(v) for v in table.boxes[row])
        ax, ay = (float(v) for v in trace.anchors[table.source[row]])
        frame = int(table.frame_numbers[table.frame[row]])
        evidence.append(Evidence(frame, float(table.times[row]), (x0, y0, x1, y1), (ax, ay)))
    return GroundedMark(mark, case.namer.label(mark), spans(table, rows), evidence)


def subject(case: Case) -> tuple[list[int], Bools]:
    """Numbers of the marks that the question is about, and their rows."""
    held = case.evaluator.select(case.query.subject)
    return case.named(held), held


def color(case: Case) -> Report:
    """The terms that name a quarter of a mark's pixels or more."""
    marks, held = subject(case)
    found = {mark: _terms(case, case.rows(mark, held)) for mark in marks}
    if len(marks) > 3:
        groups: dict[str, list[int]] = {}
        for mark, terms in found.items():
            groups.setdefault(terms[0][0], []).append(mark)
        text = "; ".join(f"{term}: {case.namer.cite(group)}" for term, group in groups.items())
        return f"By main colour, {text}.", [ground(case, mark, held) for mark in marks]
    sentences = [
        f"{case.namer.cite([mark])} is {listed([f'{term} ({share:.0f} %)' for term, share in terms])}"
        for mark, terms in found.items()
    ]
    return _sentence("; ".join(sentences)), [ground(case, mark, held) for mark in marks]


def where(case: Case, but: Collection[int] = ()) -> Report:
    """The place in the picture, at the first and last sight if it changed, of all marks but some."""
    marks, held = subject(case)
    marks = [mark for mark in marks if mark not in but]
    parts = []
    for mark in marks:
        rows = case.rows(mark, held)
        first, last = (place(case, int(rows[i])) for i in (0, -1))
        at = centre(case, int(rows[-1]))
        t0, t1 = (seconds(case.table.times[rows[i]]) for i in (0, -1))
        if first == last:
            parts.append(f"{case.namer.cite([mark])} is {last} ({at} at {t1} s)")
        else:
            parts.append(f"{case.namer.cite([mark])} is {first} at {t0} s and {last} at {t1} s ({at})")
    return _sentence("; ".join(parts)), [ground(case, mark, held) for mark in marks]


def speed(case: Case) -> Report:
    """Mean and peak speed; the camera's own motion is not taken off."""
    marks, held = subject(case)
    parts = []
    for mark in marks:
        own = case.table.speeds[case.rows(mark, held)]
        mean, peak = float(own.mean()), float(own.max())
        pixels = case.table.diagonal
        parts.append(
            f"{case.namer.cite([mark])} moves at {mean * pixels:.0f} px/s on average ({100 * mean:.1f} % of "
            f"the picture's diagonal a second) and {peak * pixels:.0f} px/s at most"
        )
    return _sentence("; ".join(parts)), [ground(case, mark, held) for mark in marks]


def size(case: Case) -> Report:
    """Median area and box."""
    marks, held = subject(case)
    width, height = case.table.history.size
    parts = []
    for mark in marks:
        rows = case.rows(mark, held)
        area = float(np.median(case.table.areas[rows]))
        w, h = np.median(case.table.boxes[rows, 2:] - case.table.boxes[rows, :2], axis=0)
        share = 100 * area / max(width * height, 1)
        parts.append(
            f"{case.namer.cite([mark])} has {area:.0f} px ({share:.2g} % of the picture), "
            f"{w:.0f} x {h:.0f} px"
        )
    return _sentence("; ".join(parts)), [ground(case, mark, held) for mark in marks]


def distance(case: Case) -> Report:
    """Distance of the box centres, mean and least."""
    other = case.query.other
    held = case.evaluator.select(case.query.subject)
    to = case.evaluator.select(other) if other is not None else held
    rows, away = distances(case.table, held, to)
    if not len(rows):
        return "They are never in view together.", []
    least = int(away.argmin())
    frames = np.zeros(len(case.table.clock), bool)
    frames[case.table.frame[rows]] = True
    both = (held | to) & frames[case.table.frame]
    marks = case.named(both)
    mean = float(away.mean())
    part = 100 * mean / case.table.diagonal
    text = (
        f"{case.namer.cite(marks)} are {mean:.0f} px apart on average ({part:.0f} % of the picture's "
        f"diagonal, between centres) and {away[least]:.0f} px at the least, at "
        f"{seconds(case.table.times[rows[least]])} s"
    )
    return _sentence(text), [ground(case, mark, both) for mark in marks]


def order(case: Case) -> Report:
    """Marks sorted by a key; places change, so without a time they are sorted as at the end."""
    query, table = case.query, case.table
    prefix = ""
    if query.key in BY_FRAME and not query.windows and not query.clauses:
        frames = table.clock >= table.clock[-1] - 0.5
        evaluator = Evaluator(table, frames & case.evaluator.frames)
        case = replace(case, evaluator=evaluator)
        prefix = "at the end, "
    marks, held = subject(case)
    if query.key == "last":
        held = held & case.evaluator.rows(Event("leave"))
    values = case.evaluator.values(query.key, held)
    owners = np.argsort(query.sign * values, kind="stable")
    sorted_marks = [
        int(table.marks[i]) for i in owners if not np.isnan(values[i]) and int(table.marks[i]) in marks
    ]
    if not sorted_marks:
        return f"{prefix}there is no mark to put in order.".capitalize(), []
    words = _ORDERS.get((query.key, query.sign), "in order")
    with_times = query.key in ("seen", "last", "return")
    shown = [
        f"[{case.namer.label(mark)}]"
        + (f" ({seconds(values[np.searchsorted(table.marks, mark)])} s)" if with_times else "")
        for mark in sorted_marks
    ]
    return _sentence(f"{prefix}{words}: {', '.join(shown)}"), [
        ground(case, mark, held) for mark in sorted_marks
    ]


def describe(case: Case) -> Report:
    """Colour, size, place, motion and presence of each mark."""
    marks, held = subject(case)
    picture = max(case.table.history.size[0] * case.table.history.size[1], 1)
    moving = case.evaluator.rows(Moves())
    parts = []
    for mark in marks:
        rows = case.rows(mark, held)
        terms = listed([term for term, _ in _terms(case, rows)])
        share = 100 * float(np.median(case.table.areas[rows])) / picture
        moves = spans(case.table, case.rows(mark, moving & held))
        motion = f"moves {during(moves)}" if moves else "does not move"
        first, last = (place(case, int(rows[i])) for i in (0, -1))
        at = last if first == last else f"first {first}, last {last}"
        parts.append(
            f"{case.namer.cite([mark])} is {terms}, covers {share:.2g} % of the picture, is {at}, "
            f"{motion}, and is in view {during(spans(case.table, rows))}"
        )
    return _sentence("; ".join(parts)), [ground(case, mark, held) for mark in marks]


def with_times(case: Case, marks: Sequence[int], held: Bools) -> str:
    """When, for marks of which a claim holds for a part of their time only; "" where it needs no saying."""
    parts = list(leaves(case.query.subject.filter)) + list(leaves(case.query.claim))
    if all(
        isinstance(part, HasColor | Size | Is) or (isinstance(part, Best) and part.key not in BY_FRAME)
        for part in parts
    ):
        return ""
    events = any(isinstance(part, Event) or needs_unseen(part) for part in parts)
    when = {}
    for mark in marks:
        rows = case.rows(mark, held)
        if events or len(rows) < 0.8 * case.seen(mark).sum():
            when[mark] = during(spans(case.table, rows))
    if len(when) == len(marks) and len(set(when.values())) == 1:
        return f" ({when[marks[0]]})"
    shown = [f"[{case.namer.label(mark)}] {text}" for mark, text in when.items()]
    return f" ({', '.join(shown)})" if 0 < len(shown) <= 8 else ""


def _terms(case: Case, rows: Ints) -> list[tuple[str, float]]:
    """Colour terms of a quarter of the pixels or more, the largest first; the largest in any case."""
    weights = case.table.areas[rows] + 1e-6
    mean = (case.table.shares[rows] * weights[:, None]).sum(axis=0) / weights.sum()
    order_ = np.argsort(-mean, kind="stable")
    return [(COLOR_TERMS[i], float(mean[i])) for i in order_ if mean[i] >= 25 or i == order_[0]]


def place(case: Case, row: int) -> str:
    """Which of nine places of the picture a row is in, in words."""
    width, height = (max(side, 1) for side in case.table.history.size)
    x, y = case.table.centres[row]
    return place_words(x / width, y / height)


def centre(case: Case, row: int) -> str:
    """The centre of a row's box, in words."""
    x, y = case.table.centres[row]
    return f"centre at x {x:.0f}, y {y:.0f} px"


def _sentence(text: str) -> str:
    return f"{capital(text)}."
