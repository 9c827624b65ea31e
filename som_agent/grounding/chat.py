"""A question to a vision-language model: the dialogue driven, blocking or asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from som_agent.answer import Answer
from som_agent.errors import AnswererError
from som_agent.grounding.asking import Asking
from som_agent.grounding.dialogue import Found, Outcomes, Search, dialogue
from som_agent.grounding.posing import Seen
from som_agent.history import History
from som_agent.keyframes import Pictures
from som_agent.lmm.calls import background
from som_agent.lmm.calls.cache import ReplyCache
from som_agent.lmm.calls.caller import Caller, Reply, Request
from som_agent.lmm.calls.trace import Trace
from som_agent.lmm.profiles import profile_of

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Searcher", "aanswer", "answer"]

Searcher = Callable[[Search], Found]
"""Does a search: makes marks on what phrases name."""
_DEFAULT = Asking()


def answer(
    question: str,
    history: History,
    pictures: Pictures,
    model: BaseChatModel,
    name: str,
    asking: Asking = _DEFAULT,
    *,
    search: Searcher | None = None,
    newest: Callable[[], History] | None = None,
) -> Answer:
    """Ask a chat model about what was seen, and check every mark that it names.

    Args:
        question: in any language that the model understands.
        history: what was seen.
        pictures: draws frames with their marks, as large as the model sees them. It may return fewer, or
            others near them, where a live session has let them go.
        model: a LangChain chat model that takes pictures.
        name: the model's name, for the answer and for errors.
        asking: how it is asked.
        search: looks for what has no mark; None where that cannot be done.
        newest: what was seen by the time of the answer, where frames go on coming; None: nothing more.

    Returns:
        See `som_agent.grounding.compose.composed`. A model that cannot be brought to answer within the limits
        gives an answer without text, the reason in `unsupported`.

    Raises:
        AnswererError: the request itself was refused: a wrong key or name of a model, for example.
        InputError: a limit in dollars, and no price is known.
    """
    with closing(_rounds(question, history, pictures, model, name, asking, search, newest)) as rounds:
        outcomes: Outcomes | None = None
        while True:
            try:
                calls = rounds.send(outcomes)
            except StopIteration as end:
                return cast("Answer", end.value)
            outcomes = background.run(calls)


async def aanswer(
    question: str,
    history: History,
    pictures: Pictures,
    model: BaseChatModel,
    name: str,
    asking: Asking = _DEFAULT,
    *,
    search: Searcher | None = None,
    newest: Callable[[], History] | None = None,
) -> Answer:
    """As `answer`, while the caller's event loop goes on; only drawing and searching happen in it."""
    with closing(_rounds(question, history, pictures, model, name, asking, search, newest)) as rounds:
        outcomes: Outcomes | None = None
        while True:
            try:
                calls = rounds.send(outcomes)
            except StopIteration as end:
                return cast("Answer", end.value)
            outcomes = await background.await_there(calls)


def _rounds(
    question: str,
    history: History,
    pictures: Pictures,
    model: BaseChatModel,
    name: str,
    asking: Asking,
    search: Searcher | None,
    newest: Callable[[], History] | None,
) -> Generator[Coroutine[Any, Any, Outcomes], Outcomes | None, Answer]:
    """The dialogue with its searches done: yields what is to be awaited, and is sent what came of it."""
    profile = asking.profile or profile_of(model, name)
    with ExitStack() as files:
        caller = Caller(
            model,
            name,
            profile,
            limits=asking.limits,
            attempts=asking.tries,
            cache=None if asking.cache is None else files.enter_context(ReplyCache(asking.cache)),
            trace=None if asking.trace is None else files.enter_context(Trace(asking.trace)),
        )
        seen = Seen(history, pictures)
        talk = dialogue(question, seen, profile, asking, searchable=search is not None)
        outcome: Any = None
        while True:
            try:
                step = talk.send(outcome)
            except StopIteration as end:
                return _finished(end.value, name, caller, history, newest)
            if isinstance(step, Search):
                assert search is not None  # otherwise none is asked for
                outcome = search(step)
            else:
                outcome = yield _replies(caller, step)


def _finished(
    answer: Answer, name: str, caller: Caller, history: History, newest: Callable[[], History] | None
) -> Answer:
    """The answer with who gave it, what it cost, and where its marks are by now."""
    known = replace(answer, lmm=name, usage=caller.usage)
    return known.at(history if newest is None else newest())


async def _replies(caller: Caller, requests: Sequence[Request]) -> Outcomes:
    """What came of each of the requests, sent side by side; cancelled together."""

    async def one(request: Request) -> Reply | AnswererError:
        try:
            return await caller(request)
        except AnswererError as error:  # the dialogue decides what that means
            return error

    return list(await asyncio.gather(*map(one, requests)))
