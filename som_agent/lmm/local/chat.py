"""Vision-language models of transformers as LangChain chat models, run on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import run_in_executor
from pydantic import AliasChoices, Field, PrivateAttr

from som_agent.errors import AnswererError, first_line
from som_agent.lmm.local.loading import load_network, load_reader, read_config
from som_agent.lmm.local.sampling import Sampling, turn, write
from som_agent.lmm.local.turns import Turn, read_turns, template_turns
from som_agent.lmm.local.written import ReplyText, Written, as_result, token_logprobs
from som_agent.pretrained import load_pretrained, local_or_hub

__all__ = ["ChatLocal"]


class ChatLocal(BaseChatModel):
    """Any image-text-to-text model of transformers, through its own chat template.

    Several pictures may stand anywhere between the text. Without a temperature the same pictures and question
    give the same reply. It answers one question at a time: a second thread waits. A reply that nobody waits
    for any more, of a cancelled `ainvoke` or of a stream that was left, is not written to its end.

    Attributes:
        model: a folder with `config.json`, or `ORG/NAME` of the hub.
        device: where it runs; None takes the first GPU or the CPU.
        dtype: a torch dtype's name, or `auto` for the one that the weights are stored in.
        quantization: `4bit` or `8bit` to store the weights so, with bitsandbytes.
        max_new_tokens: longest reply; `max_tokens` is another name for it.
        temperature: 0 takes the likeliest token each time.
        top_p: draw among the likeliest tokens that together have this probability.
        seed: the same seed draws the same reply.
        stop: texts that end a reply, and are no part of it.
        logprobs: whether `response_metadata["logprobs"]` lists each token with its log-probability, in the
            form of OpenAI's.

    `max_new_tokens`, `temperature`, `top_p`, `seed`, `stop` and `logprobs` can be given to each call, too.

    Raises:
        AnswererError: at construction, nothing of that name or no such model; in use, messages that it cannot
            read.
        InputError: a device that is not there, or a value out of its range.
        MissingExtraError: a quantization without bitsandbytes.
    """

    model: str
    device: str | None = None
    dtype: str = "auto"
    quantization: str | None = None
    max_new_tokens: int = Field(default=512, validation_alias=AliasChoices("max_new_tokens", "max_tokens"))
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: list[str] | None = None
    logprobs: bool = False

    _network: Any = PrivateAttr()
    _processor: Any = PrivateAttr()
    _lock: Lock = PrivateAttr(default_factory=Lock)

    def model_post_init(self, context: Any, /) -> None:
        """Load the weights: a wrong name must fail when the model is chosen, not at the first question."""
        super().model_post_init(context)
        self._sampling({})
        ReplyText(self.stop or [])
        self._network, self._processor = self._load()

    @property
    def _llm_type(self) -> str:
        return "som-agent-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = (
            "model",
            "dtype",
            "quantization",
            "max_new_tokens",
            "temperature",
            "top_p",
            "seed",
            "logprobs",
        )
        return {**{name: getattr(self, name) for name in names}, "own_stop": self.stop}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        params["ls_max_tokens"] = self._sampling(kwargs).max_new_tokens
        return params

    def get_token_ids(self, text: str) -> list[int]:
        """The tokens of a text, by the model's own tokenizer."""
        with self._lock:
            return list(self._processor.tokenizer.encode(text, add_special_tokens=False))

    def _load(self) -> tuple[Any, Any]:
        """The network and its processor."""
        from transformers import AutoConfig, AutoModelForImageTextToText
        from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

        source = local_or_hub(self.model, AnswererError)
        if "mm_vision_tower" in read_config(source):
            raise AnswererError(
                f"{self.model!r} is in the format of the original LLaVA; write llava:{self.model}"
            )
        config = load_pretrained(AutoConfig, source, AnswererError)
        if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
            raise AnswererError(
                f"{self.model!r} is a {config.model_type} model; hf: takes those that answer about pictures"
            )
        processor = load_reader(source)
        if getattr(processor, "chat_template", None) is None:
            raise AnswererError(f"{self.model!r} has no chat template, so how to ask it is not known")
        return self._load_network(AutoModelForImageTextToText, source), processor

    def _load_network(self, network_class: Any, source: str) -> Any:
        return load_network(
            network_class, source, device=self.device, dtype=self.dtype, quantization=self.quantization
        )

    def _inputs(self, turns: list[Turn]) -> Any:
        """The tensors of a conversation, with the place for the reply open."""
        return self._processor.apply_chat_template(
            template_turns(turns, self._plain),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )

    def _plain(self, text: str) -> str:
        """The text; where it has what stands for a picture in a prompt, it stands for none."""
        token = getattr(self._processor, "image_token", None)
        return text.replace(token, f"{token[0]} {token[1:]}") if token else text

    def _sampling(self, kwargs: dict[str, Any]) -> Sampling:
        return Sampling(
            max_new_tokens=kwargs.get("max_new_tokens", kwargs.get("max_tokens")) or self.max_new_tokens,
            temperature=kwargs.get("temperature", self.temperature) or 0.0,
            top_p=kwargs.get("top_p", self.top_p),
            seed=kwargs.get("seed", self.seed),
        )

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return as_result(self._answer(messages, stop, kwargs, Event()))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        cancelled = Event()
        try:
            return as_result(await run_in_executor(None, self._answer, messages, stop, kwargs, cancelled))
        finally:
            cancelled.set()  # where a cancellation leaves this early, the thread goes on until it is told

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        cancelled = Event()
        try:
            for chunk in self._chunks(messages, stop, kwargs, cancelled):
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        finally:
            cancelled.set()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        cancelled = Event()
        chunks = self._chunks(messages, stop, kwargs, cancelled)
        try:
            while (chunk := await run_in_executor(None, next, chunks, None)) is not None:
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        finally:
            cancelled.set()

    def _chunks(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any], cancelled: Event
    ) -> Iterator[ChatGenerationChunk]:
        """The reply piece by piece, while a thread of its own writes it."""
        arrived: SimpleQueue[str | Written | BaseException] = SimpleQueue()

        def reply() -> None:
            try:
                arrived.put(self._answer(messages, stop, kwargs, cancelled, arrived.put))
            except BaseException as error:  # raised below, in the thread that asked
                arrived.put(error)

        Thread(target=reply, name="som-agent reply", daemon=True).start()
        while isinstance(piece := arrived.get(), str):
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        if isinstance(piece, BaseException):
            raise piece
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                usage_metadata=piece.usage,
                response_metadata=piece.metadata,
                chunk_position="last",
            )
        )

    def _answer(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        kwargs: dict[str, Any],
        cancelled: Event,
        show: Callable[[str], None] | None = None,
    ) -> Written:
        """The whole reply; `show` gets its text piece by piece."""
        sampling = self._sampling(kwargs)
        stops = self.stop or [] if stop is None else stop
        text = ReplyText(stops)
        turns = read_turns(messages, type(self).__name__)

        def follow(tokens: Sequence[int]) -> bool:
            new = text.grow(self._decode(tokens))
            if new and show is not None:
                show(new)
            return text.stopped

        # The tokenizer, too, bears one thread at a time.
        with turn(self._lock, cancelled):
            inputs = self._prepared(turns)
            room = self._limit - inputs["input_ids"].shape[1]
            sampling = replace(sampling, max_new_tokens=int(min(sampling.max_new_tokens, room)))
            followed = follow if stops or show else None
            watcher, logprobs = write(self._network, inputs, sampling, cancelled, followed)
            new = text.finish(self._decode(watcher.tokens))
            listed = (
                token_logprobs(watcher.tokens, logprobs, self._decode, stops)
                if kwargs.get("logprobs", self.logprobs)
                else None
            )
        if new and show is not None:
            show(new)
        asked, said = inputs["input_ids"].shape[1], len(watcher.tokens)
        metadata: dict[str, Any] = {
            "model_name": self.model,
            "finish_reason": "stop" if watcher.ended else "length",
        }
        if listed is not None:
            metadata["logprobs"] = {"content": listed}
        usage = UsageMetadata(input_tokens=asked, output_tokens=said, total_tokens=asked + said)
        return Written(text.text, usage, metadata)

    def _prepared(self, turns: list[Turn]) -> Any:
        """The tensors of a conversation that leaves room for a reply, where the network is."""
        try:
            inputs = self._inputs(turns)
        except Exception as error:  # templates refuse what they do not know; nothing is hidden, it is chained
            raise AnswererError(f"{self.model!r} cannot be asked this: {first_line(error)}") from error
        asked, limit = inputs["input_ids"].shape[1], self._limit
        if asked >= limit:
            pictures = sum(len(turn.pictures) for turn in turns)
            raise AnswererError(
                f"the prompt has {asked} tokens ({pictures} pictures) and {self.model!r} reads {limit}: "
                "show it fewer pictures"
            )
        return inputs.to(self._network.device, self._network.dtype)  # only floating tensors change dtype

    @property
    def _limit(self) -> float:
        """Most tokens of a question and its reply."""
        found = getattr(self._network.config.get_text_config(), "max_position_embeddings", None)
        return float("inf") if found is None else int(found)

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(
            self._processor.tokenizer.decode(
                tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )
