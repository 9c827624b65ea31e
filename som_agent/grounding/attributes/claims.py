"""What holds of which marks: which and how many there are, whether it holds, and when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from som_agent.grounding.attributes import motion
from som_agent.grounding.attributes.evaluate import Evaluator
from som_agent.grounding.attributes.query import (
    HIDING,
    Absent,
    AnyOf,
    Compare,
    Event,
    Filter,
    Is,
    Moves,
    Related,
    Visible,
    leaves,
    needs_unseen,
)
from som_agent.grounding.attributes.reports import Case, Report, ground, subject, with_times
from som_agent.grounding.attributes.table import spans
from som_agent.grounding.attributes.windows import seconds
from som_agent.grounding.attributes.wording import capital, during, listed

__all__ = ["verify", "when", "which"]


def which(case: Case) -> Report:
    """Which marks, how many, and whether there are any."""
    query, evaluator, namer = case.query, case.evaluator, case.namer
    filter_ = query.subject.filter
    held = evaluator.rows(filter_)
    all_chosen = evaluator.decide(filter_, held) & case.also
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
        times = with_times(case, marks, held)
        text = f"{capital(namer.cite(marks))} {namer.says(filter_, plural)}{times}."
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


def verify(case: Case) -> Report:
    """Yes, no, or for a part of the time; of each mark that is asked about."""
    query, evaluator, table, namer = case.query, case.evaluator, case.table, case.namer
    claim = query.claim
    assert claim is not None
    held = evaluator.rows(claim)
    marks = _subject_of_claim(case)
    yes: list[int] = []
    partly: list[int] = []
    no: list[int] = []
    unseen: dict[int, float] = {}
    enough = evaluator.decide(claim, held)
    throughout = evaluator.throughout(claim, held)
    back = motion.moved_unseen(table, evaluator.base)
    for mark in marks:
        owner = int(np.searchsorted(table.marks, mark))
        true = len(case.rows(mark, held))
        among = int(case.seen(mark).sum())
        if isinstance(claim, Visible | Absent):
            among = int(evaluator.frames.sum())
        if isinstance(claim, Event) or (_hides(claim) and not query.always):
            (yes if true else no).append(mark)
        elif throughout[owner] if query.always else among and true >= 0.5 * among:
            yes.append(mark)
        elif claim == Moves() and not enough[owner] and not np.isnan(back[owner]):
            unseen[mark] = float(back[owner])
        elif enough[owner]:
            partly.append(mark)
        else:
            no.append(mark)
    denied = (table.seen if isinstance(claim, Visible) or needs_unseen(claim) else evaluator.base) & ~held
    sentences, grounded = [], []
    if query.either and isinstance(claim, AnyOf) and not partly and not unseen:
        return _which_of(case, claim, yes, no)
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
        times = with_times(case, group, held) if group is yes else ""
        sentences.append(f"{namer.cite(group)} {says}{times}")
    for mark, time in unseen.items():
        yes.append(mark)
        grounded.append(ground(case, mark, table.seen))
        sentences.append(
            f"{namer.cite([mark])} is still while in view, but moved while out of sight: it came back "
            f"elsewhere at {seconds(time)} s"
        )
    said = "; ".join(sentences)
    if yes and not partly and not no:
        return f"Yes, {said}.", grounded
    if no and not yes and not partly:
        return f"No, {said}.", grounded
    head = "No, not always" if query.always and not no else "Not all" if len(marks) > 1 else "In part"
    return f"{head}: {said}.", grounded


def _hides(claim: Filter) -> bool:
    return isinstance(claim, Related) and claim.kind in HIDING


def _which_of(case: Case, claim: AnyOf, yes: list[int], no: list[int]) -> Report:
    """Which of the claims that "or" joins holds of each mark."""
    evaluator, namer = case.evaluator, case.namer
    rows = [evaluator.rows(part) for part in claim.of]
    holds = [evaluator.decide(part, held) for part, held in zip(claim.of, rows, strict=True)]
    sentences, grounded = [], []
    for mark in [*yes, *no]:
        owner = np.searchsorted(case.table.marks, mark)
        true = [i for i in range(len(rows)) if holds[i][owner]] if mark in yes else []
        states = [namer.state(claim.of[i]) for i in true]
        if states:
            grounded.append(ground(case, mark, np.any([rows[i] for i in true], axis=0)))
            both = "both " if len(states) == 2 else ""
            sentences.append(f"{namer.cite([mark])} is {both}{listed(states)}")
        else:
            grounded.append(ground(case, mark, evaluator.base))
            denied = listed([namer.state(part) for part in claim.of], "nor")
            sentences.append(f"{namer.cite([mark])} is neither {denied}")
    return f"{capital('; '.join(sentences))}.", grounded


def when(case: Case) -> Report:
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
        who = capital(namer.selector(query.subject)) if query.subject.filter is not None else "A mark"
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
    return f"{capital('; '.join(parts))}.", [ground(case, mark, held) for mark in marks]


def _subject_of_claim(case: Case) -> list[int]:
    """The marks a claim is made of; named ones count although they are out of sight."""
    filter_ = case.query.subject.filter
    if isinstance(filter_, Is):
        return list(filter_.marks)
    marks, _ = subject(case)
    if not marks and filter_ is not None:
        everywhere = Evaluator(case.table, np.ones(len(case.table.clock), bool), case.evaluator.by_row)
        marks, _ = subject(replace(case, evaluator=everywhere))
    return marks


def _negated(says: str, infinitive: str, plural: bool) -> str:
    """The opposite of a predicate; `infinitive` is its verb as it stands after "does not"."""
    for verb in ("is ", "are "):
        if says.startswith(verb):
            return f"{verb}not {says[len(verb) :]}"
    return f"{'do' if plural else 'does'} not {infinitive.removeprefix('first ')}"
