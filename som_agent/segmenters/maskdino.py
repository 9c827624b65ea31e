"""MaskDINO (arXiv 2206.02777) from its authors' own checkpoint files: instances, panoptic maps, classes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from som_agent.errors import InputError, SegmenterError, first_line
from som_agent.pretrained import pick_device
from som_agent.regions import Regions
from som_agent.segmenters.class_names import Task, names_of
from som_agent.segmenters.granularity import checked, class_threshold, everything_means
from som_agent.segmenters.parents import with_parents
from som_agent.segmenters.pictures import fitted, seen
from som_agent.segmenters.weights import fill, load_state, looks_like, unfilled
from som_agent.video.frame import Frame

if TYPE_CHECKING:
    import torch

    from som_agent.segmenters.networks.maskdino import BoxStart, MaskDino, MaskDinoConfig, QueryAnswers
    from som_kernels import Resize

__all__ = ["MaskDinoSegmenter"]

_TEMPERATURE = 0.06  # sharpens sigmoids where classes are weighed against each other, as the authors do
_THINGS = {133: range(80), 19: range(11, 19)}  # of COCO's panoptic task and of Cityscapes; else all are
_SIDES = {150: (512, 2048), 19: (1024, 2048)}  # of ADE20K and Cityscapes; else COCO's
_COCO_SIDES = (800, 1333)
_SAME_IOU = 0.8  # instances that overlap more are one thing, found by two queries


class MaskDinoSegmenter:
    """What a MaskDINO finds, of the classes that it was trained on.

    The sizes of the network are read off the file. What the file does not say is an argument, and is guessed
    from the file's published name and sizes.

    Args:
        source: a file of weights as the authors publish them (`maskdino_r50_50ep_300q_…_instance_….pth`).
        device: where it runs; None takes the first GPU or the CPU.
        granularity: 0 takes what the network is sure of, 1 much that it is not sure of: `threshold` runs from
            0.95 to 0.05. A semantic network has no doubts: small regions go first, and from 0.5 on it gives
            each connected part of a class too, its parent the class's. None is what the authors do.
        task: what to make of the network's answers; None takes what it was trained for.
        threshold: what is less sure is left out; 0.5 for instances, as in the authors' demo, and 0.25 for a
            panoptic map, as in their tests.
        overlap: the share of its mask that a segment of a panoptic map must keep.
        box_start: where the boxes of proposals start, see `networks.maskdino.BoxStart`.
        queries: how many proposals become queries; fewer cost less. Learned queries are counted instead.
        short_side: pixels that the short side of a frame gets; None takes what the authors test with: 800
            (COCO), 512 (ADE20K) or 1024 (Cityscapes).
        long_side: pixels that the long side gets at most; None takes 1333, or 2048 off COCO.
        half: whether the backbone runs in float16, where the authors ran it so; None does so on CUDA. The
            rest of the network is always float32.

    Attributes:
        classes: their names, in the order of the network's outputs.
        task: see above.

    Raises:
        SegmenterError: the file is missing, damaged or of another network.
        InputError: a device that is not there, or an argument out of its range.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        device: str | None = None,
        granularity: float | None = None,
        task: Task | None = None,
        threshold: float | None = None,
        overlap: float = 0.8,
        box_start: BoxStart | None = None,
        queries: int = 300,
        short_side: int | None = None,
        long_side: int | None = None,
        half: bool | None = None,
    ) -> None:
        self.name = f"maskdino:{source}"
        self._dial = checked(granularity)
        if task not in (None, *get_args(Task)):
            raise InputError(f"task {task!r} is not known; known: {', '.join(get_args(Task))}")
        for what, value in (("threshold", threshold), ("overlap", overlap)):
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"{what} is a number from 0 to 1, got {value!r}")
        for what, count in (("queries", queries), ("short_side", short_side), ("long_side", long_side)):
            if count is not None and count < 1:
                raise InputError(f"{what} must be at least 1, got {count}")
        self.device = pick_device(device)
        self._network = _load(source, self.name, queries, box_start).to(self.device)
        config = self._network.config
        self.task: Task = task or _task(config, Path(source).name)
        self.classes = names_of(config.classes)
        self._things = _THINGS.get(config.classes, range(config.classes))
        if threshold is None:
            by_authors = 0.25 if self.task == "panoptic" else 0.5
            threshold = by_authors if self._dial is None else class_threshold(self._dial)
        self._threshold, self._overlap = threshold, overlap
        short, long = _SIDES.get(config.classes, _COCO_SIDES)
        self._sides = (short_side or short, long_side or long)
        self._half = self.device.type == "cuda" if half is None else half

    def segment(self, frame: Frame) -> Regions:
        """The regions, largest first; see `Segmenter`."""
        return self.classified(frame)[0]

    def classified(self, frame: Frame) -> tuple[Regions, tuple[str, ...]]:
        """The regions, largest first, and the class of each."""
        import torch

        from som_agent.segmenters.panoptic import largest_first

        with torch.inference_mode():
            answers, resize = self._answers(frame)
            if self.task == "instance":
                regions, classes = self._instances(answers, resize)
            elif self.task == "panoptic":
                regions, classes = self._panoptic(answers, resize)
            else:
                regions, classes = self._semantic(answers, resize)
        regions, order = largest_first(regions)
        return with_parents(regions), tuple(self.classes[classes[k]] for k in order)

    def _answers(self, frame: Frame) -> tuple[QueryAnswers, Resize]:
        """What the queries answer, and how their masks become as large as the frame."""
        import torch

        from som_agent.segmenters.panoptic import enlarge

        h, w = frame.image.shape[:2]
        look = seen(frame.image, fitted((h, w), *self._sides), self.device)
        with torch.autocast(self.device.type, torch.float16, enabled=self._half):
            maps = self._network.backbone(look.pixels)
        found = self._network.decode({name: value.float() for name, value in maps.items()})
        answers = self._network.answers(found)
        small = (answers.masks.shape[2], answers.masks.shape[3])
        return answers, enlarge(small, look.padded, look.inner, (h, w))

    def _chances(self, answers: QueryAnswers) -> torch.Tensor:
        """How sure each query is of each class that has a name, `[Q, classes]`."""
        logits = answers.logits[0]
        return logits.softmax(dim=1)[:, :-1] if self._network.config.softmax else logits.sigmoid()

    def _weighed(self, answers: QueryAnswers) -> torch.Tensor:
        """The same where classes are weighed against each other."""
        chances = self._chances(answers)
        return chances if self._network.config.softmax else (chances / _TEMPERATURE).softmax(dim=1)

    def _instances(self, answers: QueryAnswers, resize: Resize) -> tuple[Regions, list[int]]:
        from som_agent.segmenters.panoptic import instances
        from som_kernels import mask_nms

        things = self._things if len(self._things) < len(self.classes) else None
        found = instances(self._chances(answers), answers.masks[0], resize, things=things)
        sure = (found.scores >= self._threshold) & (found.scores > 0)  # an empty mask scores nothing
        found = found.select(sure.nonzero()[:, 0])
        if len(found.scores):
            # Two answers of one query are two names of one thing; so are those of queries that are alike.
            found = found.select(mask_nms(found.masks, found.scores.float(), _SAME_IOU))
        scores = found.scores.float().clamp(0, 1).cpu().numpy()
        return Regions.from_masks(found.masks.cpu().numpy(), scores=scores), found.classes.tolist()

    def _panoptic(self, answers: QueryAnswers, resize: Resize) -> tuple[Regions, list[int]]:
        from som_agent.segmenters.panoptic import merge_panoptic

        sure = self._chances(answers).amax(dim=1)
        kept = sure > self._threshold
        if self._network.config.softmax:
            kept &= sure > answers.logits[0].softmax(dim=1)[:, -1]
        scores, classes = self._weighed(answers)[kept].max(dim=1)
        found = merge_panoptic(
            scores, classes, answers.masks[0, kept], resize, things=self._things, overlap=self._overlap
        )
        own = sure[kept].float().cpu().numpy()
        listed = np.array([own[part.query] for part in found.segments], np.float32)
        return Regions.from_labels(found.labels, scores=listed), [part.category for part in found.segments]

    def _semantic(self, answers: QueryAnswers, resize: Resize) -> tuple[Regions, list[int]]:
        from som_agent.segmenters.panoptic import best_class, class_regions

        labels, shares = best_class(self._weighed(answers), answers.masks[0], resize)
        if self._dial is None:
            return class_regions(labels, shares)
        least = everything_means(self._dial).least_share
        return class_regions(labels, shares, parts=self._dial >= 0.5, least_share=least)


