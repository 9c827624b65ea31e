"""What is said of marks that another mark hides: which one, since when, and where that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from som_agent.answer import GroundedMark
from som_agent.grounding.attributes import hidden, reports
from som_agent.grounding.attributes.query import (
    CLAIMING,
    HIDING,
    Absent,
    Is,
    Query,
    Related,
    leaves,
    needs_unseen,
)
from som_agent.grounding.attributes.reports import Case, Report, ground
from som_agent.grounding.attributes.table import Bools, Ints, spans
from som_agent.grounding.attributes.windows import seconds
from som_agent.grounding.attributes.wording import during

__all__ = ["hidden_at_the_end", "lies_there", "where", "with_hiders"]

_MOST = 6
_TOLD = (*CLAIMING, "which", "count", "exists", "describe")


@dataclass(frozen=True)
class _Pair:
    """A mark, what hides it, and the rows of the first one in which it does."""

    mark: int
    hider: int
    rows: Ints


def hidden_at_the_end(case: Case) -> list[int]:
    """Marks that are asked about and that another one hides at the end of the time asked about."""
    table, frames = case.table, np.flatnonzero(case.evaluator.frames)
    if not len(frames):
        return []
    selector = case.query.subject
    ever = replace(case.evaluator, frames=np.ones(len(table.clock), bool))
    held = ever.rows(selector.filter)
    meant = ever.decide(selector.filter, held)
    if not selector.plural:
        meant = ever.narrow(selector.filter, held, meant)
    return case.named((table.hidden_by > 0) & (table.frame == frames[-1]) & meant[table.owner])


def where(case: Case) -> Report:
    """The place of each mark; of one that is hidden that of what hides it, and where it was seen last."""
    marks = hidden_at_the_end(case)
    if not marks:
        return reports.where(case)
    text, grounded = "", list[GroundedMark]()
    if not isinstance(case.query.subject.filter, Is) and not case.query.subject.plural:
        shown = marks  # "the yellow mark" is this one
    else:
        text, grounded = reports.where(case, but=marks)
        shown = [*marks, *(found.mark for found in grounded)]
    parts = [text.rstrip(".")] if len(shown) > len(marks) else []
    last = int(np.flatnonzero(case.evaluator.frames)[-1])
    for mark in marks:
        said, found = _whereabouts(case, mark, last)
        parts.append(said)
        grounded += found
    return f"{'; '.join(parts)[:1].upper()}{'; '.join(parts)[1:]}.", _once(grounded)


def with_hiders(case: Case, report: Report) -> Report:
    """A report, and which marks hide those of it that are out of sight, when, and where they are."""
    ask, filters = case.query.ask, [case.query.subject.filter, case.query.claim]
    if ask not in _TOLD or (ask != "describe" and not any(needs_unseen(filter_) for filter_ in filters)):
        return report
    text, grounded = report
    related = [
        part
        for filter_ in filters
        for part in leaves(filter_)
        if isinstance(part, Related) and part.kind in HIDING
    ]
    pairs = _pairs(case, [found.mark for found in grounded], related)
    if ask not in (*CLAIMING, "describe") and not any(
        part == Absent() for f in filters for part in leaves(f)
    ):
        pairs = [pair for pair in pairs if _is_told(case, pair, related)]
    pairs = pairs[:_MOST]
    if not pairs:
        return report
    is_named = any(part.to.filter is not None or part.kind in hidden.HIDERS for part in related)
    parts = []
    for k, pair in enumerate(pairs):
        chain, found = _chain(case, pair.hider, int(pair.rows[-1]))
        grounded = [*grounded, _grounded_hider(case, pair), *found]
        told = case.namer.cite([pair.hider])
        if not (is_named and _is_told(case, pair, related)):
            when = during(spans(case.table, pair.rows))
            parts.append(f"{told} hides {case.namer.plain([pair.mark])} {when} and {chain}")
        elif pair.hider not in [before.hider for before in pairs[:k]]:
            parts.append(f"{told} {chain}")
    return f"{text.rstrip('.')}; {'; '.join(parts)}.", _once(grounded)


def lies_there(case: Case, asked: Query) -> str:
    """What lies visibly where the question may also mean, as a clause: "mark 4 is below mark 2"; or "".

    Args:
        case: its query is resolved; see `hidden.resolved`.
        asked: the query before that.
    """
    now = list(leaves(case.query.subject.filter))
    parts = []
    for part in leaves(asked.subject.filter):
        if not (isinstance(part, Related) and HIDING.get(part.kind)):
            continue
        plain = replace(part, kind=HIDING[part.kind])
        marks = case.marks(case.evaluator.decide(plain, case.evaluator.rows(plain)))
        if plain not in now and marks:
            plural = len(marks) > 1
            parts.append(f"{case.namer.plain(marks)} {case.namer.says(plain, plural)} in the picture")
    return "; ".join(parts)


def _is_told(case: Case, pair: _Pair, related: Sequence[Related]) -> bool:
    """Whether a relation of the question itself is between the two."""
    for part in related:
        others = case.marks(hidden.party(case.evaluator, part))
        if (pair.mark if part.kind in hidden.HIDERS else pair.hider) in others:
            return True
    return False


def _pairs(case: Case, marks: list[int], related: Sequence[Related]) -> list[_Pair]:
    """Who is hidden by whom in the time asked about, as far as the marks of a report are concerned."""
    table = case.table
    asked = (table.hidden_by > 0) & case.evaluator.frames[table.frame]
    mine = np.isin(table.marks[table.owner], marks)
    hide = [part for part in related if part.kind in hidden.HIDERS]
    if hide:  # the marks are what hides
        others = np.any([hidden.party(case.evaluator, part) for part in hide], axis=0)
        mine = others[table.owner] & np.isin(table.hidden_by, marks)
    found = []
    for mark in case.named(asked & mine):
        rows = case.rows(mark, asked & mine)
        hiders = table.hidden_by[rows]
        found += [_Pair(mark, int(h), rows[hiders == h]) for h in dict.fromkeys(hiders.tolist())]
    return found


def _whereabouts(case: Case, mark: int, frame: int) -> Report:
    """Where a mark is that is hidden in a frame, by the index of that."""
    table = case.table
    row = _row(case, mark, frame)
    assert row is not None
    pair = _stretch(case, mark, row)
    chain, found = _chain(case, pair.hider, row)
    since = seconds(table.times[pair.rows[0]])
    text = f"{case.namer.cite([mark])} is hidden since {since} s by {case.namer.cite([pair.hider])}"
    text += f", which {chain}"
    before = np.flatnonzero(table.seen & (table.owner == table.owner[row]) & (table.frame < frame))
    if len(before):
        at = int(before[-1])
        text += f"; it was last seen {reports.place(case, at)} at {seconds(table.times[at])} s"
    sight = ground(case, mark, _only(case, before[-1:]))
    own = replace(sight, intervals=spans(table, pair.rows))
    return text, [own, _grounded_hider(case, pair), *found]


def _stretch(case: Case, mark: int, row: int) -> _Pair:
    """The stretch of time around a row of a hidden mark in which one mark hides it."""
    table = case.table
    hider = int(table.hidden_by[row])
    rows = np.flatnonzero((table.owner == table.owner[row]) & (table.hidden_by == hider))
    inside = [(a, b) for a, b in spans(table, rows) if a - 1e-9 <= table.times[row] <= b + 1e-9]
    start, end = inside[0]
    times = table.times[rows]
    return _Pair(mark, hider, rows[(times >= start) & (times <= end) & (times <= table.times[row])])


def _chain(case: Case, hider: int, row: int) -> Report:
    """Where a hider is in the frame of a row, after "which"; it may be hidden, and so on."""
    text, grounded, met = "", list[GroundedMark](), {hider}
    frame = int(case.table.frame[row])
    while True:
        own = _row(case, hider, frame)
        if own is None:
            return f"{text}is out of sight", grounded
        at = f"{seconds(case.table.times[own])} s"
        if case.table.seen[own]:
            return f"{text}is {reports.place(case, own)} ({reports.centre(case, own)} at {at})", grounded
        above = int(case.table.hidden_by[own])
        if above == 0 or above in met:
            return f"{text}is out of sight at {at}", grounded
        met.add(above)
        pair = _stretch(case, hider, own)
        grounded.append(_grounded_hider(case, pair))
        text += f"is itself hidden by {case.namer.cite([above])}, which "
        hider = above


def _grounded_hider(case: Case, pair: _Pair) -> GroundedMark:
    """What hides a mark, with the times in which it does and frames that show it."""
    table = case.table
    own = np.flatnonzero(table.marks[table.owner] == pair.hider)
    own = own[np.isin(table.frame[own], table.frame[pair.rows])]
    found = ground(case, pair.hider, _only(case, own[table.seen[own]]))
    return replace(found, intervals=spans(table, pair.rows))


def _row(case: Case, mark: int, frame: int) -> int | None:
    """Row of a mark in a frame, if it has one."""
    table = case.table
    found = np.flatnonzero((table.marks[table.owner] == mark) & (table.frame == frame))
    return int(found[0]) if len(found) else None


def _only(case: Case, rows: Ints) -> Bools:
    chosen = np.zeros(len(case.table), bool)
    chosen[rows] = True
    return chosen


def _once(grounded: list[GroundedMark]) -> list[GroundedMark]:
    """Each mark once, with the times of all its entries and the evidence of the first that has any."""
    merged: dict[int, GroundedMark] = {}
    for found in grounded:
        known = merged.get(found.mark)
        if known is None:
            merged[found.mark] = found
            continue
        intervals = _united([*known.intervals, *found.intervals])
        merged[found.mark] = replace(known, intervals=intervals, evidence=known.evidence or found.evidence)
    return list(merged.values())


def _united(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Intervals in order, those that overlap joined."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined
