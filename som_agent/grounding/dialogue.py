"""From a question to a checked answer, as a dialogue: what to ask next, given what was replied.

The dialogue itself waits for nothing. It yields requests and searches, and whoever drives it, blocking or
asynchronous, sends back what came of them: `som_agent.grounding.chat`.
"""

from __future__ import annotations

from collections.abc import Container, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from som_agent.answer import Answer, Unsupported
from som_agent.errors import AnswererError, LimitError, UnansweredError
from som_agent.grounding.asking import Asking
from som_agent.grounding.attributes.parse import parse
from som_agent.grounding.citations import cited_marks
from som_agent.grounding.compose import composed
from som_agent.grounding.posing import Seen, posed
from som_agent.grounding.prompts import broken_prompt, repair_prompt, uncited_prompt
from som_agent.grounding.statements import AnswerForm, Said, read
from som_agent.grounding.verify import verdict_requests, verdicts
from som_agent.history import History
from som_agent.keyframes import Keyframe
from som_agent.lmm.calls.caller import Reply, Request
from som_agent.lmm.profiles import Profile

__all__ = ["Dialogue", "Found", "Outcomes", "Search", "dialogue"]


@dataclass(frozen=True)
class Search:
    """A wish: that what these phrases name be marked. Sent back is what was `Found`."""

    phrases: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What came of a search.

    Attributes:
        seen: what there is to ask about now.
        marks: those that were made, none where nothing was found.
        how: what was done, in words: "the marks 3a and 3b were made by opening mark 3", or why nothing was.
    """

    seen: Seen
    marks: tuple[int, ...]
    how: str


Outcomes: TypeAlias = list["Reply | AnswererError"]
Dialogue: TypeAlias = Generator[Sequence[Request] | Search, Any, Answer]
"""Yields requests to be sent side by side, and is sent `Outcomes`; or a `Search`, and is sent `Found`."""


@dataclass(frozen=True)
class _Turn:
    """A question asked once, and the reply that was made of it in the end.

    Attributes:
        seen: what it was asked about.
        shown: the pictures.
        reply: None where there was none.
        said: what it says.
        notes: what went wrong on the way, and why it stayed so.
    """

    seen: Seen
    shown: Sequence[Keyframe]
    reply: Reply | None
    said: Said
    notes: tuple[Unsupported, ...] = ()


def dialogue(
    question: str, seen: Seen, profile: Profile, asking: Asking, *, searchable: bool = False
) -> Dialogue:
    """Ask, have the reply mended, search for what has no mark, and have the claims verified.

    Args:
        question: in any language that the model understands.
        seen: what there is to ask about.
        profile: how the model sees, and what it takes.
        asking: how it is asked.
        searchable: whether a `Search` can be done.

    Raises:
        AnswererError: the request itself was refused: a wrong key or name of a model, for example.
    """
    turn = yield from _asked(question, seen, profile, asking)
    turn = yield from _shown_the_rest(question, turn, profile, asking)
    phrases = _unmarked(question, turn)
    if searchable and asking.search and phrases:
        found: Found = yield Search(phrases)
        if found.marks:
            again = yield from _asked(question, found.seen, profile, asking, found.how)
            turn = again if again.reply is not None else replace(turn, notes=(*turn.notes, *again.notes))
        else:
            note = Unsupported(", ".join(phrases), f"nothing was found by searching: {found.how}")
            turn = replace(turn, notes=(*turn.notes, note))
    answer = composed(question, turn.seen.history, turn.shown, turn.reply, turn.said, turn.notes)
    if asking.verify and answer.claims:
        requests = verdict_requests(question, answer, turn.seen.history, turn.seen.pictures, profile)
        outcomes: Outcomes = yield list(requests.values())
        answer = verdicts(answer, dict(zip(requests, outcomes, strict=True)))
    return answer


def _asked(
    question: str,
    seen: Seen,
    profile: Profile,
    asking: Asking,
    found: str = "",
    last: Container[int] = (),
) -> Generator[Sequence[Request], Outcomes, _Turn]:
    """Ask once, and have the reply mended; `found` and `last` as in `posed`."""
    history = seen.history
    shown, messages = posed(question, seen, profile, asking, found, last)
    if not shown:
        nothing = Unsupported(question, "there is no frame to show to the model")
        return _Turn(seen, shown, None, Said(""), (nothing,))
    from langchain_core.messages import AIMessage, HumanMessage

    (outcome,) = yield [Request(messages, "question", AnswerForm)]
    if isinstance(outcome, AnswererError):
        is_first = not (found or last)  # a later one does not cost what was answered before
        if is_first and not isinstance(outcome, LimitError | UnansweredError):
            raise outcome
        return _Turn(seen, shown, None, Said(""), (Unsupported(question, str(outcome)),))
    reply, said = outcome, read(outcome.text, outcome.data, history.marks)
    notes: tuple[Unsupported, ...] = ()
    for _ in range(asking.repairs):
        wrong = _what_is_wrong(question, reply, said, history)
        if wrong is None:
            break
        messages = [*messages, AIMessage(said.text or reply.text or "…"), HumanMessage(wrong)]
        (outcome,) = yield [Request(messages, "repair", AnswerForm)]
        if isinstance(outcome, AnswererError):
            notes = (Unsupported(question, f"the reply could not be mended: {outcome}"),)
            break
        mended = read(outcome.text, outcome.data, history.marks)
        if _worth(mended) >= _worth(said):  # otherwise the one before at least says something
            reply, said = outcome, mended
    return _Turn(seen, shown, reply, said, notes)


def _shown_the_rest(
    question: str, turn: _Turn, profile: Profile, asking: Asking
) -> Generator[Sequence[Request], Outcomes, _Turn]:
    """Where nothing fits, ask about the marks that found no room, a bounded number of times."""
    drawn: set[int] = set()
    before: set[int] = set()
    for _ in range(asking.repairs):
        drawn.update(*(keyframe.marks for keyframe in turn.shown))
        left = set().union(*(keyframe.left_out for keyframe in turn.shown)) - drawn
        if not turn.said.none_such or turn.said.marks or not left or left == before:
            break
        again = yield from _asked(question, turn.seen, profile, asking, last=drawn)
        if again.reply is None:
            return replace(turn, notes=(*turn.notes, *again.notes))
        turn, before = again, left
    return turn


def _what_is_wrong(question: str, reply: Reply, said: Said, history: History) -> str | None:
    """What the model is told about a reply that cannot be used as it is; None where it can."""
    if reply.refusal is not None or not (said.text or reply.text):
        return None  # asking the same again would not help
    # A label that the question asks for may be said not to be there.
    unknown = set(said.unknown).difference(cited_marks(question, history.marks).unknown)
    if unknown:
        return repair_prompt([label for label in said.unknown if label in unknown], history)
    if said.statements or said.none_such or said.not_marked or not history.marks:
        return None
    return broken_prompt() if reply.cut else uncited_prompt(history)


def _worth(said: Said) -> int:
    """How much of a reply can be used."""
    if said.marks:
        return 2 if said.unknown else 3
    return 2 if said.none_such or said.not_marked else bool(said.text)


def _unmarked(question: str, turn: _Turn) -> tuple[str, ...]:
    """What the question is about and the model finds no mark on, in words that can be searched for."""
    if turn.said.not_marked:
        return turn.said.not_marked
    if turn.reply is None or (turn.seen.history.marks and not turn.said.none_such):
        return ()
    # The model gave no name to it: what the embedded answerer cannot compute are the names of things.
    return tuple(dict.fromkeys(word.text for word in parse(question, turn.seen.history.marks).unknown))
