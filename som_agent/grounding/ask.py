"""The one way from a question to an answer, whoever answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from som_agent.answer import Answer
from som_agent.errors import InputError
from som_agent.history import History
from som_agent.keyframes import Pictures

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["ask", "check_question", "load_answerer"]


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
) -> Answer:
    """Answer a question about what was seen.

    Args:
        question: in plain words; marks may be named as `[3]`.
        history: what was seen.
        pictures: draws source frames with their marks, for models that look at pictures.
        lmm: `attributes`, `llava:DIR`, `provider:model`, or a LangChain chat model.
        name: what the answer calls the model, where `lmm` is a model.

    Raises:
        InputError: an empty question.
        AnswererError: an unknown model, or one that failed to answer.
    """
    check_question(question)
    model = load_answerer(lmm)
    if isinstance(model, str):
        from som_agent.grounding import attributes

        return attributes.answer(question, history)
    from som_agent.grounding import chat

    called = name or (lmm if isinstance(lmm, str) else type(lmm).__name__)
    return chat.answer(question, history, pictures, model, called)
