"""Mask generation with the networks of transformers: SAM, SAM-HQ, SAM 2, EdgeTAM and the SAM 3 tracker.

The grid of points is our own. The pipeline of transformers (seen in 5.23) scales its points as if every
network saw the picture padded to a square, as SAM does. SAM 2 and later see it squeezed into the square, so
that in a wide picture no point of the pipeline ever falls on the lower part, and things there are not found.
Of SAM and SAM-HQ the masks are those of the pipeline but for two rules, where ours are those of Segment
Anything's own generator: the pipeline drops a mask that is exactly as stable as the threshold, and of crops
it prefers the higher score, not the smaller crop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from som_agent.errors import SegmenterError
from som_agent.pretrained import check_backbone, load_pretrained, local_or_hub, pick_device
from som_agent.regions import BoolArray, Regions
from som_agent.segmenters.crops import Crop, crops
from som_agent.segmenters.everything import Steps, View, regions_of_views
from som_agent.segmenters.granularity import everything_means
from som_agent.segmenters.prompts import Prompt
from som_agent.segmenters.rules import Everything
from som_agent.segmenters.running import Precision, casting, compile_encoder
from som_agent.video.frame import Frame
from som_kernels import Resize, threshold_logits

if TYPE_CHECKING:
    import torch

__all__ = ["HfSegmenter"]

# Cutoffs of the networks' own estimate of a mask's IoU, as their authors set them.
_IOU_CUTOFF = {"sam": 0.88, "sam_hq": 0.88}
_IOU_CUTOFF_LATER = 0.8


@dataclass(frozen=True)
class _Look:
    """A frame as a network saw it.

    Attributes:
        frame: the frame itself.
        features: what the network made of it, by the names of its arguments.
        seen: height and width of the picture inside what the network saw.
        steps: how its maps become as large as the frame.
    """

    frame: Frame
    features: dict[str, Any]
    seen: tuple[int, int]
    steps: Steps


class HfSegmenter:
    """Everything mode of a promptable network: a grid of points, the masks that it is sure of, no duplicates.

    Args:
        source: a folder written by `save_pretrained` (network and image processor), or `ORG/NAME` of the hub.
            Video checkpoints (SAM 2, EdgeTAM, SAM 3) give their picture network.
        device: where it runs; None takes the first GPU or the CPU.
        precision: what the network multiplies in. `float32` gives the masks of transformers.
        compile: whether the image encoder is compiled at its first frame; see `compile_encoder`.
        granularity: 0 (coarse) to 1 (fine) sets the grid, which of a point's masks are taken, and how small
            they may be; see `granularity.everything_means`. None takes all of the authors' grid.
        everything: the rules of everything mode, `points_per_side=16` for example; see `Everything`. Without
            `pred_iou_thresh` it is the one that the network's authors set.

    Raises:
        SegmenterError: nothing of that name, damaged files, or a network of another kind.
        MissingExtraError: EdgeTAM without its extra.
        InputError: a device that is not there, or an option out of its range.
    """

    def __init__(
        self,
        source: str,
        *,
        device: str | None = None,
        precision: Precision = "float32",
        compile: bool | str = False,
        granularity: float | None = None,
        **everything: Any,
    ) -> None:
        from transformers import AutoConfig, AutoImageProcessor, AutoModelForMaskGeneration
        from transformers.models.auto.modeling_auto import MODEL_FOR_MASK_GENERATION_MAPPING_NAMES

        self.name = f"hf:{source}"
        where = local_or_hub(source, SegmenterError)
        config = load_pretrained(AutoConfig, where, SegmenterError)
        if config.model_type not in MODEL_FOR_MASK_GENERATION_MAPPING_NAMES:
            known = ", ".join(sorted(MODEL_FOR_MASK_GENERATION_MAPPING_NAMES))
            raise SegmenterError(
                f"{self.name} is a {config.model_type} network; mask generation works with {known}"
            )
        check_backbone(self.name, config.model_type)
        by_authors = _IOU_CUTOFF.get(config.model_type, _IOU_CUTOFF_LATER)
        self._means = everything_means(granularity)
        self._rules = Everything(**{"pred_iou_thresh": by_authors, **self._means.grid, **everything})
        self.device, self._precision = pick_device(device), precision
        casting(self.device, precision)
        self._processor = load_pretrained(AutoImageProcessor, where, SegmenterError)
        # transformers 5.23 does not find the tracker inside a whole SAM 3 and would make its weights up.
        renamed = {"key_mapping": {r"^tracker_model\.": ""}} if config.model_type == "sam3_video" else {}
        model = load_pretrained(
            AutoModelForMaskGeneration, where, SegmenterError, output_loading_info=True, **renamed
        )
        self._model = model.eval().to(self.device)
        compile_encoder(self._model.vision_encoder, compile)
        self._looked: _Look | None = None

    def segment(self, frame: Frame) -> Regions:
        """The masks of everything, largest first; see `Segmenter`."""
        import torch

        with torch.inference_mode():
            views = map(self._view, crops(frame, self._rules))
            return self._means.kept(regions_of_views(views, frame.image.shape[:2], self._rules))

    def prompted(self, frame: Frame, prompt: Prompt) -> BoolArray:
        """The mask of what a prompt points at; see `Prompted.prompted`.

        One point alone may mean a thing or its part: of three masks the one is taken that the network is
        surest of.
        """
        import torch

        prompt.check(frame)
        with torch.inference_mode():
            look = self._look(frame)
            (h, w), size = look.seen, frame.image.shape[:2]
            scale = torch.tensor([w / size[1], h / size[0]], device=self.device)
            given: dict[str, Any] = {}
            if prompt.points:
                given["input_points"] = (torch.tensor(prompt.points, device=self.device) * scale)[None, None]
                given["input_labels"] = torch.tensor(prompt.labels, device=self.device)[None, None]
            if prompt.box is not None:
                box = torch.tensor(prompt.box, device=self.device) * scale.repeat(2)
                given["input_boxes"] = box[None, None]
            one_point = prompt.box is None and len(prompt.points) == 1
            with casting(self.device, self._precision):
                output = self._model(**look.features, **given, multimask_output=one_point)
            logits, best = output.pred_masks[0, 0].float(), output.iou_scores[0, 0].argmax()
            resize = Resize.steps(logits.shape[1:], *look.steps)
            mask = threshold_logits(logits, chosen=best[None], resize=resize).unpack()[0]
        found: BoolArray = mask.cpu().numpy()
        return found

    def _look(self, frame: Frame) -> _Look:
        """The frame as the network sees it; a frame that is asked for again is not looked at again."""
        if self._looked is None or self._looked.frame is not frame:
            self._looked = self._encode(frame)
        return self._looked

    def _encode(self, frame: Frame) -> _Look:
        inputs = self._processor(images=frame.image, input_data_format="channels_last", return_tensors="pt")
        pixels = inputs["pixel_values"].to(self.device, self._model.dtype)
        whole, size = tuple(pixels.shape[-2:]), frame.image.shape[:2]
        # SAM sees the picture scaled and padded, the later ones see it squeezed into the whole square.
        if "reshaped_input_sizes" in inputs:
            seen = tuple(inputs["reshaped_input_sizes"][0].tolist())
            steps: Steps = ((whole, seen), (size, size))
        else:
            seen, steps = whole, ((size, size),)
        with casting(self.device, self._precision):
            embeddings = self._model.get_image_embeddings(pixels)
        features: dict[str, Any] = {"image_embeddings": embeddings}
        if isinstance(embeddings, tuple):  # SAM-HQ also uses the early layers
            features = {"image_embeddings": embeddings[0], "intermediate_embeddings": embeddings[1]}
        return _Look(frame, features, seen, steps)

    def _view(self, crop: Crop) -> View:
        """What the network answers at the points of a crop."""
        look = self._look(crop.frame)
        return View(crop.box, self._proposals(look, crop.layer), look.steps)

    def _proposals(self, look: _Look, layer: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Logits and estimated IoU of the masks of each batch of points."""
        import torch

        points = self._rules.points(layer, look.seen).to(self.device, torch.float32)
        for batch in torch.split(points, self._rules.points_per_batch):
            with casting(self.device, self._precision):
                output = self._model(
                    **look.features,
                    input_points=batch[None, :, None, :],
                    input_labels=torch.ones(1, len(batch), 1, dtype=torch.int64, device=self.device),
                    multimask_output=True,
                )
            logits, scores = output.pred_masks[0], output.iou_scores[0]
            masks = self._means.of(scores.shape[1])
            yield logits[:, masks].flatten(0, 1), scores[:, masks].flatten()
