"""A stand-in for the language model of an agent, so that the examples run without one.

It plans by rules, but it knows no more than a model would: the messages that it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

__all__ = ["Planner", "calls", "read"]

Plan = Callable[[list[str]], AIMessage]


class Planner(BaseChatModel):
    """Decides by `plan`, which is given the texts of all results so far and says what comes next."""

    plan: Plan

    @property
    def _llm_type(self) -> str:
        return "planner"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> BaseChatModel:
        """Takes note of no tools: the plan knows them."""
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        results = [str(message.text) for message in messages if isinstance(message, ToolMessage)]
        return ChatResult(generations=[ChatGeneration(message=self.plan(results))])


def calls(tool: str, **arguments: Any) -> AIMessage:
    """What a model says that calls a tool."""
    return AIMessage("", tool_calls=[{"name": tool, "args": arguments, "id": f"call_{tool}"}])


def read(pattern: str, text: str, what: str) -> str:
    """The first group of a pattern in a result.

    Raises:
        SystemExit: it is not there, with what the result says in its place.
    """
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"no {what} in this result:\n{text}")
    return found[1]
