"""A question about everything that was seen so far."""

from __future__ import annotations

from pydantic import Field

from som_agent.answer import Answer, GroundedMark
from som_agent.grounding import check_question
from som_agent.history import History
from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.call import Call
from som_tools.sessions import SessionStore

__all__ = ["ASK", "AskForm", "answer_text"]

SPANS = 4
"""Spans of time told of each mark; the data has all of them."""


class AskForm(SessionForm):
    """What a model fills in to ask."""

    question: str = Field(description='Question in plain English; "[3]" names mark 3')


def answer_text(answer: Answer, history: History) -> str:
    """An answer for a model that reads only text: what it says, its marks, what is not grounded."""
    lines = [answer.text]
    if answer.marks:
        width, height = history.size
        a, b = history.times[[0, -1]]
        lines.append(f"Marks (picture {width}x{height} px, seen {a:.1f}-{b:.1f} s):")
        lines += [_roster_line(mark) for mark in answer.marks]
    lines += [f'Not grounded: "{part.text}": {part.reason}' for part in answer.unsupported]
    return "\n".join(lines)


def _roster_line(mark: GroundedMark) -> str:
    spans = [(f"{a:.1f}", f"{b:.1f}") for a, b in mark.intervals]
    times = [f"{a} s" if a == b else f"{a}-{b} s" for a, b in spans[:SPANS]]
    if len(spans) > SPANS:
        times.append(f"{len(spans) - SPANS} more times")
    line = f"[{mark.label}] {', '.join(times)}"
    if mark.evidence:
        first = mark.evidence[0]
        box = ", ".join(f"{v:.0f}" for v in first.box)
        line += f"; box ({box}) at {first.time:.1f} s"
    return line


def _ask(store: SessionStore, form: AskForm, call: Call) -> Outcome:
    check_question(form.question)
    opened = store.get(form.session, call)
    _, lmm = store.load()
    call.tell({"type": "som.asking", "session": opened.id, "video": opened.name, "question": form.question})
    answer = opened.session.ask(
        form.question,
        lmm=lmm,
        name=store.lmm_name,
        asking=store.asking,
        finder=store.finder,
        pictures=opened.pictures,
    ).seen_in_part(opened.problem)
    return Outcome(answer_text(answer, opened.session.history), {"session": opened.id, **answer.to_json()})


ASK = Action(
    "ask",
    "Ask a question about what was seen in a session so far. The answer cites marks as [3] and says when and "
    "where each is seen, in seconds and pixels; what no mark supports is said with the reason.",
    AskForm,
    _ask,
)
