"""Agents without a model behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from som_agent.regions import Regions
from som_agent.video import Frame


class Colours:
    """Segments by colour, and counts the frames."""

    name = "colours"

    def __init__(self) -> None:
        self.frames = 0

    def segment(self, frame: Frame) -> Regions:
        self.frames += 1
        red, _, blue = (frame.image[..., k].astype(int) for k in range(3))
        return Regions.from_labels(np.where(red - blue > 80, 1, np.where(blue - red > 80, 2, 0)))


class Scripted(FakeMessagesListChatModel):
    """Says what the script says, and remembers what it was told."""

    seen: list[list[BaseMessage]] = Field(default_factory=list)

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> BaseChatModel:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.seen.append(messages)
        return super()._generate(messages, *args, **kwargs)


class Planner(Scripted):
    """Decides by what it reads: `plan` takes the results, and gives the next calls or the last word."""

    plan: Callable[[list[ToolMessage]], list[ToolCall] | str]
    responses: list[BaseMessage] = Field(default_factory=list)

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.seen.append(messages)
        next_ = self.plan([message for message in messages if isinstance(message, ToolMessage)])
        said = AIMessage(next_) if isinstance(next_, str) else AIMessage("", tool_calls=next_)
        return ChatResult(generations=[ChatGeneration(message=said)])


def call(name: str, id_: str = "call_1", **arguments: Any) -> ToolCall:
    return ToolCall(name=name, args=arguments, id=id_, type="tool_call")
