"""Networks that know classes: Mask2Former, OneFormer, EoMT, MaskFormer and RF-DETR segmentation.

They are those of transformers, and so is what makes masks of their queries: each runs through the image
processor that it was saved with. Mask2Former and RF-DETR may overlap their instances, the others do not.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.errors import InputError, SegmenterError
from som_agent.pretrained import load_pretrained, local_or_hub, pick_device
from som_agent.regions import BoolArray, Regions
from som_agent.segmenters.class_names import Task
from som_agent.segmenters.granularity import checked, class_threshold, everything_means
from som_agent.segmenters.parents import with_parents
from som_agent.video.frame import Frame

if TYPE_CHECKING:
    import torch

__all__ = ["CLASS_TYPES", "ClassSegmenter", "Task", "task_of"]

CLASS_TYPES = ("mask2former", "oneformer", "eomt", "eomt_dinov3", "maskformer", "rf_detr")
"""Model types of transformers that are segmented with here."""

_STUFF = {133: range(80, 133), 19: range(11)}
"""Number of classes → those that are no countable things: COCO's panoptic task, and Cityscapes."""
_TASK_OF_COUNT: dict[int, Task] = {80: "instance", 133: "panoptic", 150: "semantic", 171: "semantic"}
"""COCO's things, with its stuff, ADE20K, and COCO-Stuff; a guess where nothing says it."""

Segment = tuple[BoolArray, int, float]
"""Mask `[h, w]`, class and score."""


class ClassSegmenter:
    """Segments of the classes that a network was trained on.

    Args:
        source: a folder written by `save_pretrained` (network and image processor; OneFormer's tokenizer
            too), or `ORG/NAME` of the hub.
        device: where it runs; None takes the first GPU or the CPU.
        granularity: 0 takes what the network is sure of, and what others hardly cover; 1 takes much that it
            is not sure of. None takes what transformers does. A semantic network has no doubts: from 0.5 on
            it also gives each connected part of a class as a region, its parent the class's.
        task: what the network was trained to give; None takes what `task_of` makes of the files.

    Attributes:
        classes: their names, in the order of the network's outputs.
        task: see above.

    Raises:
        SegmenterError: nothing of that name, damaged files, or a network of another kind.
        InputError: a device that is not there, a granularity that is not from 0 to 1, an unknown task.
    """

    def __init__(
        self,
        source: str,
        *,
        device: str | None = None,
        granularity: float | None = None,
        task: Task | None = None,
    ) -> None:
        from transformers import AutoConfig

        self.name = f"hf:{source}"
        self._dial = checked(granularity)
        if task not in (None, *get_args(Task)):
            raise InputError(f"task {task!r} is not known; known: {', '.join(get_args(Task))}")
        where = local_or_hub(source, SegmenterError)
        config = load_pretrained(AutoConfig, where, SegmenterError)
        self._kind = str(config.model_type)
        if self._kind not in CLASS_TYPES:
            known = ", ".join(CLASS_TYPES)
            raise SegmenterError(f"{self.name} is a {self._kind} network; classes are known by {known}")
        self.device = pick_device(device)
        self._processor, self._words = _processor(self._kind, where)
        self.task: Task = task or task_of(config, self._processor, source)
        if not callable(getattr(self._processor, f"post_process_{self.task}_segmentation", None)):
            raise InputError(f"{self.name}: a {self._kind} network does no {self.task} segmentation")
        self._model = _model(config, where, self.name).eval().to(self.device)
        names = {int(number): str(name) for number, name in config.id2label.items()}
        self.classes = tuple(names.get(k, f"class {k}") for k in range(len(names)))

    def segment(self, frame: Frame) -> Regions:
        """The segments, largest first; see `Segmenter`."""
        return self.classified(frame)[0]

    def classified(self, frame: Frame) -> tuple[Regions, tuple[str, ...]]:
        """The segments, largest first, and the class of each."""
        import torch

        from som_agent.segmenters.panoptic import largest_first

        with torch.inference_mode():
            found = self._found(frame)
        if self.task == "semantic" and self._dial is not None:
            found = _by_size(found, self._dial)
        shape = frame.image.shape[:2]
        masks = np.stack([mask for mask, _, _ in found]) if found else np.zeros((0, *shape), bool)
        scores = np.array([score for _, _, score in found], np.float32).clip(0, 1)
        regions, order = largest_first(Regions.from_masks(masks, scores=scores))
        return with_parents(regions), tuple(self._class(found[k][1]) for k in order)

    def _class(self, number: int) -> str:
        return self.classes[number] if number < len(self.classes) else f"class {number}"

    def _found(self, frame: Frame) -> list[Segment]:
        """What the network finds, none empty."""
        given: dict[str, Any] = {"images": frame.image, "input_data_format": "channels_last"}
        if self._kind == "oneformer":
            given["task_inputs"] = [self.task]
        inputs = self._processor(**given, return_tensors="pt").to(self.device)
        inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
        if self._words is not None:
            inputs["task_inputs"] = self._task_words()
        output = self._model(**inputs)
        size = frame.image.shape[:2]
        if self.task == "semantic":
            labels = self._processor.post_process_semantic_segmentation(output, target_sizes=[size])[0]
            return _of_map(labels.cpu().numpy())
        finish = getattr(self._processor, f"post_process_{self.task}_segmentation")
        takes = inspect.signature(inspect.unwrap(finish)).parameters
        stuff = set(_STUFF.get(len(self.classes), ()))
        wanted: dict[str, Any] = {
            "return_binary_maps": True,
            "label_ids_to_fuse": stuff,
            "stuff_classes": sorted(stuff),
        }
        if self._dial is not None:
            sure = class_threshold(self._dial)
            wanted |= {"threshold": sure, "overlap_mask_area_threshold": sure}
        options = {name: value for name, value in wanted.items() if name in takes}
        return _of_segments(finish(output, target_sizes=[size], **options)[0])

    def _task_words(self) -> torch.Tensor:
        """The words that tell OneFormer its task, as numbers."""
        import torch

        length = self._model.config.task_seq_len
        read = self._words(
            f"the task is {self.task}", padding="max_length", max_length=length, truncation=True
        )
        numbers = torch.tensor(read["input_ids"]) * torch.tensor(read["attention_mask"])
        return numbers[None].to(self.device)


def task_of(config: Any, processor: Any, source: str) -> Task:
    """What a checkpoint was trained to give: no file says it in so many words.

    OneFormer does all three and is asked for the panoptic one. The others are told by a name that holds the
    word (the folder's, the repository's, or that of what it was trained from), by a processor that cuts
    pictures in pieces (semantic EoMT), then by the number of classes, and panoptic is the last resort.

    Args:
        config: of the network.
        processor: its image processor.
        source: the name that the user gave.
    """
    if config.model_type == "rf_detr":
        return "instance"
    if config.model_type == "oneformer":
        return "panoptic"
    for name in (Path(source).name, str(getattr(config, "_name_or_path", "") or "")):
        said = re.findall("|".join(get_args(Task)), name.lower())
        if len(set(said)) == 1:
            task: Task = said[0]
            return task
    if getattr(processor, "do_split_image", False):
        return "semantic"
    return _TASK_OF_COUNT.get(len(config.id2label), "panoptic")


def _processor(kind: str, where: str) -> tuple[Any, Any]:
    """The image processor and, for OneFormer, the tokenizer."""
    from transformers import AutoImageProcessor, AutoTokenizer

    if kind != "oneformer":
        return load_pretrained(AutoImageProcessor, where, SegmenterError), None
    # The file of classes, which would be fetched from another repository, serves training alone.
    return (
        load_pretrained(AutoImageProcessor, where, SegmenterError, class_info_file=""),
        load_pretrained(AutoTokenizer, where, SegmenterError),
    )


def _model(config: Any, where: str, name: str) -> Any:
    """The network with its weights."""
    from transformers import AutoModelForUniversalSegmentation, RfDetrForInstanceSegmentation

    if config.model_type != "rf_detr":
        return load_pretrained(
            AutoModelForUniversalSegmentation, where, SegmenterError, output_loading_info=True
        )
    if "RfDetrForObjectDetection" in (config.architectures or ()):
        raise SegmenterError(
            f"{name} is an RF-DETR that finds boxes alone; take one of its segmentation models"
        )
    return load_pretrained(RfDetrForInstanceSegmentation, where, SegmenterError, output_loading_info=True)


def _of_map(labels: npt.NDArray[Any]) -> list[Segment]:
    """The classes of a map `[h, w]`; its numbers are classes, and every pixel has one."""
    return [(labels == number, int(number), 1.0) for number in np.unique(labels) if number >= 0]


def _of_segments(result: dict[str, Any]) -> list[Segment]:
    """The segments of a result of transformers: a map of numbers, or a mask each."""
    drawn = result["segmentation"].cpu().numpy()
    found: dict[int, Segment] = {}
    for k, told in enumerate(result["segments_info"]):
        # What is fused comes again with the same number; another may cover a segment entirely.
        mask = drawn[k] > 0 if drawn.ndim == 3 else drawn == told["id"]
        known = found.get(told["id"])
        if known is not None:
            found[told["id"]] = (known[0], known[1], max(known[2], told["score"]))
        elif mask.any():
            found[told["id"]] = (mask, int(told["label_id"]), float(told["score"]))
    return list(found.values())


def _by_size(found: list[Segment], dial: float) -> list[Segment]:
    """Without what is too small for the dial, and with the connected parts of each from its middle on."""
    cut: list[Segment] = []
    for mask, number, score in found:
        least = everything_means(dial).least_share * mask.size
        if mask.sum() < least:
            continue
        cut.append((mask, number, score))
        if dial >= 0.5:
            count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
            areas = np.bincount(parts.ravel(), minlength=count)
            if count > 2:
                cut += [(parts == k, number, score) for k in range(1, count) if areas[k] >= max(least, 1)]
    return cut
