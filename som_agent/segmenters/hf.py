"""Mask generation with the networks of transformers: SAM, SAM-HQ, SAM 2, EdgeTAM and the SAM 3 tracker.

The grid of points is our own. The pipeline of transformers (seen in 5.23) scales its points as if every
network saw the picture padded to a square, as SAM does. SAM 2 and later see it squeezed into the square, so
that in a wide picture no point of the pipeline ever falls on the lower part, and things there are not found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from som_agent.errors import SegmenterError
from som_agent.pretrained import load_pretrained, local_or_hub, pick_device
from som_agent.regions import Regions
from som_agent.segmenters.collect import regions_of_masks
from som_agent.video.frame import Frame

if TYPE_CHECKING:
    import torch

__all__ = ["HfSegmenter"]

# Cutoffs of the networks' own estimate of a mask's IoU, as their authors set them.
_IOU_CUTOFF = {"sam": 0.88, "sam_hq": 0.88}
_IOU_CUTOFF_LATER = 0.8
_STABILITY_OFFSET = 1.0  # how far the cutoff of the logits is moved to see whether a mask is stable
_DUPLICATE_BOX_IOU = 0.7


class HfSegmenter:
    """Everything mode of a promptable network: a grid of points, the masks that it is sure of, no duplicates.

    Args:
        source: a folder written by `save_pretrained` (network and image processor), or `ORG/NAME` of the hub.
            Video checkpoints (SAM 2, EdgeTAM, SAM 3) give their picture network.
        device: where it runs; None takes the first GPU or the CPU.
        points_per_side: points along each side of the grid. More find smaller things and take longer.
        points_per_batch: points that go through the network at once. More take more memory.
        pred_iou_thresh: masks that the network itself scores lower are left out; None takes its authors'
            cutoff.
        stability_score_thresh: masks that change more than this with the cutoff are left out.

    Raises:
        SegmenterError: nothing of that name, damaged files, or a network of another kind.
        InputError: a device that is not there.
    """

    def __init__(
        self,
        source: str,
        *,
        device: str | None = None,
        points_per_side: int = 32,
        points_per_batch: int = 64,
        pred_iou_thresh: float | None = None,
        stability_score_thresh: float = 0.95,
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
        self.device = pick_device(device)
        self._processor = load_pretrained(AutoImageProcessor, where, SegmenterError)
        # transformers 5.23 does not find the tracker inside a whole SAM 3 and would make its weights up.
        renamed = {"key_mapping": {r"^tracker_model\.": ""}} if config.model_type == "sam3_video" else {}
        model = load_pretrained(
            AutoModelForMaskGeneration, where, SegmenterError, output_loading_info=True, **renamed
        )
        self._model = model.eval().to(self.device)
        self._iou_cutoff = (
            _IOU_CUTOFF.get(config.model_type, _IOU_CUTOFF_LATER)
            if pred_iou_thresh is None
            else pred_iou_thresh
        )
        self._stability_cutoff = stability_score_thresh
        self._points_per_side = points_per_side
        self._points_per_batch = points_per_batch

    def segment(self, frame: Frame) -> Regions:
        """The masks of everything, largest first; see `Segmenter`."""
        import torch
        from torchvision.ops import nms

        h, w = frame.image.shape[:2]
        with torch.inference_mode():
            kept = list(self._proposals(frame))
            masks = (
                torch.cat([masks for masks, _ in kept]) if kept else torch.zeros(0, h, w, dtype=torch.bool)
            )
            scores = torch.cat([scores for _, scores in kept]) if kept else torch.zeros(0)
            keep = nms(_boxes(masks), scores, _DUPLICATE_BOX_IOU)
            chosen = masks[keep].cpu().numpy().reshape(-1, h, w)
            return regions_of_masks(chosen, scores[keep].cpu().numpy())

    def _proposals(self, frame: Frame) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """By batches: the masks worth keeping, `[n, h, w] bool`, their estimated IoU, `[n] float32`."""
        import torch

        h, w = frame.image.shape[:2]
        inputs = self._processor(images=frame.image, input_data_format="channels_last", return_tensors="pt")
        pixels = inputs["pixel_values"].to(self.device, self._model.dtype)
        # SAM sees the picture scaled and padded, the later ones see it squeezed into the whole square.
        padded = inputs.get("reshaped_input_sizes")
        seen_h, seen_w = pixels.shape[-2:] if padded is None else padded[0].tolist()
        steps = (torch.arange(self._points_per_side, dtype=torch.float32) + 0.5) / self._points_per_side
        y, x = torch.meshgrid(steps * seen_h, steps * seen_w, indexing="ij")
        points = torch.stack([x.flatten(), y.flatten()], dim=1).to(self.device)

        embeddings = self._model.get_image_embeddings(pixels)
        features: dict[str, Any] = {"image_embeddings": embeddings}
        if isinstance(embeddings, tuple):  # SAM-HQ also uses the early layers
            features = {"image_embeddings": embeddings[0], "intermediate_embeddings": embeddings[1]}
        for batch in torch.split(points, self._points_per_batch):
            output = self._model(
                **features,
                input_points=batch[None, :, None, :],
                input_labels=torch.ones(1, len(batch), 1, dtype=torch.int64, device=self.device),
                multimask_output=True,
            )
            scores = output.iou_scores[0].flatten().float()
            sure = scores > self._iou_cutoff
            low = output.pred_masks[0].flatten(0, 1)[sure].float()
            if len(low) == 0:
                continue
            ((logits,),) = self._processor.post_process_masks(
                [low[None]],
                original_sizes=[[h, w]],
                reshaped_input_sizes=None if padded is None else padded.tolist(),
                binarize=False,
            )
            stable = _stability(logits) >= self._stability_cutoff
            yield logits[stable] > 0, scores[sure][stable]


def _stability(logits: torch.Tensor) -> torch.Tensor:
    """IoU of each mask cut a little higher and a little lower, `[n] float32`; 0 for an empty one."""
    inner = (logits > _STABILITY_OFFSET).flatten(1).sum(1)
    outer = (logits > -_STABILITY_OFFSET).flatten(1).sum(1)
    return inner / outer.clamp(min=1)


def _boxes(masks: torch.Tensor) -> torch.Tensor:
    """Tight boxes of `[n, h, w] bool`: `[n, 4] float32`, x0, y0, x1, y1, the last two one past the end."""
    import torch

    def span(line: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # argmax finds the first true one; counted from the other end, the last.
        size = line.shape[1]
        return line.int().argmax(1), size - line.flip(1).int().argmax(1)

    x0, x1 = span(masks.any(1))
    y0, y1 = span(masks.any(2))
    return torch.stack([x0, y0, x1, y1], dim=1).float()
