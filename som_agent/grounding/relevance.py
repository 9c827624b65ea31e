"""Which marks a question is about, and the order in which they deserve to be drawn for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from som_agent.grounding.attributes.evaluate import Evaluator
from som_agent.grounding.attributes.parse import parse
from som_agent.grounding.attributes.phrases import parts_of
from som_agent.grounding.attributes.query import AllOf, Compare, Filter, Query, Related, leaves
from som_agent.grounding.attributes.table import Table
from som_agent.grounding.attributes.windows import asked_frames
from som_agent.grounding.citations import cited_marks
from som_agent.history import VISIBLE, History, Trace
from som_agent.marks.rank import rank

__all__ = ["FITS", "NAMED", "ranked", "relevance"]

NAMED = 1.0
"""Relevance of a mark that the question names."""

FITS = 0.5
"""Relevance of a mark for which a description holds, as far as the embedded answerer understands it."""

_STEP_S = 0.5


def relevance(question: str, history: History) -> dict[int, float]:
    """How much a question is about each mark, 0 to 1.

    Marks that it names have `NAMED`. Those that it describes ("the red cup that moves left") have `FITS`, and
    up to half of that where only a part of the description holds; all others have 0.

    Args:
        question: any text.
        history: what was seen.
    """
    found = dict.fromkeys(sorted(history.marks), 0.0)
    query = parse(question, history.marks)
    described = [parts for filter_ in _descriptions(query) if (parts := _telling(filter_))]
    if described and history.traces:
        table = Table.of(history)
        frames, _ = asked_frames(table, query)
        evaluator = Evaluator(table, frames if frames.any() else np.ones_like(frames))
        for parts in described:
            whole, *each = (evaluator.decide(f, evaluator.rows(f)) for f in (AllOf(tuple(parts)), *parts))
            fits = FITS * np.maximum(whole, np.mean(each, axis=0) / 2)
            for mark, value in zip(table.marks.tolist(), fits.tolist(), strict=True):
                found[mark] = max(found.get(mark, 0.0), value)
    return found | dict.fromkeys(cited_marks(question, history.marks).marks, NAMED)


def ranked(question: str, history: History, frames: Sequence[int]) -> tuple[list[int], list[int]]:
    """All marks, those first that should be drawn first, and of these the ones that the question names.

    Args:
        question: any text.
        history: what was seen.
        frames: numbers of the source frames that are to be shown; sizes are those in these frames.
    """
    marks = sorted(history.marks)
    relevant = relevance(question, history)
    picture = max(history.size[0] * history.size[1], 1)
    traces = [history.traces[mark] for mark in marks]
    now = history.times[np.isin(history.frames, list(frames))].max(initial=0.0)
    order = rank(
        marks,
        [_area(trace, frames) / picture for trace in traces],
        [_speed(trace) / max(float(np.hypot(*history.size)), 1.0) for trace in traces],
        [now - trace.times.min(initial=now) for trace in traces],
        [relevant[mark] for mark in marks],
    )
    return order, [mark for mark in order if relevant[mark] >= NAMED]


def _descriptions(query: Query) -> Iterator[Filter]:
    """Everything in a question by which marks are described; what is only claimed of them is left out."""
    selectors = [query.subject, query.other, *(clause.subject for clause in query.clauses)]
    for selector in selectors:
        if selector is not None and selector.filter is not None:
            yield selector.filter
            for part in leaves(selector.filter):
                if isinstance(part, Related | Compare) and part.to.filter is not None:
                    yield part.to.filter


def _telling(filter_: Filter) -> list[Filter]:
    """What must hold at once, but for relations to any other mark: they tell little and take long."""
    return [
        part
        for part in parts_of(filter_)
        if not any(isinstance(leaf, Related) and leaf.to.filter is None for leaf in leaves(part))
    ]


def _area(trace: Trace, frames: Sequence[int]) -> float:
    """Pixels of a mark where the frames show it largest, or where it ever was if they do not show it."""
    seen = trace.states == VISIBLE
    shown = seen & np.isin(trace.frames, list(frames))
    return float(trace.areas[shown if shown.any() else seen].max(initial=0))


def _speed(trace: Trace) -> float:
    """Mean speed of a mark's box from one half second to the next, in pixels a second."""
    seen = trace.states == VISIBLE
    times, boxes = trace.times[seen], trace.boxes[seen]
    if len(times) < 2 or times[-1] - times[0] < _STEP_S:
        return 0.0
    at = np.arange(times[0], times[-1] + 1e-6, _STEP_S)
    x, y = (np.interp(at, times, (boxes[:, axis] + boxes[:, axis + 2]) / 2) for axis in (0, 1))
    return float(np.hypot(np.diff(x), np.diff(y)).mean() / _STEP_S)
