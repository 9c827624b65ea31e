"""Everything mode: from the answers of a point-prompted network to regions, whichever network it is.

By default it keeps the masks that `segment_anything.SamAutomaticMaskGenerator` (arXiv 2304.02643) keeps.
Candidates are measured as they will be at the size of the picture without being resized, what boxes tell is
told before there are masks, and only the masks that stay are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from som_agent.regions import FloatArray, Regions
from som_agent.segmenters.crops import Box, is_near_cut
from som_agent.segmenters.rules import Everything, SuppressBy
from som_kernels import PackedMasks, Resize, mask_nms, pack_masks, threshold_logits
from som_kernels.candidates import shortlist, unlike_boxes, without_specks

__all__ = ["Batch", "Everything", "Steps", "View", "regions_of_everything", "regions_of_views"]

Steps = Sequence[tuple[Sequence[int], Sequence[int]]]
"""How a network's maps become as large as what it looked at; see `som_kernels.Resize.steps`."""

Batch = tuple[torch.Tensor, torch.Tensor] | tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Logits of candidate masks, the network's estimates of their IoU, and their levels where it has some."""

_LOWEST = -1e38  # below what any network says


class View(NamedTuple):
    """What a network answered when it looked at a part of a picture.

    Attributes:
        box: x0, y0, x1, y1 of the part, in pixels of the picture.
        batches: see `regions_of_everything`.
        steps: how the logits become as large as the part.
    """

    box: Box
    batches: Iterable[Batch]
    steps: Steps


class _Kept(NamedTuple):
    """Masks of the size of the picture, the network's scores of them, `[K] float32`, and their levels."""

    masks: PackedMasks
    scores: torch.Tensor
    levels: torch.Tensor

    def only(self, chosen: torch.Tensor) -> _Kept:
        return _Kept(self.masks[chosen], self.scores[chosen], self.levels[chosen])


def regions_of_everything(batches: Iterable[Batch], steps: Steps, rules: Everything | None = None) -> Regions:
    """The masks that the network is sure of, stable ones, no duplicates, largest first.

    Args:
        batches: logits `[n, h, w]` of candidate masks, as small as the network gives them, and its estimates
            of their IoU, `[n]`, of any float type, and, where it has some, their levels, `[n]`, 0 the
            coarsest; one batch is held at a time, and what may be kept of it.
        steps: how the logits become as large as the frame.
        rules: what is kept; None takes the defaults.
    """
    h, w = steps[-1][1]
    return regions_of_views([View((0, 0, w, h), batches, steps)], (h, w), rules)


def regions_of_views(
    views: Iterable[View], size: tuple[int, int], rules: Everything | None = None
) -> Regions:
    """The same, of a network that looked at the picture and at crops of it.

    Args:
        views: what it saw each time, the whole picture first; one is held at a time.
        size: height and width of the picture.
        rules: what is kept; None takes the defaults.
    """
    rules = Everything() if rules is None else rules
    parts, sources = [], []
    for view in views:
        x0, y0, x1, y1 = view.box
        part = _of_view(view, size, rules)
        if part is not None:
            parts.append(part)
            sources.append(torch.full_like(part.scores, 1 / ((x1 - x0) * (y1 - y0))))
    if not parts:
        return _ordered(np.zeros((0, *size), bool), np.zeros(0, np.float32), np.zeros(0, np.int32))
    kept = parts[0]
    if len(parts) > 1:
        scores, levels = (torch.cat([part[k] for part in parts]) for k in (1, 2))
        kept = _Kept(_joined([part.masks for part in parts]), scores, levels)
        # What a smaller crop shows in more detail goes before what a larger one shows of the same.
        kept = kept.only(_unlike(kept.masks, torch.cat(sources), rules.crop_nms_thresh, rules.suppress_by))
    if rules.min_mask_region_area:
        masks, untouched = without_specks(kept.masks, rules.min_mask_region_area)
        threshold = max(rules.box_nms_thresh, rules.crop_nms_thresh)
        keep = _unlike(masks, untouched.float(), threshold, rules.suppress_by)
        kept = kept._replace(masks=masks).only(keep)
    return _ordered(*(part.cpu().numpy() for part in (kept.masks.unpack(), kept.scores, kept.levels)))


