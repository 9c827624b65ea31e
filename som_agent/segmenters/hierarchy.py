"""The embedded segmenter: a hierarchy of regions over colour gradients. It needs no weights.

Three steps, each merging what the one before it left:

1. a watershed of the colour gradient cuts the picture into small basins (Meyer 1994, through OpenCV);
2. Ward linkage on their mean colours, which weighs each merge by size, leaves a few hundred atoms;
3. average linkage over the strength of the boundaries between them (the idea of ultrametric contour
   maps, Arbeláez et al. 2011, through Higra) builds the tree from which the regions are cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.appearance import surface_colors
from som_agent.errors import SegmenterError
from som_agent.regions import BoolArray, FloatArray, IntArray, Regions
from som_agent.segmenters.best_region import best_region
from som_agent.segmenters.granularity import checked, finer
from som_agent.segmenters.prompts import Prompt
from som_agent.video.frame import Frame

__all__ = ["HierarchySegmenter"]

ATOMS = 160
"""Leaves of the tree."""
REGIONS = 32
"""The proposed cut has at most so many regions, before the smallest are left out."""
BLUR_PX = 1.5
BASIN_PX = 7
"""Side of the window in which a basin's floor is the lowest point of the gradient."""
LEAST_CONTRAST = 24.0
"""A boundary weaker than this (difference in colour × fourth root of the smaller area) divides nothing."""
SMALLEST_SHARE = 0.0015
"""Regions below this share of the picture are alternatives at most, never proposed."""


