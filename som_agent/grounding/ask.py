"""The one way from a question to an answer, whoever answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from som_agent.answer import Answer
from som_agent.errors import InputError
from som_agent.grounding.asking import Asking
from som_agent.history import History
from som_agent.keyframes import Pictures

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from som_agent.grounding.chat import Searcher

__all__ = ["aask", "ask", "check_question", "load_answerer"]


def check_question(question: str) -> None:
    """Raise InputError where nothing is asked."""
    if not question.strip():
        raise InputError('the question is empty; ask, for example, "Which marks are red?"')


def load_answerer(lmm: str | BaseChatModel) -> str | BaseChatModel:
    """What `ask` takes as `lmm`, loaded where it is a model, so that a wrong name shows at once.

    Raises:
        AnswererError: an unknown model, or one that cannot be used.
        MissingExtraError: a model whose package is an extra of som-agent.
    """
    if isinstance(lmm, str) and lmm == "attributes":
        return lmm
    from som_agent.lmm import load_lmm

    return load_lmm(lmm)


def ask(
    question: str,
    history: History,
    pictures: Pictures,
    lmm: str | BaseChatModel = "attributes",
    *,
    name: str | None = None,
    asking: Asking | None = None,
    search: Searcher | None = None,
    newest: Callable[[], History] | None = None,
) -> Answer:
    """Answer a question about what was seen.

    Args:
        question: in plain words; marks may be named as `[3]`.
        history: what was seen.
        pictures: draws source frames with their marks, for models that look at pictures.
        lmm: `attributes`, `llava:DIR`, `provider:model`, or a LangChain chat model.
        name: what the answer calls the model, where `lmm` is a model.
        asking: how a model is asked; the defaults of `Asking` if left out.
        search: looks for what has no mark; None where that cannot be done.
        newest: what was seen by the time of the answer, where frames go on coming; None: nothing more.

    Raises:
        InputError: an empty question, or a limit that cannot be kept.
        AnswererError: an unknown model, or one that refused the request.
    """
    model = _checked(question, lmm)
    if isinstance(model, str):
        return _computed(question, history, newest)
    from som_agent.grounding import chat

    options = asking or Asking()
    called = name or _called(lmm)
    return chat.answer(question, history, pictures, model, called, options, search=search, newest=newest)


async def aask(
    question: str,
    history: History,
    pictures: Pictures,
    lmm: str | BaseChatModel = "attributes",
    *,
    name: str | None = None,
    asking: Asking | None = None,
    search: Searcher | None = None,
    newest: Callable[[], History] | None = None,
) -> Answer:
    """As `ask`, while the caller's event loop goes on: frames may be taken in meanwhile."""
    model = _checked(question, lmm)
    if isinstance(model, str):
        return _computed(question, history, newest)
    from som_agent.grounding import chat

    options = asking or Asking()
    called = name or _called(lmm)
    return await chat.aanswer(
        question, history, pictures, model, called, options, search=search, newest=newest
    )


def _checked(question: str, lmm: str | BaseChatModel) -> str | BaseChatModel:
    check_question(question)
    return load_answerer(lmm)


def _called(lmm: str | BaseChatModel) -> str:
    return lmm if isinstance(lmm, str) else type(lmm).__name__


def _computed(question: str, history: History, newest: Callable[[], History] | None) -> Answer:
    """The answer of the embedded answerer, which knows all that was seen."""
    from som_agent.grounding import attributes

    answer = attributes.answer(question, history).at(history)
    return answer if newest is None else answer.at(newest())
