"""The text of a reply while its tokens arrive: what can be shown, and where a stop text ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult

from som_agent.errors import InputError

__all__ = ["ReplyText", "Written", "as_result", "token_logprobs"]

_INCOMPLETE = "�"  # what a decoder writes for the first bytes of a character


@dataclass(frozen=True)
class Written:
    """A reply that is complete: its text, its tokens counted, and how it ended."""

    text: str
    usage: UsageMetadata
    metadata: dict[str, Any]


def as_result(reply: Written) -> ChatResult:
    """A reply as LangChain hands it on."""
    message = AIMessage(reply.text, response_metadata=reply.metadata, usage_metadata=reply.usage)
    return ChatResult(generations=[ChatGeneration(message=message)])


class ReplyText:
    """A reply that grows: without the space around it, and without what comes from a stop text on.

    Attributes:
        text: all of it that may be shown so far.
        stopped: whether a stop text was met.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if not all(stops):
            raise InputError("a stop text is empty")
        self.text = ""
        self.stopped = False
        self._stops = tuple(stops)

    def grow(self, decoded: str) -> str:
        """Take in everything that is decoded so far; what of it is new and can be shown.

        Held back is what may yet change or vanish: half a character, what may turn into a stop text, and
        space that may be the end.
        """
        kept = self._cut(decoded)
        if not self.stopped:
            kept = kept.rstrip(_INCOMPLETE)
            kept = kept[: len(kept) - self._begun(kept)]
        return self._show(kept)

    def finish(self, decoded: str) -> str:
        """The same when nothing more will come: what was held back and is part of the reply."""
        return self._show(self._cut(decoded))

    def _cut(self, decoded: str) -> str:
        ends = [at for at in map(decoded.find, self._stops) if at >= 0]
        self.stopped = bool(ends)
        return decoded[: min(ends)] if ends else decoded

    def _begun(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a stop text."""
        longest = max(map(len, self._stops), default=1) - 1
        lengths = range(min(longest, len(text)), 0, -1)
        return next((n for n in lengths if any(stop.startswith(text[-n:]) for stop in self._stops)), 0)

    def _show(self, kept: str) -> str:
        kept = kept.strip()
        if not kept.startswith(
            self.text
        ):  # a decoder that takes back what it wrote: wait until it is past it
            return ""
        new = kept[len(self.text) :]
        self.text = kept
        return new


def token_logprobs(
    tokens: Sequence[int],
    logprobs: Sequence[float],
    decode: Callable[[Sequence[int]], str],
    stops: Sequence[str],
) -> list[dict[str, Any]]:
    """Each token's text and log-probability, as OpenAI lists them: joined, the texts are what was decoded.

    Args:
        tokens: of the reply; special ones decode to nothing and are left out.
        logprobs: of each.
        decode: tokens to text.
        stops: the list ends before the token that begins one of these.
    """
    listed: list[dict[str, Any]] = []
    whole = decode(tokens)
    end = min((at for at in map(whole.find, stops) if at >= 0), default=len(whole))
    before = ""
    for i, logprob in enumerate(logprobs[: len(tokens)]):
        text = decode(tokens[: i + 1])
        if text.endswith(_INCOMPLETE) and i + 1 < len(tokens):
            text = before  # the token with the character's last byte brings it
        if len(before) >= end:
            break
        new = text[len(before) :]
        if new or decode(tokens[i : i + 1]):
            listed.append({"token": new, "logprob": logprob})
        before = text
    return listed
