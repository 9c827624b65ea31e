"""Are marks on their object? Checked pixel by pixel on photos and on made-up dense scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from som_agent.evaluation.photos import photos
from som_agent.marks import MarkStyle, label_of, place, plate_sizes
from som_agent.marks.placement import plate_box
from som_agent.regions import IntArray

__all__ = ["Placed", "placement_scores"]

SIDES = (336, 768, 1280)
DENSE = 200
_AS_ONE = 0.25  # labels side by side that are nearer than this, in label heights, could read as one number


@dataclass(frozen=True)
class Placed:
    """Marks of several pictures of one kind.

    Attributes:
        pictures: what they are.
        long_px: their long side.
        marks: how many have a visible pixel.
        fit: how many have room for the smallest label on their own visible region.
        fit_on_own: share of those whose label is all on their own region.
        beside: how many have their label beside them.
        left_out: how many have none.
        overlaps: pairs of labels that overlap.
        read_as_one: pairs side by side without a gap.
    """

    pictures: str
    long_px: int
    marks: int
    fit: int
    fit_on_own: float
    beside: int
    left_out: int
    overlaps: int
    read_as_one: int


def placement_scores(folder: Path) -> list[Placed]:
    """The photos of a folder and made-up dense scenes, each at several sizes.

    Raises:
        InputError: no photos with masks.
    """
    pictures = photos(folder)
    scores = []
    for long_px in SIDES:
        scores.append(_score("photos", long_px, (photo.at(long_px).labels for photo in pictures)))
        scores.append(_score(f"{DENSE} regions", long_px, dense_scenes(long_px)))
    return scores


def dense_scenes(long_px: int, count: int = 4) -> Iterator[IntArray]:
    """Made-up scenes of 200 regions: cells round random points, a fifth of them ground."""
    h, w = long_px * 9 // 16, long_px
    for seed in range(count):
        rng = np.random.default_rng(seed)
        points = (rng.uniform(0, 1, (DENSE * 5 // 4, 2)) * (w, h)).astype(np.int64)
        seeds = np.full((h, w), 255, np.uint8)
        seeds[points[:, 1], points[:, 0]] = 0
        _, nearest = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        yield np.where(nearest <= DENSE, nearest, 0).astype(np.int32)


def _score(name: str, long_px: int, label_maps: Iterator[IntArray]) -> Placed:
    style = MarkStyle()
    marks = fit = own = beside = left_out = overlaps = as_one = 0
    for labels in label_maps:
        h, w = labels.shape
        n = int(labels.max())
        sizes = plate_sizes([label_of(k + 1) for k in range(n)], style, (w, h))
        placement = place(labels, sizes)
        plates = []
        for k in range(n):
            region = labels == k + 1
            if not region.any():
                continue
            marks += 1
            holds = _can_hold(region, sizes[k, -1])
            fit += holds
            if not np.isfinite(placement.centers[k]).all():
                left_out += 1
                continue
            x0, y0, x1, y1 = box = plate_box(placement.centers[k], sizes[k, placement.choices[k]])
            plates.append(box)
            inside = bool(region[max(y0, 0) : y1, max(x0, 0) : x1].all()) and min(x0, y0) >= 0
            own += holds and inside
            beside += not inside
        for a, b in combinations(plates, 2):
            rows = a[1] < b[3] and b[1] < a[3]
            gap = max(b[0] - a[2], a[0] - b[2])
            overlaps += rows and gap < 0
            as_one += rows and 0 <= gap < _AS_ONE * min(a[3] - a[1], b[3] - b[1])
    return Placed(name, long_px, marks, fit, own / max(fit, 1), beside, left_out, overlaps, as_one)


def _can_hold(region: np.ndarray, size: np.ndarray) -> bool:
    """Whether a label fits somewhere: tried at every position, by counting pixels."""
    w, h = (int(v) for v in size)
    ys, xs = np.nonzero(region)
    crop = region[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    if crop.shape[0] < h or crop.shape[1] < w:
        return False
    total = np.pad(crop.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    count = total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w]
    return bool((count == w * h).any())
