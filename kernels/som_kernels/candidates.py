"""The steps of everything mode: candidates that are good enough, unlike each other, and free of specks.

`select_masks` takes them in one go. Who gets candidates in batches, or from several crops of a picture, takes
them one by one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend
from som_kernels.measure_logits import measure_logits
from som_kernels.pack_masks import PackedMasks
from som_kernels.remove_small_regions import Speck, remove_small_regions
from som_kernels.resize import Resize

__all__ = ["Shortlist", "shortlist", "unlike_boxes", "without_specks"]


class Shortlist(NamedTuple):
    """Candidates that are good enough by themselves.

    Attributes:
        indices: which candidates they are, `[K] int64`.
        stability: their stability scores, `[K] float32`.
        boxes: their tight boxes at the size of the picture, `[K, 4] int32`; see `LogitMeasures.boxes`.
    """

    indices: torch.Tensor
    stability: torch.Tensor
    boxes: torch.Tensor


def shortlist(
    logits: torch.Tensor,
    scores: torch.Tensor,
    *,
    resize: Resize | None = None,
    cutoff: float = 0.0,
    offset: float = 1.0,
    score_threshold: float = 0.88,
    stability_threshold: float = 0.95,
    backend: Backend | None = None,
) -> Shortlist:
    """The candidates that the network is sure of and that are stable, in their order.

    Arguments and errors are those of `select_masks`.
    """
    _check.tensor("logits", logits, torch.float32, "N, H, W")
    _check.tensor("scores", scores, torch.float32, "N")
    _check.same("length", ("logits", "scores"), (len(logits), len(scores)))
    _check.same("device", ("logits", "scores"), (logits.device, scores.device))
    _check.finite("score_threshold", score_threshold)
    _check.between("stability_threshold", stability_threshold, 0, 1)
    sure = (scores > score_threshold).nonzero()[:, 0]
    measures = measure_logits(
        logits, chosen=sure, cutoff=cutoff, offset=offset, resize=resize, backend=backend
    )
    stable = measures.stability >= stability_threshold
    return Shortlist(sure[stable], measures.stability[stable], measures.boxes[stable])


def unlike_boxes(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Non-maximum suppression by boxes as Segment Anything does it.

    Its boxes end on their last pixel, not one past it, so that those of thin masks have no area and never
    overlap.

    Args:
        boxes: `[N, 4] int32` with x1 and y1 one past the last pixel.
        scores: `[N] float32`; of equal scores the earlier box comes first.
        iou_threshold: a box goes when its IoU with a kept one is larger than this.

    Returns:
        Indices of the kept boxes, best score first, `[K] int64`.
    """
    from torchvision.ops import nms

    inclusive = boxes - torch.tensor([0, 0, 1, 1], dtype=torch.int32, device=boxes.device)
    keep: torch.Tensor = nms(inclusive.float(), scores, iou_threshold)
    return keep


def without_specks(
    masks: PackedMasks, min_area: int, *, backend: Backend | None = None
) -> tuple[PackedMasks, torch.Tensor]:
    """Fill the holes of masks and clear their islands, both of fewer pixels than `min_area`.

    Returns:
        The masks after it, and which were left as they were, `[N] bool`.
    """
    untouched = torch.ones(len(masks), dtype=torch.bool, device=masks.device)
    what: Speck
    for what in ("holes", "islands"):
        masks, changed = remove_small_regions(masks, min_area, what, backend=backend)
        untouched &= ~changed
    return masks, untouched