@dataclass(frozen=True)
class _Edges:
    """A region adjacency graph: `[E]` arrays; each boundary between two regions is one edge."""

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    strength: npt.NDArray[np.float64]
    length: npt.NDArray[np.float64]

    @classmethod
    def gather(cls, a: npt.NDArray[Any], b: npt.NDArray[Any], strength: Any, length: Any) -> _Edges:
        """Join the parallel edges: lengths add up, strengths are averaged over the length."""
        n = int(max(a.max(initial=0), b.max(initial=0))) + 1
        code = np.minimum(a, b).astype(np.int64) * n + np.maximum(a, b)
        unique, inverse = np.unique(code, return_inverse=True)
        total = np.bincount(inverse, weights=length, minlength=len(unique)).astype(np.float64)
        mean = np.bincount(inverse, weights=strength * length, minlength=len(unique)) / total
        return cls(unique // n, unique % n, mean, total)


@dataclass(frozen=True)
class _Cut:
    """What is proposed: the most regions, the weakest border that divides, the smallest share of a region."""

    regions: int
    least_contrast: float = LEAST_CONTRAST
    smallest_share: float = SMALLEST_SHARE

    @classmethod
    def of(cls, granularity: float) -> _Cut:
        """A quarter of the regions at 0, four times as many at 1, and thresholds to match."""
        factor = finer(granularity, 4)
        return cls(round(REGIONS * factor), LEAST_CONTRAST / factor, SMALLEST_SHARE / factor)


class HierarchySegmenter:
    """Frame → the tree of regions, a cut of at most `regions` of them proposed.

    The rest of the tree comes along as alternatives (`Regions.proposed` is false), so that a tracker
    can follow an object whose outline another level of the tree draws better in this frame.

    Args:
        regions: how many regions the proposed cut has at most, before the smallest are left out. Raising it
            splits objects into their parts, lowering it joins neighbours of similar colour.
        granularity: 0 (coarse) to 1 (fine) sets the number of regions, instead of `regions`, and how weak a
            border and how small a region may be. 0.5 is as without it.

    Raises:
        SegmenterError: less than one region.
        InputError: a granularity that is not from 0 to 1.
    """

    name = "hierarchy"

    def __init__(self, regions: int = REGIONS, *, granularity: float | None = None) -> None:
        if regions < 1:
            raise SegmenterError(f"hierarchy: regions must be at least 1, got {regions}")
        dial = checked(granularity)
        self._cut = _Cut(regions) if dial is None else _Cut.of(dial)
        self._looked: tuple[Frame, Regions] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_looked": None}  # a copy in another process sees other frames

    def segment(self, frame: Frame) -> Regions:
        """Segment one frame; see `Segmenter.segment`. A picture of one colour gives one region."""
        try:
            import higra
        except ImportError as error:
            raise SegmenterError(
                "the hierarchy segmenter needs Higra, which has no package for this platform: "
                "build it from source, or use --segmenter labels:DIR, sam:CHECKPOINT or hf:DIR"
            ) from error
        basins, surface, gradient = _basins(frame.image)
        count = int(basins.max()) + 1
        if count == 1:
            return Regions.from_labels(basins + 1)
        areas = np.bincount(basins.ravel(), minlength=count).astype(np.float64)
        colors = _mean_colors(basins, surface, areas)
        edges = _pixel_edges(basins, gradient)

        graph = _graph(higra, count, edges)
        tree = _Tree.build(count, *higra.binary_partition_tree_ward_linkage(graph, colors, areas))
        atom_of = tree.labels(tree.cut(ATOMS))

        # The atoms' graph follows from the basins' one: no second pass over the pixels.
        count = int(atom_of.max()) + 1
        atoms = atom_of[basins]
        if count == 1:
            return Regions.from_labels(atoms + 1)
        inner = atom_of[edges.source] != atom_of[edges.target]
        edges = _Edges.gather(
            atom_of[edges.source[inner]],
            atom_of[edges.target[inner]],
            edges.strength[inner],
            edges.length[inner],
        )
        weighted = np.bincount(atom_of, weights=areas, minlength=count)
        colors = np.stack(
            [np.bincount(atom_of, weights=colors[:, c] * areas, minlength=count) for c in range(3)], axis=1
        )
        colors /= weighted[:, None]
        contrast = np.linalg.norm(colors[edges.source] - colors[edges.target], axis=1)
        # The fourth root of the smaller side's area: specks join their surroundings first.
        smaller = np.minimum(weighted[edges.source], weighted[edges.target]) ** 0.25
        graph = _graph(higra, count, edges)
        strength = (edges.strength + 0.5 * contrast) * smaller
        linkage = higra.binary_partition_tree_average_linkage(graph, strength, edges.length)
        return _tree_regions(atoms, _Tree.build(count, *linkage), self._cut)

    def prompted(self, frame: Frame, prompt: Prompt) -> BoolArray:
        """The region of any level that a prompt points at; see `Prompted.prompted` and `best_region`."""
        prompt.check(frame)
        if self._looked is None or self._looked[0] is not frame:
            self._looked = frame, self.segment(frame)
        return best_region(self._looked[1], prompt)


def _basins(image: npt.NDArray[np.uint8]) -> tuple[IntArray, FloatArray, FloatArray]:
    """Watershed basins `[h, w] int32` from 0, surface colours of the smoothed picture, and their gradient."""
    smooth = cv2.GaussianBlur(image, (0, 0), BLUR_PX)
    surface = surface_colors(np.asarray(smooth, np.uint8))
    dx = cv2.Sobel(surface, cv2.CV_32F, 1, 0, scale=1 / 8)
    dy = cv2.Sobel(surface, cv2.CV_32F, 0, 1, scale=1 / 8)
    gradient: FloatArray = np.sqrt(cv2.transform(dx * dx + dy * dy, np.ones((1, 3), np.float32)))
    floor = gradient <= cv2.erode(gradient, np.ones((BASIN_PX, BASIN_PX), np.uint8))
    _, seeds = cv2.connectedComponents(floor.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    basins = np.ascontiguousarray(seeds, np.int32)
    cv2.watershed(smooth, basins)
    _close_seams(basins, surface)
    return _compact(basins), surface, gradient


def _close_seams(labels: IntArray, surface: FloatArray) -> None:
    """Give each pixel of the watershed's seams (labels < 1) to the neighbour nearest in colour, in place."""
    h, w = labels.shape
    flat, colors = labels.ravel(), surface.reshape(-1, 3)
    while True:
        open_pixels = np.flatnonzero(flat < 1)
        if not len(open_pixels):
            return
        if len(open_pixels) == h * w:  # a picture so small that it is all seam
            flat[:] = 1
            return
        y, x = np.divmod(open_pixels, w)
        best = np.full(len(open_pixels), np.inf, np.float32)
        label = np.zeros(len(open_pixels), np.int32)
        for step, inside in ((-1, x > 0), (1, x < w - 1), (-w, y > 0), (w, y < h - 1)):
            neighbour = np.where(inside, open_pixels + step, open_pixels)
            difference = colors[neighbour] - colors[open_pixels]
            distance = np.einsum("ij,ij->i", difference, difference)
            nearer = (flat[neighbour] > 0) & (distance < best)
            best[nearer], label[nearer] = distance[nearer], flat[neighbour[nearer]]
        flat[open_pixels] = label


def _compact(labels: IntArray) -> IntArray:
    """Renumber labels ≥ 0 without gaps from 0."""
    present = np.bincount(labels.ravel()) > 0
    return (np.cumsum(present, dtype=np.int32) - 1)[labels]


def _mean_colors(
    labels: IntArray, surface: FloatArray, areas: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Mean surface colour of each label, `[n, 3]`."""
    sums = [
        np.bincount(labels.ravel(), weights=surface[..., c].ravel(), minlength=len(areas)) for c in range(3)
    ]
    mean: npt.NDArray[np.float64] = np.stack(sums, axis=1) / areas[:, None]
    return mean


def _pixel_edges(labels: IntArray, gradient: FloatArray) -> _Edges:
    """Boundaries of a label map; their strength is the mean gradient along them."""
    ends: list[tuple[IntArray, IntArray]] = []
    strengths: list[FloatArray] = []
    pairs = ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]))
    for first, second in pairs:
        differs = labels[first] != labels[second]
        ends.append((labels[first][differs], labels[second][differs]))
        strengths.append(np.maximum(gradient[first], gradient[second])[differs])
    a, b = (np.concatenate(side) for side in zip(*ends, strict=True))
    return _Edges.gather(a, b, np.concatenate(strengths), np.ones(len(a)))


def _graph(higra: Any, count: int, edges: _Edges) -> Any:
    graph = higra.UndirectedGraph(count)
    graph.add_edges(edges.source, edges.target)
    return graph


@dataclass(frozen=True)
class _Tree:
    """A binary merge tree, children before parents, leaves first.

    Attributes:
        leaves: their number.
        parents: `[2 * leaves - 1]`; the root is its own.
        heights: at which height each node came together, `[2 * leaves - 1]`, never above its parent's.
    """

    leaves: int
    parents: npt.NDArray[np.int64]
    heights: npt.NDArray[np.float64]

    @classmethod
    def build(cls, leaves: int, tree: Any, altitudes: npt.NDArray[np.float64]) -> _Tree:
        """From Higra's tree; altitudes may fall on the way up (average linkage), heights may not."""
        parents = np.asarray(tree.parents(), np.int64)
        heights = np.asarray(altitudes, np.float64).copy()
        for v in range(len(parents) - 1):
            heights[parents[v]] = max(heights[parents[v]], heights[v])
        return cls(leaves, parents, heights)

    def cut(self, regions: int, least: float = 0.0) -> npt.NDArray[np.int64]:
        """Nodes of a horizontal cut: at most `regions`, and none split below the height `least`."""
        merges = np.sort(self.heights[self.leaves :])[::-1]
        height = max(least, merges[regions - 1]) if regions <= len(merges) else least
        top = np.append(np.zeros(len(self.parents) - 1, bool), True)
        whole = (self.heights <= height) | (np.arange(len(self.parents)) < self.leaves)
        return np.flatnonzero(whole & (top | ~whole[self.parents]))

    def labels(self, nodes: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Leaf → index of the node of a cut above it, `[leaves]`."""
        label = np.full(len(self.parents), -1, np.int32)
        label[nodes] = np.arange(len(nodes), dtype=np.int32)
        for v in range(len(self.parents) - 2, -1, -1):
            if label[v] < 0:
                label[v] = label[self.parents[v]]
        return label[: self.leaves]


def _tree_regions(atoms: IntArray, tree: _Tree, cut: _Cut) -> Regions:
    """All nodes of the tree as regions, coarse to fine, those of the cut proposed."""
    nodes, leaves = len(tree.parents), tree.leaves
    members = np.zeros((nodes, leaves + 1), bool)
    members[np.arange(leaves), np.arange(leaves) + 1] = True
    for v in range(nodes - 1):  # children come before their parents
        members[tree.parents[v]] |= members[v]
    areas = members @ np.bincount(atoms.ravel() + 1, minlength=leaves + 1)
    proposed = np.zeros(nodes, bool)
    proposed[tree.cut(cut.regions, cut.least_contrast)] = True
    proposed &= areas >= cut.smallest_share * atoms.size
    # A node's level is the logarithm of how many regions are left when it merges into its parent.
    merges = np.sort(tree.heights[leaves:])
    left = len(merges) - np.searchsorted(merges, tree.heights[tree.parents]) + 1
    left[-1] = 1
    order = np.arange(nodes)[::-1]
    above = np.append(nodes - 1 - tree.parents[:-1], -1)
    return Regions.from_atoms(
        atoms + 1,
        members[order],
        levels=np.log2(left[order]).astype(np.int32),
        parents=above[order].astype(np.int32),
        proposed=proposed[order],
    )
