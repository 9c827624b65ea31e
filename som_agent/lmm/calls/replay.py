"""A chat model that plays a trace again."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, ModelProfile
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from som_agent.errors import AnswererError, InputError, LimitError, UnansweredError
from som_agent.lmm.calls.messages import Prompt, read_prompt
from som_agent.lmm.calls.replies import Reply
from som_agent.lmm.calls.trace import Record, Recorded

__all__ = ["ReplayModel", "first_difference"]

_ERRORS = {error.__name__: error for error in (AnswererError, LimitError, UnansweredError)}
_SHOWN = 60  # characters of a text around its first difference


class ReplayModel(BaseChatModel):
    """See `som_agent.lmm.calls.trace.replay`.

    Attributes:
        path: the trace.
        model: the recorded model as it was called.
        model_name: as it called itself.
    """

    path: str
    model: str
    model_name: str

    _recorded: Recorded = PrivateAttr()
    _answers: dict[tuple[str, str | None], list[Record]] = PrivateAttr(default_factory=dict)
    _asked: Counter[tuple[str, str | None]] = PrivateAttr(default_factory=Counter)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def of(cls, recorded: Recorded) -> ReplayModel:
        """The model of a trace.

        Raises:
            InputError: nothing in it was answered.
        """
        answered = [record for record in recorded.records if record.reply or _error(record)]
        if not answered:
            raise InputError(f"trace {recorded.path} has no call that was answered")
        known = answered[0].model
        told = {
            "structured_output": known.get("structured"),
            "image_tool_message": known.get("tool_images"),
            "max_input_tokens": known.get("context_tokens"),
        }
        made = cls(
            path=str(recorded.path),
            model=known["name"],
            model_name=known.get("model") or known["name"],
            profile=cast(ModelProfile, {key: value for key, value in told.items() if value is not None}),
        )
        made._recorded = recorded
        # An error is played only where no reply ever came: a call that failed may have been made again.
        replied = {(record.prompt, record.schema) for record in answered if record.reply}
        for record in answered:
            if record.reply is None and (record.prompt, record.schema) in replied:
                continue
            made._answers.setdefault((record.prompt, record.schema), []).append(record)
        return made

    @property
    def _llm_type(self) -> str:
        return "som-agent-replay"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        said = json.dumps([record.to_json() for record in self._recorded.records], default=str)
        return {"model": self.model, "trace": hashlib.sha256(said.encode()).hexdigest()}

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Ask for the reply that was recorded with the first of these tools as its schema."""
        return self.bind(schema=convert_to_openai_tool(tools[0])["function"]["name"])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        prompt = read_prompt(messages)
        record = self._next(prompt.digest, kwargs.get("schema"))
        if record is None:
            raise AnswererError(self._missing(prompt))
        error = _error(record)
        if error is not None:
            raise error
        assert record.reply is not None
        message = _message(record.reply, record.schema)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _next(self, digest: str, schema: str | None) -> Record | None:
        """The record whose turn it is; where a server took no schema, its replies were recorded without."""
        key = next((key for key in ((digest, schema), (digest, None)) if key in self._answers), None)
        if key is None:
            return None
        with self._lock:
            turn = self._asked[key]
            self._asked[key] += 1
        return self._answers[key][turn % len(self._answers[key])]

    def _missing(self, prompt: Prompt) -> str:
        name = os.path.basename(self.path)
        lines = ", ".join(map(str, self._recorded.broken))
        broken = f"; the trace is broken in line {lines}" if lines else ""
        records = [record for answers in self._answers.values() for record in answers]
        return f"trace {name} has no reply to this prompt: {first_difference(prompt, records)}{broken}"


def first_difference(prompt: Prompt, records: Sequence[Record]) -> str:
    """Where a prompt leaves the record that it follows for longest, in words."""
    found = max((_difference(prompt.messages, record.messages) for record in records), key=lambda d: d[0])
    return found[1]


def _difference(
    asked: list[dict[str, Any]], recorded: list[dict[str, Any]]
) -> tuple[tuple[int, int, int], str]:
    """How far two prompts agree (messages, blocks, characters), and what comes then."""
    for m, (a, r) in enumerate(zip(asked, recorded, strict=False)):
        where = f"message {m + 1} ({a['role']})"
        if a["role"] != r["role"]:
            return (m, 0, 0), f"{where} was recorded as {r['role']}"
        for b, (left, right) in enumerate(zip(a["content"], r["content"], strict=False)):
            if left == right:
                continue
            if left.get("type") == right.get("type") == "text":
                at = _common(left["text"], right["text"])
                return (
                    m,
                    b,
                    at,
                ), f"{where} has {_cut(left['text'], at)} where {_cut(right['text'], at)} was recorded"
            return (m, b, 0), f"{where} has {_named(left, b, a)} where {_named(right, b, r)} was recorded"
        n, k = len(a["content"]), len(r["content"])
        if n != k:
            more, b = (a, k) if n > k else (r, n)
            had = "was not recorded" if n > k else "was recorded and is missing"
            return (m, b, 0), f"{_named(more['content'][b], b, more)} of {where} {had}"
        if a != r:
            return (m, n, 0), f"{where} has other calls of tools than were recorded"
    n, k = len(asked), len(recorded)
    if n == k:
        return (n, 0, 0), "it was recorded with another schema"
    return (min(n, k), 0, 0), f"it has {n} messages, and {k} were recorded"


def _common(left: str, right: str) -> int:
    """Characters that two different texts have in common at the beginning."""
    pairs = zip(left, right, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


def _cut(text: str, at: int) -> str:
    start = max(at - _SHOWN // 3, 0)
    end = start + _SHOWN
    return repr(("…" if start else "") + text[start:end] + ("…" if end < len(text) else ""))


def _named(block: dict[str, Any], index: int, message: dict[str, Any]) -> str:
    if block.get("type") == "text":
        return f"the text {_cut(block['text'], 0)}"
    if block.get("type") != "picture":
        return f"a block of type {block.get('type')!r}"
    number = sum(other.get("type") == "picture" for other in message["content"][: index + 1])
    size = "{} × {}".format(*block["size"]) if block.get("size") else "of unknown size"
    return f"picture {number} ({size}, sha256 {str(block.get('sha256'))[:12]}…)"


def _error(record: Record) -> AnswererError | None:
    """The error that was recorded; None where there was none, or where the user cancelled the call."""
    if record.error is None or record.error["type"] not in _ERRORS:
        return None
    return _ERRORS[record.error["type"]](record.error["message"])


def _message(reply: Reply, schema: str | None) -> AIMessage:
    content: list[str | dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    if reply.refusal is not None:
        content.append({"type": "refusal", "refusal": reply.refusal})
    calls = [] if reply.data is None else [ToolCall(name=schema or "", args=reply.data, id="replayed")]
    metadata: dict[str, Any] = {"replayed": True, "finish_reason": "length" if reply.cut else "stop"}
    if reply.logprobs:
        metadata["logprobs"] = {
            "content": [{"token": token, "logprob": logprob} for token, logprob in reply.logprobs]
        }
    return AIMessage(
        content,
        tool_calls=calls,
        response_metadata=metadata,
        usage_metadata=UsageMetadata(
            input_tokens=reply.tokens_in,
            output_tokens=reply.tokens_out,
            total_tokens=reply.tokens_in + reply.tokens_out,
        ),
    )