def _of_view(view: View, size: tuple[int, int], rules: Everything) -> _Kept | None:
    """What stays of the candidates of one view, best score first; None where there were none at all."""
    found: list[tuple[torch.Tensor, ...]] = []
    resize = None
    for logits, estimates, *tags in view.batches:
        scores = estimates.float()
        resize = Resize.steps(logits.shape[1:], *view.steps).to(logits.device) if resize is None else resize
        good = shortlist(
            logits.float(),
            scores,
            resize=resize,
            offset=rules.stability_score_offset,
            # As in the original, a threshold of 0 is none.
            score_threshold=rules.pred_iou_thresh if rules.pred_iou_thresh > 0 else _LOWEST,
            stability_threshold=rules.stability_score_thresh,
        )
        whole = ~is_near_cut(good.boxes, view.box, size)
        chosen = good.indices[whole]
        levels = tags[0][chosen] if tags else torch.zeros_like(chosen)
        found.append((logits[chosen], scores[chosen], good.boxes[whole], levels))
    if not found:
        return None
    scores, boxes, levels = (torch.cat([batch[k] for batch in found]) for k in (1, 2, 3))
    if rules.suppress_by == "boxes":
        keep = unlike_boxes(boxes, scores, rules.box_nms_thresh)
    else:
        keep = torch.arange(len(scores), device=scores.device)
    # Batches are not joined before most of what they hold is gone.
    stays = torch.zeros(len(scores), dtype=torch.bool, device=scores.device)
    stays[keep] = True
    lengths = [len(batch[0]) for batch in found]
    maps = [batch[0][stay] for batch, stay in zip(found, torch.split(stays, lengths), strict=True)]
    rank = torch.searchsorted(keep.sort().values, keep)
    masks = threshold_logits(torch.cat(maps).float(), chosen=rank, resize=resize)
    kept = _Kept(_placed(masks, view.box, size), scores[keep], levels[keep])
    if rules.suppress_by == "masks":
        kept = kept.only(mask_nms(kept.masks, kept.scores, rules.box_nms_thresh))
    return kept


def _unlike(masks: PackedMasks, scores: torch.Tensor, threshold: float, by: SuppressBy) -> torch.Tensor:
    if by == "masks":
        return mask_nms(masks, scores, threshold)
    return unlike_boxes(masks.boxes, scores, threshold)


def _placed(masks: PackedMasks, box: Box, size: tuple[int, int]) -> PackedMasks:
    """Masks of a part of the picture as masks of the picture."""
    x0, y0, x1, y1 = box
    if (y1 - y0, x1 - x0) == size:
        return masks
    placed = torch.zeros(len(masks), *size, dtype=torch.bool, device=masks.device)
    placed[:, y0:y1, x0:x1] = masks.unpack()
    return pack_masks(placed)


def _joined(parts: Sequence[PackedMasks]) -> PackedMasks:
    words, boxes, areas = (
        torch.cat([getattr(part, name) for part in parts]) for name in ("words", "boxes", "areas")
    )
    return PackedMasks(words, boxes, areas, parts[0].width)


def _ordered(masks: npt.NDArray[np.bool_], scores: FloatArray, levels: npt.NDArray[Any]) -> Regions:
    """Regions of masks, largest first, equals by their first pixel in raster order; no empty ones."""
    n, h, w = masks.shape
    flat = masks.reshape(n, h * w)
    areas = flat.sum(axis=1)
    order = np.lexsort((flat.argmax(axis=1), -areas))
    order = order[areas[order] > 0]
    # An estimate is a regression's output: it may leave the range.
    return Regions.from_masks(
        masks[order], scores=scores[order].clip(0, 1), levels=levels[order].astype(np.int32)
    )
