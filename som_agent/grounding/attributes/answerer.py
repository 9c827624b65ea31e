"""`attributes`: answers from masks, pixels and tracks alone."""

from __future__ import annotations

import numpy as np

from som_agent.answer import Answer, GroundedMark, Unsupported
from som_agent.errors import InputError
from som_agent.grounding.attributes import reports
from som_agent.grounding.attributes.evaluate import Evaluator
from som_agent.grounding.attributes.parse import parse
from som_agent.grounding.attributes.query import (
    Absent,
    Compare,
    Event,
    Filter,
    Is,
    Query,
    Related,
    Visible,
    leaves,
)
from som_agent.grounding.attributes.reports import Case, Report, ground
from som_agent.grounding.attributes.table import Table, spans
from som_agent.grounding.attributes.windows import choose_frames
from som_agent.grounding.attributes.wording import Namer, during, listed, note_unknown
from som_agent.history import History

__all__ = ["answer"]

_CONNECT = "connect a model: --lmm openai:gpt-4o, or any provider:model"
_REASON = (
    "the embedded answerer knows colour, size, position, motion, order and time of marks, not names of "
    f"things or other words; {_CONNECT}"
)
_REPORTS = {
    "color": reports.color,
    "where": reports.where,
    "speed": reports.speed,
    "size": reports.size,
    "distance": reports.distance,
    "order": reports.order,
    "describe": reports.describe,
}
_ONLY_NAMED = (
    "color",
    "where",
    "speed",
    "size",
    "describe",
    "distance",
    "verify",
    "when",
    "duration",
    "times",
)


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

    Raises:
        InputError: the question is empty.
    """
    if not question.strip():
        raise InputError('the question is empty; ask, for example, "Which marks are red?"')
    query = parse(question, history.marks)
    namer = Namer(history.marks)
    unsupported = [_missing(text, history, namer) for text in query.missing]
    unsupported += [Unsupported(word.text, word.reason or _REASON) for word in query.unknown]
    needs_absent = any(isinstance(part, Absent) for part in _all_leaves(query))
    table = Table.of(history, fill=needs_absent)

    def reply(text: str, marks: list[GroundedMark] | None = None) -> Answer:
        return Answer(text, marks or [], unsupported, "attributes", history.segmenter)

    if query.vague or not (query.unknown or query.missing or _says_anything(query)):
        if not unsupported:
            unsupported.append(Unsupported(question.strip(), _REASON))
        return reply(_cannot(query, namer, history))
    if not table.seen.any():
        return reply("There are no marks: nothing was found in what was seen.")
    frames, problems = choose_frames(table, query)
    unsupported += problems
    if not frames.any():
        return reply(f"{_upper(listed([f'{p.text}: {p.reason}' for p in problems], 'and'))}.")
    by_row = query.ask in ("verify", "when", "duration", "times")
    case = Case(query, table, Evaluator(table, frames, by_row), namer)
    for part in _all_leaves(query):
        if isinstance(part, Related | Compare) and not isinstance(part.to.filter, Is | None):
            namer.meant[part.to] = case.named(case.evaluator.select(part.to))
    text, marks = _dispatch(case)
    found = len(marks)
    note = note_unknown(query.unknown, found)
    if query.missing:
        missing = listed([f'"{name}"' for name in query.missing])
        note = f"{note} and {missing} does not exist" if note else f"{missing} does not exist"
    text = _with_time(text, query)
    return reply(f"{text.rstrip('.')}; {note}." if note else text, marks)


def _dispatch(case: Case) -> Report:
    ask = case.query.ask
    if ask in _ONLY_NAMED and not case.evaluator.select(case.query.subject).any():
        problem = _no_subject(case)
        if problem:
            return problem, []
    if ask in ("verify", "when", "duration", "times") and case.query.claim is None:
        return reports.describe(case)
    if ask == "verify":
        return _verify(case)
    if ask in ("when", "duration", "times"):
        return _when(case)
    if ask in _REPORTS:
        return _REPORTS[ask](case)
    return _which(case)


def _no_subject(case: Case) -> str:
    """Why there is nothing to say of the marks that are asked about; "" where there is after all."""
    claim, filter_ = case.query.claim, case.query.subject.filter
    if isinstance(claim, Absent | Visible | Event):
        return "" if isinstance(filter_, Is) else _none_such(case, filter_)
    if isinstance(filter_, Is):
        plural = len(filter_.marks) > 1
        return f"{_upper(case.namer.plain(filter_.marks))} {'are' if plural else 'is'} not in view then."
    return _none_such(case, filter_)


def _none_such(case: Case, filter_: Filter | None) -> str:
    return (
        f"No mark {case.namer.says(filter_, False)}." if filter_ is not None else "No mark is in view then."
    )


def _which(case: Case) -> Report:
    """Which marks, how many, and whether there are any."""
    query, evaluator, namer = case.query, case.evaluator, case.namer
    filter_ = query.subject.filter
    held = evaluator.rows(filter_)
    all_chosen = evaluator.decide(filter_, held)
    chosen = all_chosen
    if query.ask == "which" and not query.subject.plural:
        chosen = evaluator.narrow(filter_, held, all_chosen)
    marks = case.marks(chosen)
    plural = len(marks) != 1
    grounded = [ground(case, mark, held) for mark in marks]
    if filter_ is None:
        text = f"There {'are' if plural else 'is'} {len(marks)} mark{'s' if plural else ''}"
        text += f": {listed([f'[{namer.label(mark)}]' for mark in marks])}." if marks else "."
    elif not marks:
        text = f"No mark {namer.says(filter_, False)}{_reference_lost(case, filter_)}."
    elif query.ask == "count" or query.quantity >= 0:
        shown = listed([f"[{namer.label(mark)}]" for mark in marks])
        text = f"{len(marks)} mark{'s' if plural else ''} {namer.says(filter_, plural)}: {shown}."
    else:
        times = reports.with_times(case, marks, held)
        text = f"{_upper(namer.cite(marks))} {namer.says(filter_, plural)}{times}."
        others = case.marks(all_chosen & ~chosen)
        if others:
            too = namer.says(filter_, len(others) != 1)
            text = f"{text.rstrip('.')}; less clearly, {namer.plain(others)} {too} too."
    if query.ask == "exists":
        enough = len(marks) == query.quantity if query.quantity >= 0 else bool(marks)
        if query.every:
            enough = bool(marks) and len(marks) == len(np.unique(case.table.owner[evaluator.base]))
        text = f"{'Yes' if enough else 'No'}, {text[:1].lower()}{text[1:]}"
    return text, grounded


def _reference_lost(case: Case, filter_: Filter) -> str:
    """That there is nothing to be in a relation to, where that is why nothing is."""
    for part in leaves(filter_):
        if (
            isinstance(part, Related | Compare)
            and part.to.filter
            and not case.evaluator.select(part.to).any()
        ):
            if isinstance(part.to.filter, Is):
                verb = "are" if len(part.to.filter.marks) > 1 else "is"
                return f"; {case.namer.plain(part.to.filter.marks)} {verb} not in view then"
            return f"; no mark {case.namer.says(part.to.filter, False)}"
    return ""


def _verify(case: Case) -> Report:
    """Yes, no, or for a part of the time; of each mark that is asked about."""
    query, evaluator, table, namer = case.query, case.evaluator, case.table, case.namer
    claim = query.claim
    assert claim is not None
    held = evaluator.rows(claim)
    marks = _subject_of_claim(case)
    yes: list[int] = []
    partly: list[int] = []
    no: list[int] = []
    enough = evaluator.decide(claim, held)
    for mark in marks:
        true = len(case.rows(mark, held))
        among = int(case.seen(mark).sum())
        if isinstance(claim, Visible | Absent):
            among = int(evaluator.frames.sum())
        share = 0.99 if query.always else 0.5
        if isinstance(claim, Event):
            (yes if true else no).append(mark)
        elif among and true >= share * among:
            yes.append(mark)
        elif enough[np.searchsorted(table.marks, mark)]:
            partly.append(mark)
        else:
            no.append(mark)
    denied = (evaluator.base if not isinstance(claim, Absent | Visible) else table.seen) & ~held
    sentences, grounded = [], []
    for group in (yes, partly, no):
        if not group:
            continue
        shows = held if group is not no else denied if denied.any() else table.seen
        grounded += [ground(case, mark, shows) for mark in group]
        says = namer.says(claim, len(group) > 1 and group is not partly)
        if group is no:
            says = _negated(says, namer.says(claim, True), len(group) > 1)
        if group is partly:
            sentences += [
                f"{namer.cite([m])} {says} {during(spans(table, case.rows(m, held)))}" for m in group
            ]
            continue
        times = reports.with_times(case, group, held) if group is yes else ""
        sentences.append(f"{namer.cite(group)} {says}{times}")
    head = "Yes" if yes and not partly and not no else "No" if no and not yes and not partly else ""
    if not head:
        head = "No, not always" if query.always and not no else "Not all" if len(marks) > 1 else "In part"
    return f"{head}: {'; '.join(sentences)}." if head not in (
        "Yes",
        "No",
    ) else f"{head}, {'; '.join(sentences)}.", grounded


def _when(case: Case) -> Report:
    """When it holds, for how long, and how often."""
    query, evaluator, table, namer = case.query, case.evaluator, case.table, case.namer
    claim = query.claim
    assert claim is not None
    held = evaluator.rows(claim)
    marks = [mark for mark in _subject_of_claim(case) if len(case.rows(mark, held))]
    if query.subject.filter is None:
        enough = evaluator.decide(claim, held)
        marks = [mark for mark in marks if enough[np.searchsorted(table.marks, mark)]]
    if not marks:
        who = _upper(namer.selector(query.subject)) if query.subject.filter is not None else "A mark"
        plural = query.subject.plural and query.subject.filter is not None
        return f"{who} never {namer.says(claim, plural).removeprefix('first ')}.", []
    alike: dict[tuple[tuple[float, float], ...], list[int]] = {}
    for mark in marks:
        alike.setdefault(tuple(spans(table, case.rows(mark, held))), []).append(mark)
    parts = []
    for found, group in alike.items():
        says, who = namer.says(claim, len(group) > 1), namer.cite(group)
        if query.ask == "duration":
            total = sum(b - a + table.step for a, b in found)
            parts.append(f"{who} {says} for {total:.1f} s, {during(found)}")
        elif query.ask == "times":
            times = "once" if len(found) == 1 else f"{len(found)} times"
            parts.append(f"{who} {says} {times}, {during(found)}")
        else:
            parts.append(f"{who} {says} {during(found)}")
    return f"{_upper('; '.join(parts))}.", [ground(case, mark, held) for mark in marks]


def _subject_of_claim(case: Case) -> list[int]:
    """The marks a claim is made of; named ones count although they are out of sight."""
    filter_ = case.query.subject.filter
    if isinstance(filter_, Is):
        return list(filter_.marks)
    marks, _ = reports.subject(case)
    if not marks and filter_ is not None:
        everywhere = Evaluator(case.table, np.ones(len(case.table.clock), bool), case.evaluator.by_row)
        marks, _ = reports.subject(Case(case.query, case.table, everywhere, case.namer))
    return marks


def _says_anything(query: Query) -> bool:
    return (
        query.subject.filter is not None
        or query.claim is not None
        or query.ask != "which"
        or query.subject.plural
    )


def _all_leaves(query: Query) -> list[Filter]:
    filters = [query.subject.filter, query.claim, query.other.filter if query.other else None]
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
    if not times:
        return text
    first = text.split(" ", 1)[0]
    lower = text if first.strip(",:") in ("I",) else f"{text[:1].lower()}{text[1:]}"
    return f"{_upper(', '.join(times))}: {lower}"


def _negated(says: str, infinitive: str, plural: bool) -> str:
    """The opposite of a predicate; `infinitive` is its verb as it stands after "does not"."""
    for verb in ("is ", "are "):
        if says.startswith(verb):
            return f"{verb}not {says[len(verb) :]}"
    return f"{'do' if plural else 'does'} not {infinitive.removeprefix('first ')}"


def _upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
