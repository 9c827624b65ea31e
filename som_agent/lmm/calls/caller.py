"""Calling a chat model so that a reply comes back, or one clear line that says why not."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from som_agent.errors import AnswererError, SomError, UnansweredError
from som_agent.lmm.calls.cache import ReplyCache, reply_key
from som_agent.lmm.calls.faults import fault_line, may_have_cost, refuses_tools, transient
from som_agent.lmm.calls.identity import identity, secrets_of, without
from som_agent.lmm.calls.limits import Cost, Ledger, Limits, Usage
from som_agent.lmm.calls.messages import Prompt, read_prompt
from som_agent.lmm.calls.replies import Reply, read_reply, written
from som_agent.lmm.calls.retries import Clock, tried
from som_agent.lmm.calls.trace import Record, Trace, model_facts
from som_agent.lmm.profiles import Profile

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.runnables import Runnable
    from pydantic import BaseModel

__all__ = ["Caller", "Reply", "Request"]

_LIMITS = Limits()


@dataclass(frozen=True)
class Request:
    """What a model is asked.

    Attributes:
        messages: the whole prompt.
        purpose: what for, for the trace: question, repair, verify, search.
        schema: a pydantic class that the reply should be held to, where the model can.
    """

    messages: Sequence[BaseMessage]
    purpose: str = "question"
    schema: type[BaseModel] | None = None


@dataclass
class _Call:
    """How one call is going.

    Attributes:
        request: what is asked.
        prompt: the same as plain values.
        begun_s: when it began, by the caller's clock.
        held: whether this try was sent with the schema.
        tries: how often it was sent.
        emptied: whether an empty reply was sent back once.
        cost: what it has cost.
    """

    request: Request
    prompt: Prompt
    begun_s: float
    held: bool = False
    tries: int = 0
    emptied: bool = False
    cost: Cost = dataclasses.field(default_factory=Cost)


class Caller:
    """Calls one chat model for one question; any number of calls may run at once on one event loop.

    Args:
        model: a LangChain chat model. Retries of its own would hide their cost: give it `max_retries=0`.
        name: what it is called, for errors, the cache and the trace.
        profile: what pictures and tokens cost, and whether the model takes schemas.
        limits: the most that all calls together may cost. The seconds count from the first call on.
        cache: where good replies are kept, and found again at no cost.
        trace: where each call is written down.
        reply_tokens: tokens of a reply, to estimate what a call may cost before it is sent.
        attempts: most tries of one call.
        clock: seconds from some moment on.
        sleep: waits for so many seconds.

    Raises:
        InputError: a limit in dollars for a model without a price.
    """

    def __init__(
        self,
        model: BaseChatModel,
        name: str,
        profile: Profile,
        *,
        limits: Limits = _LIMITS,
        cache: ReplyCache | None = None,
        trace: Trace | None = None,
        reply_tokens: int = 1024,
        attempts: int = 5,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._model, self._name, self._profile = model, name, profile
        self._ledger = Ledger(name, limits, profile.price)
        self._cache, self._trace = cache, trace
        self._attempts, self._clock, self._sleep = max(attempts, 1), Clock(limits.seconds, clock), sleep
        self._tools = profile.structured
        self._identity, self._secrets = identity(model, name), secrets_of(model)
        # What was learnt from replies: how much dearer than estimated prompts are, and how long replies get.
        self._dearer, self._reply_tokens = 1.0, reply_tokens
        self._ended_s: float | None = None
        self._calls = self._retries = self._cached = 0

    @property
    def usage(self) -> Usage:
        """What all calls so far have cost."""
        spent = self._ledger.spent
        return Usage(
            calls=self._calls,
            retries=self._retries,
            cached=self._cached,
            pictures=spent.pictures,
            tokens_in=spent.tokens_in,
            tokens_out=spent.tokens_out,
            usd=self._ledger.usd(),
            seconds=0.0 if self._ended_s is None else self._ended_s - (self._clock.begun_s or 0.0),
        )

    async def __call__(self, request: Request) -> Reply:
        """Ask the model.

        Returns:
            Its reply, which may be a refusal, or empty after it was asked twice.

        Raises:
            UnansweredError: tries or time ran out.
            LimitError: the call would pass a limit; nothing was sent.
            AnswererError: the provider turned the request down.
            InputError, OutputError: the cache or the trace cannot be used.
            asyncio.CancelledError: the call was cancelled, and the request with it.
        """
        call = _Call(request, read_prompt(request.messages), self._clock.start())
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        reply: Reply | None = None
        failed: BaseException | None = None
        try:
            reply = await self._kept_or_asked(call)
        except BaseException as error:
            failed = error
            raise
        finally:
            self._ended_s = self._clock.now()
            if self._trace is not None:
                record = self._record(call, when, self._ended_s - call.begun_s, reply, failed)
                self._trace.write(record, call.prompt.pictures, self._secrets)
        return reply

    async def _kept_or_asked(self, call: _Call) -> Reply:
        """The reply from the cache or the model; what its provider raises becomes one clear line."""
        schema = call.request.schema if self._profile.structured else None
        key = reply_key(self._identity, schema, call.prompt.digest)
        kept = self._cache.get(key) if self._cache is not None else None
        if kept is not None:
            self._cached += 1
            call.held = schema is not None
            return kept
        try:
            reply = await self._asked(call)
        except SomError:
            raise
        except Exception as error:
            # Each provider has exceptions of its own; nothing is hidden, it is chained.
            raise AnswererError(self._failed(error)) from error
        if self._cache is not None and reply.good:
            self._cache.put(key, reply)
        return reply

    async def _asked(self, call: _Call) -> Reply:
        """The reply, held to the schema where the model can; what it cannot is remembered."""
        schema = call.request.schema
        held = self._held_to(schema) if schema is not None and self._tools else None
        if held is None:
            return await self._tried(call, self._model)
        call.held = True
        try:
            return await self._tried(call, held)
        except Exception as error:  # any provider's; what is not about the tools goes on its way
            if not refuses_tools(error):
                raise
        call.held = False
        reply = await self._tried(call, self._model)
        self._tools = False  # only now is it known that the tools were what was refused
        return reply

    def _held_to(self, schema: type[BaseModel]) -> Runnable[Any, AIMessage] | None:
        try:
            return self._model.bind_tools([schema], tool_choice="any")
        except NotImplementedError:
            self._tools = False
            return None

    async def _tried(self, call: _Call, model: Runnable[Any, AIMessage]) -> Reply:
        """The reply after as many tries as it takes and the limits allow."""

        def again(outcome: BaseException | Reply) -> bool:
            if isinstance(outcome, Reply):
                ask = outcome.empty and not call.emptied
                call.emptied |= ask
                return ask
            if isinstance(outcome, SomError) or (call.held and refuses_tools(outcome)):
                return False
            return isinstance(outcome, Exception) and transient(outcome)

        return await tried(
            lambda: self._once(call, model),
            again,
            self._failed,
            self._clock,
            attempts=self._attempts,
            sleep=self._sleep,
        )

    async def _once(self, call: _Call, model: Runnable[Any, AIMessage]) -> Reply:
        left_s = self._clock.left_s
        if left_s is not None and left_s <= 0:
            raise UnansweredError(f"model {self._name!r} was not asked: {self._clock.over}")
        cost = self._estimate(call)
        self._ledger.hold(cost)
        call.tries += 1
        self._calls += call.tries == 1
        self._retries += call.tries > 1
        spent = Cost()
        try:
            async with asyncio.timeout(left_s) as deadline:
                message = await model.ainvoke(list(call.request.messages))
            reply = self._read(call, message, cost)
            spent = Cost(cost.pictures, reply.tokens_in, reply.tokens_out)
        except BaseException as error:
            spent = cost if may_have_cost(error) else spent
            # A cancellation that comes at the very end of the time is still one.
            if deadline.expired() and not isinstance(error, asyncio.CancelledError):
                raise UnansweredError(f"model {self._name!r} did not answer: {self._clock.over}") from error
            raise
        finally:
            self._ledger.settle(cost, spent)
            call.cost += spent
        return reply

    def _read(self, call: _Call, message: AIMessage, cost: Cost) -> Reply:
        schema = call.request.schema
        guess = self._profile.tokens(written(message), [])
        name = schema.__name__ if schema is not None and call.held else None
        reply = read_reply(message, name, (cost.tokens_in, guess))
        if message.usage_metadata:
            self._dearer = max(self._dearer, reply.tokens_in / max(self._prompt_tokens(call), 1))
        self._reply_tokens = max(self._reply_tokens, reply.tokens_out)
        if message.response_metadata.get("replayed"):
            call.emptied = True  # what was recorded is what came of asking again
        return reply

    def _estimate(self, call: _Call) -> Cost:
        tokens = math.ceil(self._prompt_tokens(call) * self._dearer)
        return Cost(len(call.prompt.sizes), tokens, self._reply_tokens)

    def _prompt_tokens(self, call: _Call) -> int:
        schema = call.request.schema
        text = call.prompt.text
        if schema is not None and call.held:
            text += json.dumps(schema.model_json_schema())
        largest = self._profile.view.long_px
        return self._profile.tokens(text, [size or (largest, largest) for size in call.prompt.sizes])

    def _failed(self, error: BaseException) -> str:
        return f"model {self._name!r} failed to answer: {without(self._secrets, fault_line(error))}"

    def _record(
        self, call: _Call, when: str, seconds: float, reply: Reply | None, failed: BaseException | None
    ) -> Record:
        schema = call.request.schema
        error = None
        if failed is not None:
            message = "cancelled" if isinstance(failed, asyncio.CancelledError) else str(failed)
            error = {"type": type(failed).__name__, "message": message}
        return Record(
            time=when,
            purpose=call.request.purpose,
            model=model_facts(self._model, self._name, self._profile),
            schema=schema.__name__ if schema is not None and call.held else None,
            prompt=call.prompt.digest,
            messages=call.prompt.messages,
            reply=reply,
            error=error,
            tries=call.tries,
            cached=reply is not None and call.tries == 0,
            usage={
                **dataclasses.asdict(call.cost),
                "usd": self._ledger.usd(call.cost),
                "seconds": round(seconds, 3),
            },
        )
