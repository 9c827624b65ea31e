"""SEEM (Zou et al. 2023, arXiv 2304.06718) from its authors' checkpoint files.

One network answers four kinds of questions: what is in the picture, cut into things and stuff of COCO's
classes; what strokes or clicks mean; what looks like the masked thing of another picture; what phrases name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from som_agent.errors import InputError, SegmenterError
from som_agent.pretrained import pick_device
from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.segmenters.class_names import coco_instances, coco_panoptic
from som_agent.segmenters.granularity import checked, class_threshold
from som_agent.segmenters.pictures import seen
from som_agent.segmenters.prompts import Prompt
from som_agent.segmenters.seem_looks import Looked, inner_size, stroke_points
from som_agent.segmenters.seem_words import (
    BACKGROUND,
    CONTEXT,
    Tokenize,
    class_texts,
    listed_ids,
    tokenizer,
)
from som_agent.segmenters.text import Found
from som_agent.segmenters.weights import fill, load_state, looks_like
from som_agent.video.frame import Frame

if TYPE_CHECKING:
    import torch

    from som_agent.segmenters.networks.seem import Seem
    from som_agent.segmenters.networks.seem_queries import Answers, StrokeTokens
    from som_kernels import Resize

__all__ = ["SeemReference", "SeemSegmenter"]


@dataclass(frozen=True)
class SeemReference:
    """A thing as a SEEM saw it in one picture, to be looked for in others by the same SEEM."""

    tokens: StrokeTokens


class SeemSegmenter:
    """Things and stuff of known classes; what is pointed at; what is like an example; what is named.

    Where the authors' code draws at random (which object queries a stroke's queries start as, which memory
    serves which stroke, which 512 points stand for a large stroke) this one spreads evenly, so the same
    question has the same answer twice.

    Args:
        checkpoint: a file of weights as the authors publish them (`seem_focalt_v1.pt`, `seem_focall_v1.pt`);
            the size of the network is read off it. The `v0` and demo files give the same picture of things
            and stuff, but were trained for strokes and phrases in other ways.
        device: where it runs; None takes the first GPU or the CPU.
        granularity: from 0 (only what it is sure of) to 1, see `som_agent.segmenters.granularity`.
        threshold: segments that the network is less sure of are left out, instead of `granularity`; the
            default is the authors' own, 0.8.
        overlap: a segment that others leave less than this of its own mask is left out.
        short_side_px: pictures are resized to it, as Set-of-Mark's own tool does.
        classes: names of other classes to look for, each a thing; None looks for those of COCO's panoptic
            task.
        templates: whether a class is the mean of its name in 81 texts, as the authors have it, or just its
            name. They are read once, when classes are first asked for; on a CPU that takes longer than a
            picture.
        vocabulary: CLIP's, for phrases and other classes; see `som_agent.segmenters.seem_words.tokenizer`.
        half: whether the backbone computes in half precision; None does so on a CUDA GPU.

    Attributes:
        classes: the names of the classes.

    Raises:
        SegmenterError: the file is missing, damaged or of another network.
        InputError: a device that is not there, or an option out of its range.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        device: str | None = None,
        granularity: float | None = None,
        threshold: float | None = None,
        overlap: float = 0.8,
        short_side_px: int = 640,
        classes: Sequence[str] | None = None,
        templates: bool = True,
        vocabulary: str | Path | None = None,
        half: bool | None = None,
    ) -> None:
        self.name = f"seem:{checkpoint}"
        dial = checked(granularity)
        for option, value in (("threshold", threshold), ("overlap", overlap)):
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"{self.name}: {option} is a number from 0 to 1, got {value!r}")
        if short_side_px < 1:
            raise InputError(f"{self.name}: short_side_px must be at least 1, got {short_side_px}")
        if classes is not None and (isinstance(classes, str) or not classes or not all(classes)):
            raise InputError(f"{self.name}: classes are names, one or more, none empty, got {classes!r}")
        self.classes = coco_panoptic() if classes is None else tuple(classes)
        self._things = range(len(coco_instances()) if classes is None else len(self.classes))
        if threshold is None:
            threshold = 0.8 if dial is None else class_threshold(dial)
        self._threshold, self._overlap = threshold, overlap
        self._short_side_px, self._templates, self._vocabulary = short_side_px, templates, vocabulary
        self._device = pick_device(device)
        self._network = _load(checkpoint, self.name).to(self._device)
        self._half = self._device.type == "cuda" if half is None else half
        self._tokenize: Tokenize | None = None if classes is None else tokenizer(vocabulary)
        self._vectors: torch.Tensor | None = None
        self._looked: tuple[Frame, Looked] | None = None

    def segment(self, frame: Frame) -> Regions:
        """Things and stuff, largest first; see `Segmenter`."""
        return self.classified(frame)[0]

    def classified(self, frame: Frame) -> tuple[Regions, tuple[str, ...]]:
        """The regions, largest first, and the class of each."""
        import torch

        from som_agent.segmenters.panoptic import largest_first, merge_panoptic

        with torch.inference_mode():
            looked = self._look(frame)
            answers = self._network.decode(looked.seen).objects
            scores, classes = self._chances(answers).max(dim=1)
            kept = (classes < len(self.classes)) & (scores > self._threshold)
            found = merge_panoptic(
                scores[kept],
                classes[kept],
                answers.masks[kept],
                looked.enlarge("bicubic"),
                things=self._things,
                overlap=self._overlap,
            )
        sure = np.array([segment.score for segment in found.segments], np.float32)
        regions, order = largest_first(Regions.from_labels(found.labels, scores=sure.clip(0, 1)))
        return regions, tuple(self.classes[found.segments[k].category] for k in order)

    def prompted(self, frame: Frame, prompt: Prompt) -> BoolArray:
        """The mask of what a prompt points at; see `Prompted.prompted`.

        Each point is a stroke of 3 × 3 pixels of what the network sees; points on the thing are one stroke
        together. Points off it are told in a second round, in which the network remembers its first answer.
        A box without points is a stroke all over it; with or without, nothing outside of it is in the mask.
        """
        import torch

        prompt.check(frame)
        with torch.inference_mode():
            looked = self._look(frame)
            on, off = (
                looked.clicks(points, self._network.dilation_kernel) for points in (prompt.on, prompt.off)
            )
            h, w = looked.size
            inside = np.ones((h, w), bool)
            if prompt.box is not None:
                x0, y0, x1, y1 = prompt.box
                inside[:] = False
                inside[math.floor(y0) : math.ceil(y1), math.floor(x0) : math.ceil(x1)] = True
                if not prompt.on:
                    on = looked.stroke(inside)
            return self._mask(looked, on, off) & inside

    def stroked(self, frame: Frame, on: BoolArray, off: BoolArray | None = None) -> BoolArray:
        """The mask of what strokes mean.

        Args:
            frame: as for `Prompted.prompted`.
            on: strokes on the thing, `[h, w] bool`; of a large one 512 points are looked at.
            off: strokes off it, told in a second round; None for none.

        Returns:
            `[h, w] bool`.

        Raises:
            InputError: a stroke of another size than the frame, or none on the thing.
        """
        import torch

        on = self._checked(frame, on)
        off = None if off is None or not off.any() else self._checked(frame, off)
        with torch.inference_mode():
            looked = self._look(frame)
            return self._mask(looked, looked.stroke(on), None if off is None else looked.stroke(off))

    def reference(self, frame: Frame, mask: BoolArray) -> SeemReference:
        """Remember a thing of one picture, to look for the like in others with `alike`.

        Args:
            frame: the picture that it is in.
            mask: it, or a part of it, `[h, w] bool`.

        Raises:
            InputError: a mask of another size than the frame, or an empty one.
        """
        import torch

        mask = self._checked(frame, mask)
        with torch.inference_mode():
            looked = self._look(frame)
            return SeemReference(self._read(looked, looked.stroke(mask), None))

    def alike(self, frame: Frame, reference: SeemReference) -> Regions:
        """What is most like a reference: one region, or none.

        SEEM has no answer for what is not there; the score is how sure it is of the region's pixels, no more.
        """
        import torch

        with torch.inference_mode():
            looked = self._look(frame)
            masks, sure = _cut(self._answer(looked, reference.tokens), looked.enlarge("bilinear"))
        kept = masks.any(axis=(1, 2))
        return Regions.from_masks(masks[kept], scores=sure[kept])

    def find(self, frame: Frame, phrases: Sequence[str]) -> Found:
        """What each phrase names; see `Finder.find`.

        SEEM names one region for every phrase, whether the thing is there or not; scores are cosines of the
        phrase and the region. The phrases of one call are read together, so each depends a little on the
        others.
        """
        import torch

        from som_agent.segmenters.networks.seem_text import unit

        if isinstance(phrases, str) or not phrases or not all(phrase.strip() for phrase in phrases):
            raise InputError(f"{self.name}: give a list of one phrase or more, none empty, got {phrases!r}")
        listed = [self._ids(phrase) for phrase in phrases]
        language = self._network.language
        with torch.inference_mode():
            looked = self._look(frame)
            rows = [torch.tensor([ids], device=self._device) for ids in listed]
            words = torch.cat([language.tokens(row)[0] for row in rows])
            texts = torch.cat([language.texts(row) for row in rows])
            answers = self._network.decode(looked.seen, phrases=words).phrases
            assert answers is not None
            cosine, best = (unit(texts) @ unit(answers.texts).t()).max(dim=1)
            masks, _ = _cut(answers.masks[best], looked.enlarge("bicubic"))
        sure = cosine.cpu().numpy().clip(0, 1)
        order = [k for k in np.argsort(-sure, kind="stable") if masks[k].any()]
        regions = Regions.from_masks(masks[order], scores=sure[order])
        return Found(regions, tuple(phrases[k] for k in order))

    def _look(self, frame: Frame) -> Looked:
        """Have the frame seen, once."""
        if self._looked is None or self._looked[0] is not frame:
            import torch

            from som_agent.segmenters.networks.seem import Seen

            h, w = frame.image.shape[:2]
            picture = seen(frame.image, inner_size((h, w), self._short_side_px), self._device, kind="bicubic")
            with torch.autocast(self._device.type, torch.float16, enabled=self._half):
                maps = self._network.look(picture.pixels)
            maps = Seen([level.float() for level in maps.levels], maps.mask_features.float())
            self._looked = frame, Looked(maps, picture.padded, picture.inner, (h, w))
        return self._looked[1]

    def _chances(self, answers: Answers) -> torch.Tensor:
        """How sure each query is of each class, `[Q, classes + 1]`; the last is nothing."""
        if self._vectors is None:
            texts = [class_texts(name, prompted=self._templates) for name in (*self.classes, BACKGROUND)]
            self._vectors = self._network.class_vectors(
                [[self._ids(text, listed=True) for text in group] for group in texts]
            )
        return self._network.language.similarity(answers.texts, self._vectors).softmax(dim=1)

    def _ids(self, text: str, *, listed: bool = False) -> list[int]:
        """The ids of a text; the classes' own texts need no vocabulary."""
        if self._tokenize is None and listed:
            return listed_ids(text)
        if self._tokenize is None:
            self._tokenize = tokenizer(self._vocabulary)
        ids = self._tokenize(text)
        if len(ids) > CONTEXT:
            raise InputError(
                f"{self.name}: a phrase has at most {CONTEXT - 2} pieces of words, "
                f"got {len(ids) - 2}: {text[:40]!r}…"
            )
        return ids

    def _checked(self, frame: Frame, mask: BoolArray) -> BoolArray:
        size = frame.image.shape[:2]
        if mask.shape != size or not mask.any():
            h, w = size
            what = f"an array {list(mask.shape)}" if mask.shape != size else "nothing set"
            raise InputError(f"{self.name}: a stroke is a mask of the frame's {w}x{h} px, got {what}")
        return mask.astype(bool)

    def _read(self, looked: Looked, on: torch.Tensor, off: torch.Tensor | None) -> StrokeTokens:
        points = [stroke_points(strokes) for strokes in (on, on & False if off is None else off)]
        return self._network.read_strokes(looked.seen, points[0], points[1], 1)

    def _answer(
        self, looked: Looked, tokens: StrokeTokens, previous: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits of the mask that one stroke means, `[1, h, w]`."""
        from som_agent.segmenters.networks.seem_queries import best_of_strokes

        strokes = self._network.stroke_queries(tokens, previous=previous)
        answers = self._network.decode(looked.seen, strokes=strokes).strokes
        assert answers is not None
        return best_of_strokes(answers, tokens.means)

    def _mask(self, looked: Looked, on: torch.Tensor, off: torch.Tensor | None) -> BoolArray:
        """What strokes mean, at the frame's size."""
        logits = self._answer(looked, self._read(looked, on, None))
        if off is not None and off.any():
            logits = self._answer(looked, self._read(looked, on, off), logits)
        mask: BoolArray = _cut(logits, looked.enlarge("bilinear"))[0][0]
        return mask


def _cut(logits: torch.Tensor, resize: Resize) -> tuple[BoolArray, FloatArray]:
    """Masks of logits `[n, h, w]` at the size of the frame, and their mean probability inside."""
    from som_kernels import threshold_logits

    masks = threshold_logits(logits.float(), resize=resize).unpack().cpu().numpy()
    inside = (logits > 0).float()
    sure = (logits.sigmoid() * inside).sum(dim=(1, 2)) / inside.sum(dim=(1, 2)).clamp(min=1)
    return masks, sure.float().cpu().numpy()


def _load(checkpoint: str | Path, name: str) -> Seem:
    """The network that a file's weights belong to, with them."""
    import torch

    from som_agent.segmenters.networks.seem import Seem, SeemConfig

    state = load_state(checkpoint, name)
    try:
        config = SeemConfig.of_weights(state)
        with torch.device("meta"):
            network = Seem(config)
    except (KeyError, ValueError, IndexError, RuntimeError, ZeroDivisionError, AssertionError) as error:
        lack = f"it has no weights {error}" if isinstance(error, KeyError) else "its sizes are odd"
        kind = looks_like(state)
        hint = f" (it looks like a checkpoint of {kind})" if kind not in (None, "SEEM") else ""
        raise SegmenterError(f"{name}: not a SEEM checkpoint, {lack}{hint}") from error
    state.setdefault("dilation_kernel", torch.ones(1, 1, 3, 3))  # a constant, which a file may lack
    fill(network, state, name)
    return network
