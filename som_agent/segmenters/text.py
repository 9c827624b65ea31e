"""Phrases → regions: Grounding DINO for boxes and a segmenter for their masks, or SAM 3, which does both.

`load_finder` in `som_agent.segmenters` picks the class by what the checkpoint is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from som_agent.errors import InputError, SegmenterError
from som_agent.pretrained import load_pretrained, local_or_hub, pick_device
from som_agent.regions import BoolArray, Regions
from som_agent.segmenters.prompts import Prompt, Prompted
from som_agent.video.frame import Frame
from som_kernels import Resize, threshold_logits

if TYPE_CHECKING:
    import torch

__all__ = ["DINO_TYPES", "SAM3_TYPES", "DinoFinder", "Finder", "Found", "Sam3Finder"]

DINO_TYPES = ("grounding-dino", "mm-grounding-dino")
SAM3_TYPES = ("sam3", "sam3_video")
_SAME_BOX_IOU = 0.8  # boxes of one phrase that overlap more are one thing, as in Grounded SAM


@dataclass(frozen=True)
class Found:
    """What phrases name in one frame.

    Attributes:
        regions: surest first, at the size of the frame; `regions.scores` says how sure, 0 to 1. Regions of
            different phrases may be the same thing.
        phrases: the phrase of each region, as it was given, in step with the regions.
    """

    regions: Regions
    phrases: tuple[str, ...]


class Finder(Protocol):
    """Frame and phrases → the regions that they name. It remembers nothing from frame to frame."""

    name: str
    """The name that the user gave."""

    def find(self, frame: Frame, phrases: Sequence[str]) -> Found:
        """Find everything that any of the phrases names.

        Args:
            frame: its image is `[h, w, 3] uint8` RGB.
            phrases: short noun phrases, `red cup` for example.

        Raises:
            InputError: no phrase, an empty one, or more than the network can read.
        """
        ...


class DinoFinder:
    """Grounding DINO (arXiv 2303.05499) or MM Grounding DINO for boxes, a prompted segmenter for masks.

    Args:
        source: a folder written by `save_pretrained` (network and processor), or `ORG/NAME` of the hub.
        masks: what makes masks of the boxes. A box that it finds no mask for is left out.
        device: where the detector runs; None takes the first GPU or the CPU.
        threshold: boxes that the network is less sure of are left out; the default is its authors' own.

    Raises:
        SegmenterError: nothing of that name, or damaged files.
        InputError: a device that is not there.
    """

    def __init__(
        self, source: str, masks: Prompted, *, device: str | None = None, threshold: float = 0.35
    ) -> None:
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        self.name = f"hf:{source}"
        self.masks = masks
        self.device = pick_device(device)
        where = local_or_hub(source, SegmenterError)
        self._processor = load_pretrained(AutoProcessor, where, SegmenterError)
        model = load_pretrained(
            AutoModelForZeroShotObjectDetection, where, SegmenterError, output_loading_info=True
        )
        self._model = model.eval().to(self.device)
        self._threshold = threshold

    def find(self, frame: Frame, phrases: Sequence[str]) -> Found:
        """See `Finder.find`."""
        import torch
        from torchvision.ops import batched_nms, box_convert

        spans = self._spans(phrases)
        h, w = frame.image.shape[:2]
        with torch.inference_mode():
            inputs = self._processor(
                images=frame.image,
                text=_joined(phrases),
                input_data_format="channels_last",
                return_tensors="pt",
            ).to(self.device)
            inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
            output = self._model(**inputs)
            tokens = output.logits[0].float().sigmoid()
            # A box's phrase is the one that holds the word it answers to most.
            by_phrase = torch.stack([tokens[:, start:end].max(dim=1).values for start, end in spans], dim=1)
            scores, phrase = by_phrase.max(dim=1)
            boxes = box_convert(output.pred_boxes[0].float(), "cxcywh", "xyxy").clamp(0, 1)
            boxes = boxes * torch.tensor([w, h, w, h], device=self.device)
            sides = boxes[:, 2:] - boxes[:, :2]
            able = ((scores > self._threshold) & (sides.min(dim=1).values >= 1)).nonzero()[:, 0]
            kept = able[batched_nms(boxes[able], scores[able], phrase[able], _SAME_BOX_IOU)]
        masks = np.zeros((len(kept), h, w), bool)
        for i, box in enumerate(boxes[kept].tolist()):
            masks[i] = self.masks.prompted(frame, Prompt(box=box))
        return _found(masks, scores[kept], [phrases[k] for k in phrase[kept].tolist()])

    def _spans(self, phrases: Sequence[str]) -> list[tuple[int, int]]:
        """Where each phrase's tokens start and end in what the network reads."""
        _check(phrases, self.name)
        read = self._processor.tokenizer(_joined(phrases), return_offsets_mapping=True)
        limit = self._model.config.max_text_len
        length = len(read["input_ids"])
        if length > limit:
            raise InputError(
                f"{self.name}: {len(phrases)} phrases are {length} tokens, it reads at most {limit}"
            )
        spans, at = [], 0
        for phrase in phrases:
            end = at + len(_plain(phrase))
            own = [i for i, (a, b) in enumerate(read["offset_mapping"]) if at <= a < b <= end]
            spans.append((own[0], own[-1] + 1))
            at = end + 2  # a full stop and a space
        return spans


class Sam3Finder:
    """SAM 3 (arXiv 2511.16719) on single pictures: masks of everything that a phrase names.

    Args:
        source: a folder written by `save_pretrained` (network and processor), or `ORG/NAME` of the hub. A
            whole SAM 3 gives its picture network.
        device: where it runs; None takes the first GPU or the CPU.
        threshold: masks that the network is less sure of are left out.

    Raises:
        SegmenterError: nothing of that name, or damaged files.
        InputError: a device that is not there.
    """

    def __init__(self, source: str, *, device: str | None = None, threshold: float = 0.5) -> None:
        from transformers import Sam3Model, Sam3Processor

        self.name = f"hf:{source}"
        self.device = pick_device(device)
        where = local_or_hub(source, SegmenterError)
        self._processor = load_pretrained(Sam3Processor, where, SegmenterError)
        model = load_pretrained(Sam3Model, where, SegmenterError, output_loading_info=True)
        self._model = model.eval().to(self.device)
        self._threshold = threshold

    def find(self, frame: Frame, phrases: Sequence[str]) -> Found:
        """See `Finder.find`."""
        import torch

        _check(phrases, self.name)
        size = frame.image.shape[:2]
        with torch.inference_mode():
            pixels = self._processor(
                images=frame.image, input_data_format="channels_last", return_tensors="pt"
            )["pixel_values"]
            seen = self._model.get_vision_features(pixels.to(self.device, self._model.dtype))
            maps, sure, phrase = [], [], []
            for text in phrases:
                words = self._processor(text=text.strip(), return_tensors="pt").to(self.device)
                output = self._model(
                    vision_embeds=seen, input_ids=words["input_ids"], attention_mask=words["attention_mask"]
                )
                scores = output.pred_logits[0].float().sigmoid() * output.presence_logits[0].float().sigmoid()
                kept = (scores > self._threshold).nonzero()[:, 0]
                # As transformers does it: probabilities are made larger, not logits.
                maps.append(output.pred_masks[0, kept].float().sigmoid())
                sure.append(scores[kept])
                phrase += [text] * len(kept)
            probabilities = torch.cat(maps)
            resize = Resize.steps(probabilities.shape[1:], (size, size))
            masks = threshold_logits(probabilities, cutoff=0.5, resize=resize).unpack().cpu().numpy()
        return _found(masks, torch.cat(sure), phrase)


def _found(masks: BoolArray, scores: torch.Tensor, phrases: Sequence[str]) -> Found:
    """Masks that are there, surest first."""
    sure = scores.float().cpu().numpy().clip(0, 1)
    order = np.argsort(-sure, kind="stable")
    order = np.array([k for k in order if masks[k].any()], np.int64)
    return Found(Regions.from_masks(masks[order], scores=sure[order]), tuple(phrases[k] for k in order))


def _check(phrases: Sequence[str], name: str) -> None:
    if isinstance(phrases, str) or not phrases or not all(_plain(phrase) for phrase in phrases):
        raise InputError(f"{name}: give a list of one phrase or more, none empty, got {phrases!r}")


def _joined(phrases: Sequence[str]) -> str:
    """The one text that Grounding DINO reads: lower case, a full stop after every phrase and nowhere else."""
    return ". ".join(_plain(phrase) for phrase in phrases) + "."


def _plain(phrase: str) -> str:
    return " ".join(phrase.lower().replace(".", " ").replace("?", " ").split())
