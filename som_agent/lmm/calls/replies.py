"""What a chat model's message says, whichever provider it comes from."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

__all__ = ["Reply", "read_reply"]

_REFUSED = {
    "content_filter",
    "content_filtered",
    "refusal",
    "safety",
    "prohibited_content",
    "blocklist",
    "spii",
    "recitation",
    "guardrail_intervened",
}
_CUT = {"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded"}
_NEVER = -9999.0  # what OpenAI writes for the logarithm of 0; JSON has no infinity


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Attributes:
        text: "" where there is none.
        data: what the model put into the schema, even if that does not validate; None where it wrote text.
        refusal: why it refused, "" where it gave no reason, None where it did not refuse.
        cut: whether the reply was cut off at a limit of tokens.
        logprobs: each token with the natural logarithm of its probability; [] where not given.
        tokens_in: tokens read.
        tokens_out: tokens written.
    """

    text: str
    data: dict[str, Any] | None = None
    refusal: str | None = None
    cut: bool = False
    logprobs: list[tuple[str, float]] = dataclasses.field(default_factory=list)
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def empty(self) -> bool:
        """Whether it says nothing at all."""
        return not self.text and self.data is None and self.refusal is None

    @property
    def good(self) -> bool:
        """Whether it is worth keeping: whole, and an answer."""
        return not (self.empty or self.cut or self.refusal is not None)

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Reply:
        """What `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it did not.
        """
        logprobs = [(str(token), float(logprob)) for token, logprob in fields["logprobs"]]
        return cls(**{**fields, "logprobs": logprobs})


def read_reply(message: AIMessage, schema: str | None, estimate: tuple[int, int]) -> Reply:
    """The reply in a message.

    Args:
        message: of any provider that LangChain knows.
        schema: the name of the schema that the reply was to be held to. A call of it that is no JSON, because
            it was cut off for example, becomes the text.
        estimate: tokens read and written, for where the provider does not say.
    """
    text = str(message.text).strip()
    calls = [call["args"] for call in message.tool_calls if call["name"] == schema] if schema else []
    broken = [call.get("args") or "" for call in message.invalid_tool_calls] if schema else []
    if not calls and any(broken):
        text = "\n".join(filter(None, [text, *broken]))
    usage = message.usage_metadata
    return Reply(
        text=text,
        data=calls[0] if calls else None,
        refusal=_refusal(message, bool(text or calls)),
        cut=bool(_endings(message) & _CUT),
        logprobs=_logprobs(message.response_metadata),
        tokens_in=usage["input_tokens"] if usage else estimate[0],
        tokens_out=usage["output_tokens"] if usage else estimate[1],
    )


def written(message: AIMessage) -> str:
    """All that a model wrote, to estimate what it cost."""
    calls = [json.dumps(call["args"]) for call in message.tool_calls]
    return "".join(
        [str(message.text), *calls, *(call.get("args") or "" for call in message.invalid_tool_calls)]
    )


def _endings(message: AIMessage) -> set[str]:
    """Why the reply ended, in the words of the provider, in small letters."""
    metadata = message.response_metadata
    incomplete = metadata.get("incomplete_details")
    reasons = [metadata.get(key) for key in ("finish_reason", "stop_reason", "stopReason", "done_reason")]
    reasons.append(incomplete.get("reason") if isinstance(incomplete, dict) else None)
    return {reason.lower() for reason in reasons if isinstance(reason, str)}


def _refusal(message: AIMessage, said: bool) -> str | None:
    """Why the model refused, "" where it gave no reason; None where it did not refuse."""
    if reason := message.additional_kwargs.get("refusal"):
        return str(reason)
    if isinstance(message.content, list):
        for block in message.content:
            if isinstance(block, dict) and block.get("type") == "refusal":
                return str(block.get("refusal", ""))
    if said:
        return None
    feedback = message.response_metadata.get("prompt_feedback")  # Gemini, of a question that it does not take
    blocked = feedback.get("block_reason") if isinstance(feedback, dict) else None
    if blocked:
        return str(getattr(blocked, "name", blocked))
    return "" if _endings(message) & _REFUSED else None


def _logprobs(metadata: dict[str, Any]) -> list[tuple[str, float]]:
    """Tokens with their log probabilities, in OpenAI's form or as a bare list of the same entries."""
    found = metadata.get("logprobs") or metadata.get("logprobs_result")
    entries = found.get("content") if isinstance(found, dict) else found
    if not isinstance(entries, list):
        return []
    pairs = [
        (str(entry["token"]), float(entry["logprob"]))
        for entry in entries
        if isinstance(entry, dict) and "token" in entry and entry.get("logprob") is not None
    ]
    return [(token, logprob if math.isfinite(logprob) else _NEVER) for token, logprob in pairs]
