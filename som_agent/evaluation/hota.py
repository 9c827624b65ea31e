"""HOTA: how well objects are detected and how well they keep their numbers, in equal parts.

Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021
(arXiv 2009.07736). Here the overlap of two masks is what the paper calls their similarity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from som_agent.evaluation.pairs import Numbers, Pairs

__all__ = ["ALPHAS", "Hota", "hota"]

ALPHAS = np.arange(1, 20) / 20
"""Overlaps from which a mark counts as lying on an object: 0.05, 0.10, … 0.95."""

_Floats = npt.NDArray[np.float64]
_EPSILON = np.finfo(float).eps


@dataclass(frozen=True)
class Hota:
    """The counts that HOTA is made of, one for each of `ALPHAS`, `[19] float64`; those of videos add up.

    Attributes:
        matched: sights of an object with a mark on it (TP).
        missed: sights of an object without (FN).
        extra: sights of a mark on no object (FP).
        kept: sum over the matched sights of the share of the sights of their object, their mark, or both, in
            which just these two are matched: 1 for each where every object keeps a number of its own.
    """

    matched: _Floats
    missed: _Floats
    extra: _Floats
    kept: _Floats

    def __add__(self, other: Hota) -> Hota:
        return Hota(
            self.matched + other.matched,
            self.missed + other.missed,
            self.extra + other.extra,
            self.kept + other.kept,
        )

    @property
    def det_a(self) -> float:
        """Detection accuracy, mean over the alphas."""
        return float(self._det_a.mean())

    @property
    def ass_a(self) -> float:
        """Association accuracy, mean over the alphas."""
        return float(self._ass_a.mean())

    @property
    def hota(self) -> float:
        """Geometric mean of both, mean over the alphas."""
        return float(np.sqrt(self._det_a * self._ass_a).mean())

    @property
    def owta(self) -> float:
        """HOTA that forgives marks on what is not annotated: the recall takes the place of the accuracy.

        Open-world tracking accuracy: Liu et al., "Opening up Open World Tracking", CVPR 2022
        (arXiv 2104.11221).
        """
        recall = self.matched / np.maximum(self.matched + self.missed, 1)
        return float(np.sqrt(recall * self._ass_a).mean())

    @property
    def _det_a(self) -> _Floats:
        return self.matched / np.maximum(self.matched + self.missed + self.extra, 1)

    @property
    def _ass_a(self) -> _Floats:
        return self.kept / np.maximum(self.matched, 1)


def hota(frames: Sequence[Pairs]) -> Hota:
    """HOTA of one video.

    Each frame is matched once, for all alphas, so that pairs which fit over the whole video are preferred.
    """
    from scipy.optimize import linear_sum_assignment

    objects = np.unique(np.concatenate([[], *(frame.objects for frame in frames)])).astype(np.int64)
    marks = np.unique(np.concatenate([[], *(frame.marks for frame in frames)])).astype(np.int64)
    placed = [
        (np.searchsorted(objects, frame.objects), np.searchsorted(marks, frame.marks), frame.ious)
        for frame in frames
    ]
    fits = _fits(placed, len(objects), len(marks))
    sights = _sights([rows for rows, _, _ in placed], len(objects))
    mark_sights = _sights([columns for _, columns, _ in placed], len(marks))
    either = sights[:, None] + mark_sights  # of each pair
    alike = fits / np.maximum(either - fits, 1)
    together = np.zeros((len(ALPHAS), len(objects), len(marks)))
    for rows, columns, ious in placed:
        i, j = linear_sum_assignment(alike[np.ix_(rows, columns)] * ious, maximize=True)
        reached = ious[i, j] >= ALPHAS[:, None] - _EPSILON
        together[:, rows[i], columns[j]] += reached
    matched = together.sum(axis=(1, 2))
    return Hota(
        matched=matched,
        missed=sights.sum() - matched,
        extra=mark_sights.sum() - matched,
        kept=(together**2 / np.maximum(either - together, 1)).sum(axis=(1, 2)),
    )


def _fits(placed: Sequence[tuple[Numbers, Numbers, _Floats]], n: int, m: int) -> _Floats:
    """Frames in which an object and a mark may be a pair, `[N, M]`: less where others overlap them too."""
    fits = np.zeros((n, m))
    for rows, columns, ious in placed:
        rivals = ious.sum(axis=0) + ious.sum(axis=1, keepdims=True) - ious
        fits[np.ix_(rows, columns)] += np.divide(
            ious, rivals, out=np.zeros_like(ious), where=rivals > _EPSILON
        )
    return fits


def _sights(seen: Sequence[Numbers], count: int) -> _Floats:
    """Frames in which each of `count` things shows."""
    sights = np.zeros(count)
    for rows in seen:
        sights[rows] += 1
    return sights
