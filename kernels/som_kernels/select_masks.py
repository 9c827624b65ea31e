"""Everything mode: from a network's candidate masks to the few that are kept."""

from __future__ import annotations

from typing import NamedTuple

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend
from som_kernels.candidates import shortlist, unlike_boxes, without_specks
from som_kernels.pack_masks import PackedMasks
from som_kernels.resize import Resize
from som_kernels.threshold_logits import threshold_logits

__all__ = ["SelectedMasks", "select_masks"]


class SelectedMasks(NamedTuple):
    """What is left of the candidates.

    Attributes:
        masks: `K` masks of the size of the picture.
        indices: which candidates they are, `[K] int64`.
        stability: their stability scores, `[K] float32`.
    """

    masks: PackedMasks
    indices: torch.Tensor
    stability: torch.Tensor


def select_masks(
    logits: torch.Tensor,
    scores: torch.Tensor,
    *,
    resize: Resize | None = None,
    cutoff: float = 0.0,
    offset: float = 1.0,
    score_threshold: float = 0.88,
    stability_threshold: float = 0.95,
    box_iou_threshold: float = 0.7,
    min_area: int = 0,
    backend: Backend | None = None,
) -> SelectedMasks:
    """Keep the candidates that the network is sure of, that are stable, and that are unlike better ones.

    The steps and their order are those of `segment_anything.SamAutomaticMaskGenerator` with one crop, and it
    keeps the same masks. But candidates are measured as they will be at the size of the picture without
    being resized, and only those that are left become masks.

    Args:
        logits: `[N, h, w] float32`, no NaN.
        scores: the network's own estimate of each mask's IoU, `[N] float32`, on the same device;
            NaN is not above any threshold.
        resize: from the maps' size to the picture's; None leaves the maps as they are.
        cutoff: a pixel belongs to the mask where its logit is larger.
        offset: how far the cutoff moves up and down for the stability score.
        score_threshold: candidates of this score or less go.
        stability_threshold: candidates of a lower stability go.
        box_iou_threshold: of two whose boxes have a larger IoU the one with the lower score goes.
        min_area: holes and islands of fewer pixels are filled and cleared; then boxes are compared once
            more, masks that changed giving way to those that did not. 0 leaves the masks as they are.
        backend: force an implementation; None chooses by device.

    Raises:
        TypeError: tensors not of float32, or a threshold that is no number.
        ValueError: other shapes, two devices, a resizing for another size, or a threshold out of its range.
    """
    _check.between("box_iou_threshold", box_iou_threshold, 0, 1)
    min_area = _check.count("min_area", min_area)
    indices, stability, boxes = shortlist(
        logits,
        scores,
        resize=resize,
        cutoff=cutoff,
        offset=offset,
        score_threshold=score_threshold,
        stability_threshold=stability_threshold,
        backend=backend,
    )
    keep = unlike_boxes(boxes, scores[indices], box_iou_threshold)
    indices, stability = indices[keep], stability[keep]
    masks = threshold_logits(logits, chosen=indices, cutoff=cutoff, resize=resize, backend=backend)
    if min_area:
        masks, untouched = without_specks(masks, min_area, backend=backend)
        keep = unlike_boxes(masks.boxes, untouched.float(), box_iou_threshold)
        masks, indices, stability = masks[keep], indices[keep], stability[keep]
    return SelectedMasks(masks, indices, stability)
