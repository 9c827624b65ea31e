"""What class queries mean: instances, a panoptic map, or a map of classes.

Networks of the family of MaskFormer (arXiv 2107.06278) answer a picture with a fixed number of queries, each
a row of class scores and a small map of mask logits. How scores come of the network's logits is the network's
own matter; the three readings of them are here, once for all. Maps become as large as the frame a band of
rows at a time, so memory does not grow with queries × pixels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import interpolate

from som_agent.regions import IntArray, Regions
from som_kernels import Resize
from som_kernels.resize import Taps

__all__ = [
    "Instances",
    "Panoptic",
    "Segment",
    "best_class",
    "class_maps",
    "class_regions",
    "enlarge",
    "instances",
    "largest_first",
    "merge_panoptic",
]

Size = tuple[int, int]

_BAND_VALUES = 1 << 23  # of resized logits at a time: 32 MB


@dataclass(frozen=True)
class Instances:
    """`N` instances, best class score first.

    Attributes:
        queries: the query of each, `[N] int64`; one query may answer for several classes.
        classes: `[N] int64`.
        scores: class score times mean mask score, `[N] float32`.
        masks: `[N, h, w] bool`; some may be empty.
    """

    queries: torch.Tensor
    classes: torch.Tensor
    scores: torch.Tensor
    masks: torch.Tensor

    def select(self, indices: torch.Tensor) -> Instances:
        """The instances of `indices`, in that order."""
        return Instances(*(part[indices] for part in (self.queries, self.classes, self.scores, self.masks)))


@dataclass(frozen=True)
class Segment:
    """A segment of a panoptic map.

    Attributes:
        id: its number in the map, from 1.
        category: its class.
        is_thing: whether it is one countable thing; all stuff of a class is one segment.
        query: the place of its first query among those that were given.
        score: the class score of that query.
    """

    id: int
    category: int
    is_thing: bool
    query: int
    score: float


@dataclass(frozen=True)
class Panoptic:
    """A picture cut into segments.

    Attributes:
        labels: `[h, w] int32`, the segment of each pixel, 0 for none.
        segments: in the order of their numbers.
    """

    labels: IntArray
    segments: tuple[Segment, ...]


def enlarge(
    source: Size, padded: Size, inner: Size, size: Size, *, last: Literal["bilinear", "bicubic"] = "bilinear"
) -> Resize:
    """How a network's maps become as large as the frame.

    Sizes are heights and widths: of the maps; of what the network saw; of the picture's part of it, in the
    top left corner; of the frame. The first resizing is bilinear, the last as `last` says; a bicubic one is
    smoothed where it makes maps smaller, as SEEM's.
    """
    if last == "bilinear":
        return Resize.steps(source, (padded, inner), (size, size))
    axes = [
        _matrix(inner[i], size[i], last) @ _matrix(source[i], padded[i], "bilinear")[: inner[i]]
        for i in range(2)
    ]
    rows, columns = (Taps.of_matrix(axis.numpy()) for axis in axes)
    return Resize(source, size, rows, columns)


def _matrix(source: int, size: int, mode: str) -> torch.Tensor:
    """What torch's resizing along one axis multiplies with, `[size, source] float64`."""
    smoothed = mode == "bicubic"
    identity = torch.eye(source, dtype=torch.float64)[None, None]
    return interpolate(identity, (size, source), mode=mode, align_corners=False, antialias=smoothed)[0, 0]


