"""Chat messages as a local model needs them: turns of text and pictures in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from som_agent.errors import AnswererError
from som_agent.lmm.pictures import read_image_block
from som_agent.video.frame import Image

__all__ = ["Turn", "read_turns", "template_turns"]


@dataclass(frozen=True, eq=False)
class Turn:
    """What one side says in one go.

    Attributes:
        role: `system`, `user` or `assistant`.
        parts: texts and pictures `[H, W, 3] uint8` RGB in their order.
    """

    role: str
    parts: tuple[str | Image, ...]

    @property
    def pictures(self) -> list[Image]:
        """Its pictures alone."""
        return [part for part in self.parts if not isinstance(part, str)]


def read_turns(messages: Iterable[BaseMessage], reader: str) -> list[Turn]:
    """The turns of a conversation; messages of one side that follow each other become one turn.

    Many chat templates refuse two turns of the same side in a row.

    Args:
        messages: of LangChain.
        reader: who reads them, for errors.

    Raises:
        AnswererError: a message of a tool, or a block that is neither text nor a picture.
    """
    turns: list[Turn] = []
    for message in messages:
        role = _role(message, reader)
        blocks = [message.content] if isinstance(message.content, str) else message.content
        parts = tuple(_part(block, reader) for block in blocks)
        if turns and turns[-1].role == role:
            parts = (*turns.pop().parts, "\n", *parts)
        turns.append(Turn(role, parts))
    return turns


def template_turns(turns: Iterable[Turn], text: Callable[[str], str]) -> list[dict[str, Any]]:
    """The turns as chat templates of transformers take them.

    Args:
        turns: of a conversation.
        text: what to make of a text, so that none of it is taken for a picture's place.
    """
    from PIL.Image import fromarray

    # As PIL pictures: of an array three pixels high a processor would have to guess where the colours are.
    return [
        {
            "role": turn.role,
            "content": [
                {"type": "text", "text": text(part)}
                if isinstance(part, str)
                else {"type": "image", "image": fromarray(part)}
                for part in turn.parts
            ],
        }
        for turn in turns
    ]


def _role(message: BaseMessage, reader: str) -> str:
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, AIMessage):
        return "assistant"
    if isinstance(message, SystemMessage):
        return "system"
    raise AnswererError(f"{reader} reads system, human and AI messages, not {type(message).__name__}")


def _part(block: str | dict[str, Any], reader: str) -> str | Image:
    if isinstance(block, str):
        return block
    if block.get("type") == "text":
        return str(block["text"])
    picture = read_image_block(block)
    if picture is None:
        raise AnswererError(f"{reader} reads text and pictures, not {block.get('type')!r} blocks")
    return picture
