"""Everything mode: from the answers of a point-prompted network to regions, whichever network it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from som_agent.regions import FloatArray, Regions
from som_kernels import Resize, select_masks, stability_score

__all__ = ["Cutoffs", "Steps", "grid_points", "regions_of_everything"]

Steps = Sequence[tuple[Sequence[int], Sequence[int]]]
"""How a network's maps become as large as the frame; see `som_kernels.Resize.steps`."""


@dataclass(frozen=True)
class Cutoffs:
    """Which candidate masks are kept.

    Attributes:
        score: masks whose IoU the network itself puts at this or lower are left out.
        stability: masks that change more than this with the cutoff of the logits are left out.
    """

    score: float
    stability: float


def grid_points(points_per_side: int, size: tuple[int, int]) -> torch.Tensor:
    """A grid of points in the middles of equal cells, row by row: `[n², 2] float32` as x, y.

    Args:
        points_per_side: n.
        size: height and width of what the network sees of the picture.
    """
    steps = (torch.arange(points_per_side, dtype=torch.float32) + 0.5) / points_per_side
    y, x = torch.meshgrid(steps * size[0], steps * size[1], indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def regions_of_everything(
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]], steps: Steps, cutoffs: Cutoffs
) -> Regions:
    """The masks that the network is sure of, stable ones, no duplicates, largest first.

    Args:
        batches: logits `[n, h, w]` of candidate masks, as small as the network gives them, and its estimates
            of their IoU, `[n]`, of any type; one batch is held at a time, and what may be kept of it.
        steps: how the logits become as large as the frame.
        cutoffs: what is kept.
    """
    kept = []
    for logits, scores in batches:
        sure = (scores > cutoffs.score).nonzero()[:, 0]
        resize = Resize.steps(logits.shape[1:], *steps)
        stability = stability_score(logits.float(), chosen=sure, resize=resize)
        keep = sure[stability >= cutoffs.stability]
        kept.append((logits[keep].float(), scores[keep].float()))
    if not kept:
        return _ordered(np.zeros((0, *steps[-1][1]), bool), np.zeros(0, np.float32))
    logits, scores = (torch.cat(parts) for parts in zip(*kept, strict=True))
    chosen = select_masks(
        logits,
        scores,
        resize=Resize.steps(logits.shape[1:], *steps),
        score_threshold=cutoffs.score,
        stability_threshold=cutoffs.stability,
    )
    return _ordered(chosen.masks.unpack().cpu().numpy(), scores[chosen.indices].cpu().numpy())


def _ordered(masks: npt.NDArray[np.bool_], scores: FloatArray) -> Regions:
    """Regions of masks, largest first, equals by their first pixel in raster order; no empty ones."""
    n, h, w = masks.shape
    flat = masks.reshape(n, h * w)
    areas = flat.sum(axis=1)
    order = np.lexsort((flat.argmax(axis=1), -areas))
    order = order[areas[order] > 0]
    # An estimate is a regression's output: it may leave the range.
    return Regions.from_masks(masks[order], scores=scores[order].clip(0, 1))