def instances(
    scores: torch.Tensor,
    logits: torch.Tensor,
    resize: Resize,
    *,
    count: int = 100,
    things: Collection[int] | None = None,
) -> Instances:
    """The best pairs of a query and a class, scored once more by how sure the mask's pixels are.

    Args:
        scores: `[Q, C] float32`, 0 to 1, without a column for "nothing".
        logits: `[Q, h, w]` of the masks, as small as the network gives them.
        resize: how they become as large as the frame, see `enlarge`.
        count: how many pairs to take; fewer where there are fewer.
        things: classes that may be instances; pairs of others are dropped after the best were taken. None
            drops none.
    """
    best, pairs = scores.flatten().topk(min(count, scores.numel()))
    queries, classes = pairs // scores.shape[1], pairs % scores.shape[1]
    if things is not None:
        kept = torch.isin(classes, _classes(things, classes.device))
        best, queries, classes = best[kept], queries[kept], classes[kept]
    chosen, back = torch.unique(queries, return_inverse=True)
    (h, w), n = resize.size, len(chosen)
    masks = torch.zeros(n, h, w, dtype=torch.bool, device=logits.device)
    total, pixels = (torch.zeros(n, dtype=torch.float64, device=logits.device) for _ in range(2))
    for rows, band in _bands(logits[chosen], resize):
        inside = masks[:, rows] = band > 0
        total += (band.sigmoid() * inside).sum(dim=(1, 2), dtype=torch.float64)
        pixels += inside.sum(dim=(1, 2))
    sure = (total / (pixels + 1e-6)).to(best.dtype)
    return Instances(queries, classes, best * sure[back], masks[back])


def merge_panoptic(
    scores: torch.Tensor,
    classes: torch.Tensor,
    logits: torch.Tensor,
    resize: Resize,
    *,
    things: Collection[int],
    overlap: float = 0.8,
) -> Panoptic:
    """Cut the picture among the queries that were kept, in their order.

    Every pixel goes to the query with the largest class score × mask score. A query that is left with less
    than `overlap` of its own mask is dropped, and what it had belongs to nothing; so does a pixel that its
    owner's mask does not hold.

    Args:
        scores: class scores of the queries, `[K] float32`.
        classes: their classes, `[K] int64`.
        logits: `[K, h, w]` of their masks.
        resize: as for `instances`.
        things: the classes of which each query is a segment; queries of any other class become one segment.
        overlap: the share of its mask that a query must keep.
    """
    (h, w), k = resize.size, len(scores)
    if not k:
        return Panoptic(np.zeros((h, w), np.int32), ())
    owner = torch.zeros(h, w, dtype=torch.int64, device=logits.device)
    held = torch.zeros(h, w, dtype=torch.bool, device=logits.device)
    whole = torch.zeros(k, dtype=torch.int64, device=logits.device)
    for rows, band in _bands(logits, resize):
        sure = band.sigmoid()
        owner[rows] = (scores[:, None, None] * sure).argmax(dim=0)
        inside = sure >= 0.5
        held[rows] = inside.gather(0, owner[rows][None])[0]
        whole += inside.sum(dim=(1, 2))
    owned = owner.flatten().bincount(minlength=k).tolist()
    kept = owner[held].bincount(minlength=k).tolist()
    number = [0] * k
    segments: list[Segment] = []
    stuff: dict[int, int] = {}
    for i, (category, score, own) in enumerate(
        zip(classes.tolist(), scores.tolist(), whole.tolist(), strict=True)
    ):
        if not kept[i] or owned[i] / own < overlap:
            continue
        if category in stuff:
            number[i] = stuff[category]
            continue
        number[i] = len(segments) + 1
        segments.append(Segment(number[i], category, category in things, i, score))
        if category not in things:
            stuff[category] = number[i]
    labels = torch.tensor(number, dtype=torch.int32, device=owner.device)[owner] * held
    return Panoptic(labels.cpu().numpy(), tuple(segments))


def class_maps(scores: torch.Tensor, logits: torch.Tensor, resize: Resize) -> torch.Tensor:
    """How much each pixel is of each class, `[C, H, W] float32`; sums over queries may pass 1.

    Args:
        scores: `[Q, C] float32`, without a column for "nothing".
        logits: `[Q, h, w]` of the masks.
        resize: as for `instances`.
    """
    bands = (torch.einsum("qc,qhw->chw", scores, band.sigmoid()) for _, band in _bands(logits, resize))
    return torch.cat(list(bands), dim=1)


