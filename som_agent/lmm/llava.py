"""LLaVA-1.5 as a LangChain chat model, run on this machine with transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from som_agent.errors import AnswererError
from som_agent.lmm.pictures import read_image_block
from som_agent.pretrained import load_pretrained, local_or_hub, pick_device
from som_agent.video.frame import Image

__all__ = ["ChatLlava"]


class ChatLlava(BaseChatModel):
    """A LLaVA-1.5 model in the transformers format; several pictures, anywhere between the text.

    Greedy, so that the same pictures and question give the same reply. Pictures are padded to a square
    before a processor that crops its middle would cut off the sides of a wide frame, as the original LLaVA
    pads them.

    Attributes:
        model: a folder with `config.json`, or `ORG/NAME` of the hub.
        device: where it runs; None takes the first GPU or the CPU.
        dtype: a torch dtype's name, or `auto` for the one that the weights are stored in.
        max_new_tokens: longest reply.

    Raises:
        AnswererError: at construction, nothing of that name or no LLaVA; in use, messages that it cannot
            read.
        InputError: a device that is not there.
    """

    model: str
    device: str | None = None
    dtype: str = "auto"
    max_new_tokens: int = 512

    _network: Any = PrivateAttr()
    _processor: Any = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Load the weights: a wrong name must fail when the model is chosen, not at the first question."""
        from transformers import AutoConfig, AutoProcessor, LlavaForConditionalGeneration

        super().model_post_init(context)
        where = local_or_hub(self.model, AnswererError)
        config = load_pretrained(AutoConfig, where, AnswererError)
        if config.model_type != "llava":
            raise AnswererError(
                f"{self.model!r} is a {config.model_type} model; llava: takes the LLaVA-1.5 family"
            )
        device = pick_device(self.device)
        self._processor = load_pretrained(AutoProcessor, where, AnswererError)
        _complete(self._processor, config)
        network = load_pretrained(
            LlavaForConditionalGeneration, where, AnswererError, output_loading_info=True, dtype=self.dtype
        )
        self._network = network.eval().to(device)

    @property
    def _llm_type(self) -> str:
        return "som-agent-llava"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "max_new_tokens": self.max_new_tokens, "dtype": self.dtype}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        import torch
        from PIL.Image import fromarray

        prompt, pictures = self._prompt(messages)
        # As PIL pictures: of an array three pixels high the processor would have to guess where the colours
        # are.
        images = [fromarray(picture) for picture in pictures]
        inputs = self._processor(text=prompt, images=images or None, return_tensors="pt")
        inputs = inputs.to(self._network.device, self._network.dtype)  # only floating tensors change dtype
        asked = inputs["input_ids"].shape[1]
        limit = self._network.config.get_text_config().max_position_embeddings
        if asked >= limit:
            raise AnswererError(
                f"the prompt has {asked} tokens ({len(pictures)} pictures) and {self.model!r} reads {limit}: "
                "show it fewer pictures"
            )
        with torch.inference_mode():
            # Sampling values of the stored configuration mean nothing to a greedy search, which warns of
            # them.
            sequence = self._network.generate(
                **inputs,
                max_new_tokens=min(kwargs.get("max_new_tokens", self.max_new_tokens), limit - asked),
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
            )[0, asked:]
        text = self._processor.decode(sequence, skip_special_tokens=True).strip()
        ends = self._network.generation_config.eos_token_id
        ended = sequence[-1].item() in (ends if isinstance(ends, list) else [ends])
        for mark in stop or []:
            head, found, _ = text.partition(mark)
            text, ended = head, ended or bool(found)
        message = AIMessage(
            text,
            response_metadata={"model_name": self.model, "finish_reason": "stop" if ended else "length"},
            usage_metadata=UsageMetadata(
                input_tokens=asked, output_tokens=len(sequence), total_tokens=asked + len(sequence)
            ),
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _prompt(self, messages: list[BaseMessage]) -> tuple[str, list[Image]]:
        """The prompt text with a placeholder for each picture, and the pictures in their order."""
        turns: list[dict[str, Any]] = []
        pictures: list[Image] = []
        for message in messages:
            content: list[dict[str, Any]] = []
            for block in [message.content] if isinstance(message.content, str) else message.content:
                if isinstance(block, str):
                    content.append({"type": "text", "text": block})
                elif block.get("type") == "text":
                    content.append({"type": "text", "text": block["text"]})
                elif (picture := read_image_block(block)) is not None:
                    pictures.append(self._whole(picture))
                    content.append({"type": "image"})
                else:
                    raise AnswererError(
                        f"ChatLlava reads text and pictures, not {block.get('type')!r} blocks"
                    )
            turns.append({"role": _role(message), "content": content})
        template = self._processor.chat_template
        # Templates of the LLaVA-1.5 family put all pictures before the text; what each one shows would be
        # lost.
        if template is None or "ASSISTANT" in str(template):
            return _vicuna(turns, self._processor.image_token), pictures
        return str(self._processor.apply_chat_template(turns, add_generation_prompt=True)), pictures

    def _whole(self, picture: Image) -> Image:
        """The picture, padded to a square with the mean colour where the processor would crop it."""
        processor = self._processor.image_processor
        h, w = picture.shape[:2]
        if h == w or not getattr(processor, "do_center_crop", False):
            return picture
        side = max(h, w)
        square = np.empty((side, side, 3), np.uint8)
        square[:] = np.round(np.array(processor.image_mean) * 255).astype(np.uint8)
        top, left = (side - h) // 2, (side - w) // 2
        square[top : top + h, left : left + w] = picture
        return square


def _complete(processor: Any, config: Any) -> None:
    """Fill in what processors of early transformers leave out: how many tokens a picture takes."""
    if getattr(processor, "patch_size", 0) is None:
        processor.patch_size = config.vision_config.patch_size
        processor.vision_feature_select_strategy = config.vision_feature_select_strategy
        processor.num_additional_image_tokens = 1  # CLIP's class token, which the strategy "default" drops


def _role(message: BaseMessage) -> str:
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, AIMessage):
        return "assistant"
    if isinstance(message, SystemMessage):
        return "system"
    raise AnswererError(f"ChatLlava reads system, human and AI messages, not {type(message).__name__}")


def _vicuna(turns: list[dict[str, Any]], image_token: str) -> str:
    """The prompt format of LLaVA-1.5 (Vicuna v1)."""
    parts = []
    for turn in turns:
        text = "".join(
            f"{image_token}\n" if block["type"] == "image" else block["text"] for block in turn["content"]
        )
        if turn["role"] == "system":
            parts.append(f"{text} ")
        elif turn["role"] == "user":
            parts.append(f"USER: {text} ")
        else:
            parts.append(f"ASSISTANT: {text}</s>")
    return "".join([*parts, "ASSISTANT:"])
