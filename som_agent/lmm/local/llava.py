"""LLaVA-1.5 as a LangChain chat model: its prompt, its square pictures, and both formats of its weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from som_agent.errors import AnswererError
from som_agent.lmm.local.chat import ChatLocal
from som_agent.lmm.local.loading import load_reader, read_config
from som_agent.lmm.local.original_llava import is_original, load_original
from som_agent.lmm.local.turns import Turn, template_turns
from som_agent.pretrained import load_pretrained, local_or_hub
from som_agent.video.frame import Image

__all__ = ["ChatLlava"]


class ChatLlava(ChatLocal):
    """A LLaVA-1.5 model, in the format of transformers or in that of the original code (SoM-LLaVA's).

    Its own chat template puts all pictures before the text; here each stays where the message has it.
    Pictures are padded to a square before a processor that crops its middle would cut off the sides of a wide
    frame, as the original LLaVA pads them.

    Attributes:
        model: a folder with `config.json`, or `ORG/NAME` of the hub.
        vision_tower: of an original checkpoint, the CLIP network that sees: a folder, or `ORG/NAME`. None
            takes the one that the checkpoint names; a folder of that name inside the checkpoint's goes before
            the hub.

    The others are `ChatLocal`'s.

    Raises:
        AnswererError: at construction, nothing of that name or no LLaVA; in use, messages that it cannot
            read.
        InputError: a device that is not there, or a value out of its range.
        MissingExtraError: a quantization without bitsandbytes, or an original tokenizer without
            sentencepiece.
    """

    vision_tower: str | None = None

    @property
    def _llm_type(self) -> str:
        return "som-agent-llava"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {**super()._identifying_params, "vision_tower": self.vision_tower}

    def _load(self) -> tuple[Any, Any]:
        from transformers import AutoConfig, LlavaForConditionalGeneration

        source = local_or_hub(self.model, AnswererError)
        if is_original(read_config(source)):
            original = load_original(source, self.vision_tower)
            return self._load_network(original, source), original.processor
        if self.vision_tower is not None:
            raise AnswererError(
                f"{self.model!r} brings its own vision tower; vision_tower is for original files"
            )
        config = load_pretrained(AutoConfig, source, AnswererError)
        if config.model_type != "llava":
            raise AnswererError(
                f"{self.model!r} is a {config.model_type} model; llava: takes the LLaVA-1.5 family"
            )
        processor = load_reader(source)
        _complete(processor, config)
        return self._load_network(LlavaForConditionalGeneration, source), processor

    def _inputs(self, turns: list[Turn]) -> Any:
        prompt, pictures = self._prompt(turns)
        return self._processor(text=prompt, images=pictures or None, return_tensors="pt")

    def _prompt(self, turns: list[Turn]) -> tuple[str, list[Any]]:
        """The prompt text with a placeholder for each picture, and the pictures (PIL) in their order."""
        squared = [
            Turn(
                turn.role,
                tuple(part if isinstance(part, str) else self._whole(part) for part in turn.parts),
            )
            for turn in turns
        ]
        written = template_turns(squared, self._plain)
        pictures = [
            block["image"] for turn in written for block in turn["content"] if block["type"] == "image"
        ]
        template = self._processor.chat_template
        # Templates of the LLaVA-1.5 family put all pictures before the text; what each one shows would be
        # lost.
        if template is None or "ASSISTANT" in str(template):
            return _vicuna(written, self._processor.image_token), pictures
        return str(self._processor.apply_chat_template(written, add_generation_prompt=True)), pictures

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