def best_class(
    scores: torch.Tensor, logits: torch.Tensor, resize: Resize
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The class that each pixel is most of and its share of all classes there, two arrays `[H, W]`.

    Arguments are those of `class_maps`, whose result is never held as a whole.
    """
    labels, shares = [], []
    for _, band in _bands(logits, resize):
        maps = torch.einsum("qc,qhw->chw", scores, band.sigmoid())
        most, label = maps.max(dim=0)
        labels.append(label)
        shares.append(most / maps.sum(dim=0).clamp(min=1e-12))
    return torch.cat(labels).cpu().numpy(), torch.cat(shares).float().cpu().numpy()


def class_regions(
    labels: npt.NDArray[np.int64],
    shares: npt.NDArray[np.float32],
    *,
    parts: bool = False,
    least_share: float = 0.0,
) -> tuple[Regions, list[int]]:
    """A region for each class of a map, and their classes.

    Args:
        labels: the class of each pixel, `[h, w]`.
        shares: how sure that is, `[h, w]`, 0 to 1; a region's score is their mean.
        parts: whether each connected part of a class that lies in several is a region too, at level 1.
        least_share: regions below this share of the picture are left out.
    """
    import cv2

    least, masks = least_share * labels.size, np.zeros((0, *labels.shape), bool)
    classes: list[int] = []
    levels: list[int] = []
    for category in np.unique(labels).tolist():
        whole = labels == category
        found = [whole]
        if parts:
            count, pieces = cv2.connectedComponents(whole.astype(np.uint8), connectivity=8)
            found += [pieces == k for k in range(1, count)] if count > 2 else []
        large = [i for i, mask in enumerate(found) if mask.sum() >= least]
        masks = np.concatenate([masks, *(found[i][None] for i in large)])
        levels += [min(i, 1) for i in large]
        classes += [category] * len(large)
    scores = np.array([shares[mask].mean() for mask in masks], np.float32).clip(0, 1)
    return Regions.from_masks(masks, scores=scores, levels=np.array(levels, np.int32)), classes


def largest_first(regions: Regions) -> tuple[Regions, npt.NDArray[np.int64]]:
    """The regions in the order that all segmenters give them, and where each of them was.

    Largest first; equals by their first pixel in raster order, and then as they were.
    """
    atoms, first = np.unique(regions.atoms, return_index=True)
    start = np.full(regions.members.shape[1], regions.atoms.size, np.int64)
    start[atoms] = first
    starts = np.where(regions.members, start, regions.atoms.size).min(axis=1, initial=regions.atoms.size)
    order = np.lexsort((starts, -regions.areas))
    return regions.select(order), order


def _classes(classes: Collection[int], device: torch.device) -> torch.Tensor:
    return torch.tensor(sorted(classes), dtype=torch.int64, device=device)


def _bands(logits: torch.Tensor, resize: Resize) -> Iterator[tuple[slice, torch.Tensor]]:
    """The logits at the size of the frame, a band of rows at a time: the rows and `[Q, rows, W] float32`."""
    resize = resize.to(logits.device)
    h, w = resize.size
    height = max(1, _BAND_VALUES // max(1, len(logits) * w))
    for top in range(0, h, height):
        rows = slice(top, min(top + height, h))
        taps = Taps(resize.rows.start[rows], resize.rows.weights[rows])
        yield rows, _along(_along(logits.float(), taps, 1), resize.columns, 2)


def _along(maps: torch.Tensor, taps: Taps, axis: int) -> torch.Tensor:
    """Maps resized along one axis."""
    shape = (-1, 1) if axis == 1 else (1, -1)
    total = torch.zeros((), device=maps.device)
    for k, weight in enumerate(taps.weights.unbind(1)):
        total = total + maps.index_select(axis, taps.start + k) * weight.view(shape)
    return total
