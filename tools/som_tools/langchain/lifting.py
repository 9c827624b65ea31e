"""Pictures in the messages of a request: fewer of them, and out of the messages of tools."""

from __future__ import annotations

from typing import Any, TypeGuard

from langchain_core.messages import AnyMessage, HumanMessage, ToolMessage

__all__ = ["fewer_images", "is_image", "lifted", "shown_sharp"]

LEFT_OUT = "[A picture was here; it is left out of this request to keep it short.]"
MOVED = "The result is a picture: see the next message of the user."


def is_image(block: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a content block is a picture, in LangChain's form or OpenAI's."""
    return isinstance(block, dict) and block.get("type") in ("image", "image_url")


def shown_sharp(block: dict[str, Any]) -> dict[str, Any]:
    """The block of a picture in the form in which OpenAI's models see all of it: marks are small.

    `detail` in LangChain's own form is lost on the way through `ChatOpenAI` (1.7). Others read both forms.
    """
    if block["type"] == "image_url":
        url = block["image_url"]["url"] if isinstance(block["image_url"], dict) else block["image_url"]
    elif block.get("base64") or block.get("data"):
        url = f"data:{block.get('mime_type', 'image/png')};base64,{block.get('base64') or block['data']}"
    elif block.get("url"):
        url = block["url"]
    else:  # a file that was uploaded before: there is only its id
        return block
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}


def lifted(messages: list[AnyMessage]) -> list[AnyMessage]:
    """Move pictures out of messages of tools into one message of the user after the last of them."""
    out: list[AnyMessage] = []
    waiting: list[str | dict[str, Any]] = []
    for message in messages:
        if waiting and not isinstance(message, ToolMessage):
            out.append(HumanMessage(waiting))
            waiting = []
        images = _images(message)
        if not isinstance(message, ToolMessage) or not images:
            out.append(message)
            continue
        left = [block for block in message.content if not is_image(block)] or MOVED
        out.append(message.model_copy(update={"content": left}))
        name = f"of the tool {message.name} " if message.name else ""
        waiting.append({"type": "text", "text": f"Result {name}(call {message.tool_call_id}), as a picture:"})
        waiting += [shown_sharp(image) for image in images]
    if waiting:
        out.append(HumanMessage(waiting))
    return out


def fewer_images(messages: list[AnyMessage], most: int) -> list[AnyMessage]:
    """Replace the oldest pictures of tools by a line of text until no more than `most` are left in all.

    Pictures of the user are counted, and left out only where the model takes none: `most` of 0.
    """
    tools = [message for message in messages if isinstance(message, ToolMessage) or not most]
    surplus = sum(len(_images(message)) for message in messages) - most
    if surplus <= 0:
        return messages
    changed: dict[int, AnyMessage] = {}
    for message in tools:
        here = min(surplus, len(_images(message)))
        if here > 0:
            changed[id(message)] = _without(message, here)
            surplus -= here
    return [changed.get(id(message), message) for message in messages]


def _images(message: AnyMessage) -> list[dict[str, Any]]:
    return (
        [block for block in message.content if is_image(block)] if isinstance(message.content, list) else []
    )


def _without(message: AnyMessage, count: int) -> AnyMessage:
    """The message with its first `count` pictures replaced."""
    content: list[Any] = []
    for block in message.content:
        if count and is_image(block):
            count -= 1
            content.append({"type": "text", "text": LEFT_OUT})
        else:
            content.append(block)
    return message.model_copy(update={"content": content})
