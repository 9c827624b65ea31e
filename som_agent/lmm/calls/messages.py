"""Messages as plain values: what a prompt is made of, the same for its key, its price and its record."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

__all__ = ["Picture", "Prompt", "read_prompt"]


@dataclass(frozen=True)
class Picture:
    """A picture of a prompt, as its file.

    Attributes:
        data: the file's bytes.
        size: width and height, None where they cannot be told.
        ending: of a file name, `jpg` for example.
    """

    data: bytes
    size: tuple[int, int] | None
    ending: str


@dataclass(frozen=True)
class Prompt:
    """A prompt without its pictures' bytes.

    Attributes:
        messages: `{"role": str, "content": [block, …]}` and, where they have them, `tool_calls`,
            `tool_call_id` and `name`. A block is `{"type": "text", "text": str}`, `{"type": "picture",
            "sha256": str, "size": [w, h] | None, …}` or what the message had.
        pictures: sha256 of a picture's bytes → the picture; the same one is here once.
        digest: sha256 of the messages: prompts have the same one if they have the same texts and pictures.
    """

    messages: list[dict[str, Any]]
    pictures: dict[str, Picture]
    digest: str

    @property
    def text(self) -> str:
        """All of the text."""
        blocks = [block for message in self.messages for block in message["content"]]
        texts = [_said(block) for block in blocks if block.get("type") != "picture"]
        calls = [json.dumps(message["tool_calls"]) for message in self.messages if "tool_calls" in message]
        return "\n".join([*texts, *calls])

    @property
    def sizes(self) -> list[tuple[int, int] | None]:
        """Width and height of each picture as often as it is shown; None where they cannot be told."""
        blocks = [block for message in self.messages for block in message["content"]]
        sizes = [block["size"] for block in blocks if block.get("type") == "picture"]
        return [(size[0], size[1]) if size else None for size in sizes]


def read_prompt(messages: Sequence[BaseMessage]) -> Prompt:
    """The prompt of LangChain messages."""
    pictures: dict[str, Picture] = {}
    plain = [_plain(message, pictures) for message in messages]
    text = json.dumps(plain, sort_keys=True, default=_unknown)
    return Prompt(plain, pictures, hashlib.sha256(text.encode()).hexdigest())


def _plain(message: BaseMessage, pictures: dict[str, Picture]) -> dict[str, Any]:
    content = [message.content] if isinstance(message.content, str) else message.content
    blocks = [{"type": "text", "text": block} if isinstance(block, str) else block for block in content]
    plain: dict[str, Any] = {"role": message.type, "content": [_block(block, pictures) for block in blocks]}
    # Ids of messages and of calls are new each time, and say nothing.
    if calls := getattr(message, "tool_calls", None):
        plain["tool_calls"] = [{"name": call["name"], "args": call["args"]} for call in calls]
    if message.name:
        plain["name"] = message.name
    return plain


def _block(block: dict[str, Any], pictures: dict[str, Picture]) -> dict[str, Any]:
    """A content block, a picture in it replaced by its digest."""
    if block.get("type") == "text":
        return {"type": "text", "text": block.get("text", "")}
    url, settings = _picture_url(block)
    if url is None:
        return json.loads(json.dumps(block, default=_unknown))  # type: ignore[no-any-return]
    head, comma, text = url.partition(",")
    if not (head.startswith("data:") and comma):
        # An address may carry a signature behind the question mark.
        return {"type": "picture", "sha256": None, "url": url.partition("?")[0], "size": None, **settings}
    try:
        data = base64.b64decode(text)
    except binascii.Error:
        data = text.encode()  # no picture; whoever reads it will say so
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 not in pictures:
        pictures[sha256] = _picture(data, head)
    size = pictures[sha256].size
    return {"type": "picture", "sha256": sha256, "size": list(size) if size else None, **settings}


def _picture_url(block: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Where a block's picture is, and how it shall be looked at; OpenAI's, LangChain's, Anthropic's form."""
    if block.get("type") == "image_url":
        source = block["image_url"]
        if isinstance(source, str):
            return source, {}
        return source["url"], {key: value for key, value in source.items() if key != "url"}
    if block.get("type") == "image":
        source = block.get("source")
        if isinstance(source, dict):
            return source.get("url") or f"data:{source.get('media_type', '')},{source.get('data', '')}", {}
        data = block.get("base64") or block.get("data")
        if data is not None:
            return f"data:{block.get('mime_type', '')},{data}", {}
        return block.get("url"), {}
    return None, {}


def _picture(data: bytes, head: str) -> Picture:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:  # reads the head of the file only
            return Picture(
                data, image.size, {"JPEG": "jpg"}.get(image.format or "", str(image.format).lower())
            )
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        ending = head.removeprefix("data:").partition(";")[0].partition("/")[2]
        return Picture(data, None, ending if ending.isalnum() else "bin")


def _said(block: dict[str, Any]) -> str:
    return block["text"] if block.get("type") == "text" else json.dumps(block)


def _unknown(value: Any) -> str:
    """What JSON does not know; an object's address would make each run's prompts others."""
    return f"<{type(value).__name__}>"