def _load(source: str | Path, name: str, queries: int, box_start: BoxStart | None) -> MaskDino:
    """The network that a file's weights belong to, with them."""
    import torch

    from som_agent.segmenters.networks.maskdino import BoxStart, MaskDino, MaskDinoConfig

    if box_start not in (None, *get_args(BoxStart)):
        raise InputError(f"box_start {box_start!r} is not known; known: {', '.join(get_args(BoxStart))}")
    state = load_state(source, name)
    try:
        config = MaskDinoConfig.of_weights(state, queries=queries)
        config = MaskDinoConfig.of_weights(
            state, queries=queries, box_start=box_start or _box_start(config, Path(source).name)
        )
        with unfilled():
            network = MaskDino(config)
    except (KeyError, ValueError, IndexError, RuntimeError, ZeroDivisionError) as error:
        kind = looks_like(state)
        hint = f" (it looks like a checkpoint of {kind})" if kind not in (None, "MaskDINO") else ""
        why = f"it has no weights {error}" if isinstance(error, KeyError) else first_line(error)
        raise SegmenterError(f"{name}: not a MaskDINO checkpoint, {why}{hint}") from error
    # Weights of the loss, which a file cut down for inference may lack.
    state.setdefault("criterion.empty_weight", torch.ones(config.classes + 1))
    fill(network, state, name)
    return network


def _box_start(config: MaskDinoConfig, file: str) -> BoxStart:
    """How the authors trained a network, as far as its sizes and its file's name say it.

    Instances of COCO start around their masks, unless the published name does not say `maskenhanced`, or the
    encoder of a ResNet sees `res2`. The smaller ResNet and Swin do so one way, the larger ResNet the other.
    """
    from som_agent.segmenters.networks.resnet import ResNetConfig

    plain = re.search(r"_instance_mask\d", file) is not None
    if config.learned or config.classes in (133, *_SIDES) or plain:
        return "no"
    if not isinstance(config.backbone, ResNetConfig):
        return "bitmask"
    if "res2" in config.pixels.inputs:
        return "no"
    return "mask2box" if config.pixels.hidden > 1024 else "bitmask"


def _task(config: MaskDinoConfig, file: str) -> Task:
    """What a network was trained for."""
    said = set(re.findall("|".join(get_args(Task)), file.lower()))
    if len(said) == 1:
        task: Task = said.pop()
        return task
    if config.softmax or config.classes in _SIDES:
        return "semantic"
    return "panoptic" if config.classes in _THINGS else "instance"
