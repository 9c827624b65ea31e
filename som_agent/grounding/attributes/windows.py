"""The times of a question on the clock of a video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from som_agent.answer import Unsupported
from som_agent.grounding.attributes.evaluate import Evaluator
from som_agent.grounding.attributes.query import Clause, Event, Query, Side, Window, leaves, needs_unseen
from som_agent.grounding.attributes.table import Bools, Table
from som_agent.grounding.intervals import GAP_S

__all__ = ["asked_frames", "seconds", "side_marks"]


def asked_frames(table: Table, query: Query) -> tuple[Bools, list[Unsupported]]:
    """The frames that a question asks about.

    A moment is the frame nearest to it; a stretch is its frames, both ends taken, or the nearest frame where
    it falls between two. Times that cannot all be at once ("at the start and at the end") are taken one by
    one.

    Returns:
        `[F] bool`, and the times that lie outside the video.
    """
    problems: list[Unsupported] = []
    chosen: list[Bools] = []
    for window in query.windows:
        start, end = _seconds_of(window, table)
        last = table.clock[-1] + max(table.step, 0.02)
        negative = window.anchor in ("start", "frame") and min(window.start, window.end) < 0
        if negative or start > last or end < table.clock[0] - 0.02:
            asked = f"the video was seen from {seconds(table.clock[0])} to {seconds(table.clock[-1])} s"
            problems.append(Unsupported(window.text, asked))
            chosen.append(np.zeros(len(table.clock), bool))
            continue
        chosen.append(_between(table, start, end))
    for clause in query.clauses:
        found = _clause_frames(table, clause)
        if not found.any():
            problems.append(Unsupported(clause.text, "that does not happen in what was seen"))
        chosen.append(found)
    if not chosen:
        return np.ones(len(table.clock), bool), problems
    common = np.all(chosen, axis=0)
    return (common if common.any() else np.any(chosen, axis=0)), problems


def side_marks(table: Table, query: Query) -> tuple[Bools, list[Unsupported]]:
    """Marks of which the claims about further times hold too, `[M] bool`, and the times outside the video.

    Further times are those of `Query.sides`, and each of the times of the question itself where they
    exclude each other and all are meant ("at the start and at the end").
    """
    found = np.ones(len(table.marks), bool)
    problems: list[Unsupported] = []
    sides = list(query.sides)
    if len(query.windows) > 1 and not query.any_time and not query.clauses:
        single = [replace(query, windows=(window,), sides=()) for window in query.windows]
        if not np.all([asked_frames(table, part)[0] for part in single], axis=0).any():
            sides += [Side(part, False, part.windows[0].text) for part in single]
    for side in sides:
        frames, outside = asked_frames(table, side.query)
        filter_ = side.query.subject.filter or query.subject.filter
        problems += outside
        evaluator = Evaluator(table, frames)
        held = evaluator.decide(filter_, evaluator.rows(filter_))
        found &= ~held if side.negated else held
    return found, problems


def seconds(value: float) -> str:
    """A time as it is written in an answer: "3.2"."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _seconds_of(window: Window, table: Table) -> tuple[float, float]:
    first, last = float(table.clock[0]), float(table.clock[-1])
    match window.anchor:
        case "end":
            return last - max(window.start, window.end), last - min(window.start, window.end)
        case "half":
            return first + window.start * (last - first), first + window.end * (last - first)
        case "frame":
            index = np.searchsorted(table.frame_numbers, window.start)
            if index >= len(table.clock) or window.start < table.frame_numbers[0]:
                return float("inf"), float("inf")
            return float(table.clock[index]), float(table.clock[index])
        case "first":
            return first + window.start, first + window.end
        case _:
            return window.start, window.end


def _between(table: Table, start: float, end: float) -> Bools:
    inside = (table.clock >= start - 1e-6) & (table.clock <= end + 1e-6)
    if not inside.any() or start == end:
        middle = start if np.isinf(end) else (start + end) / 2
        inside = np.zeros(len(table.clock), bool)
        inside[np.abs(table.clock - middle).argmin()] = True
    return inside


def _clause_frames(table: Table, clause: Clause) -> Bools:
    """Frames during, before or after the claim of a clause; an event lasts half a second around it."""
    evaluator = Evaluator(table, np.ones(len(table.clock), bool), by_row=True)
    subject = evaluator.select(clause.subject)
    if needs_unseen(clause.claim):  # the subject need not be seen
        held = evaluator.rows(clause.claim) & np.isin(table.owner, table.owner[subject])
    else:
        held = evaluator.rows(clause.claim, subject) & subject
    found = np.zeros(len(table.clock), bool)
    happening = np.unique(table.frame[held])
    if not len(happening):
        return found
    if clause.kind == "before":
        found[: happening[0]] = True
    elif clause.kind == "after":
        found[happening[0] + 1 :] = True
    elif any(isinstance(part, Event) for part in leaves(clause.claim)):
        for frame in happening:
            found |= np.abs(table.clock - table.clock[frame]) <= GAP_S / 2
    else:
        found[happening] = True
    return found
