"""`attributes`: answers from masks, pixels and tracks alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from som_agent.answer import Answer, Claim, GroundedMark, Unsupported
from som_agent.grounding.attributes import claims, hiders, reports, ways
from som_agent.grounding.attributes.evaluate import Evaluator
from som_agent.grounding.attributes.hidden import party, resolved
from som_agent.grounding.attributes.parse import parse
from som_agent.grounding.attributes.query import (
    CLAIMING,
    HIDING,
    Absent,
    Compare,
    Event,
    Filter,
    Is,
    Query,
    Related,
    Visible,
    leaves,
    needs_unseen,
)
from som_agent.grounding.attributes.reports import Case, Report
from som_agent.grounding.attributes.table import Table
from som_agent.grounding.attributes.windows import asked_frames, side_marks
from som_agent.grounding.attributes.wording import Namer, capital, listed, note_unknown
from som_agent.history import History

__all__ = ["answer"]

_CONNECT = "connect a model: --lmm openai:gpt-4o, or any provider:model"
_REASON = (
    "the embedded answerer knows colour, size, position, motion, order and time of marks, not names of "
    f"things or other words; {_CONNECT}"
)
_REPORTS = {
    "color": reports.color,
    "where": hiders.where,
    "speed": reports.speed,
    "size": reports.size,
    "distance": reports.distance,
    "travel": ways.travel,
    "direction": ways.direction,
    "order": reports.order,
    "describe": reports.describe,
}
_ONLY_NAMED = (*CLAIMING, "color", "where", "speed", "size", "describe", "distance", "travel", "direction")


def answer(question: str, history: History) -> Answer:
    """Answer a question about marks without a model.

    What cannot be computed is never guessed: each word that is neither known nor a function word comes back
    in `unsupported`, and so does a mark that does not exist. Where only a part of the question can be
    computed ("which cups are red?": the colour, not the cups), that part is answered and the text says what
    it leaves open; where the rest means nothing by itself, nothing is answered.

    Args:
        question: English.
        history: what was seen.

    Returns:
        The answer. Every mark that the text cites as `[3]` is in its `marks`; marks that are only mentioned
        are written without brackets.
    """
    query = parse(question, history.marks)
    namer = Namer(history.marks)
    unsupported = [_missing(text, history, namer) for text in query.missing]
    unsupported += [Unsupported(word.text, word.reason or _REASON) for word in query.unknown]
    needs_absent = any(isinstance(part, Absent) for part in _all_leaves(query))
    table = Table.of(history, fill=needs_absent)

    def reply(text: str, marks: Sequence[GroundedMark] = ()) -> Answer:
        spans = sorted({span for known in marks for span in known.intervals})
        claim = Claim(text, tuple(dict.fromkeys(known.mark for known in marks)), spans)
        return Answer(
            text,
            list(marks),
            unsupported,
            "attributes",
            history.segmenter,
            claims=[claim] if marks else [],
            none_such=not marks and not unsupported,
        )

    if query.vague or not (query.unknown or query.missing or _says_anything(query)):
        if not unsupported:
            unsupported.append(Unsupported(question.strip(), _REASON))
        return reply(_cannot(query, namer, history))
    if not table.seen.any():
        return reply("There are no marks: nothing was found in what was seen.")
    frames, problems = asked_frames(table, query)
    unsupported += problems
    if not frames.any():
        return reply(f"{capital(listed([f'{p.text}: {p.reason}' for p in problems], 'and'))}.")
    also, problems = side_marks(table, query)
    unsupported += [problem for problem in problems if problem not in unsupported]
    if problems and query.sides:
        return reply(f"{capital(listed([f'{p.text}: {p.reason}' for p in problems], 'and'))}.")
    evaluator = Evaluator(table, frames, by_row=query.ask in CLAIMING)
    asked, query = query, resolved(query, evaluator)
    case = Case(query, table, evaluator, namer, also)
    for part in _all_leaves(query):
        if isinstance(part, Related | Compare) and not isinstance(part.to.filter, Is | None):
            if isinstance(part, Related) and part.kind in HIDING:
                namer.meant[part.to] = case.marks(party(evaluator, part))
            else:
                namer.meant[part.to] = case.named(evaluator.select(part.to))
    text, marks = hiders.with_hiders(case, _dispatch(case))
    found = len(marks)
    visibly = hiders.lies_there(case, asked)
    text = f"{text.rstrip('.')}; {visibly}." if visibly else text
    note = note_unknown(query.unknown, found)
    if query.missing:
        missing = listed([f'"{name}"' for name in query.missing])
        note = f"{note} and {missing} does not exist" if note else f"{missing} does not exist"
    text = _with_time(text, query)
    return reply(f"{text.rstrip('.')}; {note}." if note else text, marks)


def _dispatch(case: Case) -> Report:
    ask = case.query.ask
    in_view = case.evaluator.select(case.query.subject).any()
    if ask in _ONLY_NAMED and not in_view and not (ask == "where" and hiders.hidden_at_the_end(case)):
        problem = _no_subject(case)
        if problem:
            return problem, []
    if ask in CLAIMING:
        if case.query.claim is None:
            return reports.describe(case)
        return claims.verify(case) if ask == "verify" else claims.when(case)
    return _REPORTS.get(ask, claims.which)(case)


def _no_subject(case: Case) -> str:
    """Why there is nothing to say of the marks that are asked about; "" where there is after all."""
    claim, filter_ = case.query.claim, case.query.subject.filter
    if needs_unseen(claim) or isinstance(claim, Visible | Event):
        ever = replace(case.evaluator, frames=np.ones(len(case.table.clock), bool))
        known = isinstance(filter_, Is) or (needs_unseen(claim) and ever.select(case.query.subject).any())
        return "" if known else _none_such(case, filter_)
    if isinstance(filter_, Is):
        plural = len(filter_.marks) > 1
        return f"{capital(case.namer.plain(filter_.marks))} {'are' if plural else 'is'} not in view then."
    return _none_such(case, filter_)


def _none_such(case: Case, filter_: Filter | None) -> str:
    return (
        f"No mark {case.namer.says(filter_, False)}." if filter_ is not None else "No mark is in view then."
    )


def _says_anything(query: Query) -> bool:
    return (
        query.subject.filter is not None
        or query.claim is not None
        or query.ask != "which"
        or query.subject.plural
    )


def _all_leaves(query: Query) -> list[Filter]:
    filters = [query.subject.filter, query.claim, query.other.filter if query.other else None]
    filters += [side.query.subject.filter for side in query.sides]
    filters += [f for clause in query.clauses for f in (clause.subject.filter, clause.claim)]
    return [part for filter_ in filters for part in leaves(filter_)]


def _missing(text: str, history: History, namer: Namer) -> Unsupported:
    marks = sorted(history.marks)
    known = namer.plain(marks) if marks else "none"
    return Unsupported(text, f"there is no such mark; there {'is' if len(marks) == 1 else 'are'} {known}")


def _cannot(query: Query, namer: Namer, history: History) -> str:
    if query.missing and not query.unknown:
        marks = sorted(history.marks)
        known = f"{'is' if len(marks) == 1 else 'are'} {namer.plain(marks) if marks else 'no marks'}"
        return f"There is no mark {listed(list(query.missing), 'or')}; there {known}."
    words = listed([f'"{word.text}"' for word in query.unknown])
    said = [word for word in query.unknown if word.reason]
    if said and len(said) == len(query.unknown):
        reasons = listed([f'"{word.text}": {word.reason}' for word in said])
        return f"I cannot answer that: {reasons}."
    problem = f"{words} cannot be computed from masks" if words else "it does not say what about the marks"
    return (
        f"I cannot answer that without a model: {problem}. I know colour, size, position, motion, order, "
        f"counts and times of marks; for anything else {_CONNECT}."
    )


def _with_time(text: str, query: Query) -> str:
    """The sentence with the times that it is about in front."""
    times = [window.text for window in query.windows] + [clause.text for clause in query.clauses]
    times += [side.text for side in query.sides]
    if not times:
        return text
    return f"{capital(', '.join(times))}: {text[:1].lower()}{text[1:]}"
