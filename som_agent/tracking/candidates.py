"""What each track of the frame before may be in this one, and how well it agrees with that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.tracking.associate import atom_overlap, iou_matrix, snap, totals
from som_agent.tracking.features import Features, likeness
from som_agent.tracking.lives import Track
from som_agent.tracking.shapes import under

__all__ = ["Candidates", "candidates", "given_to_others"]

SNAP_PENALTY = 0.15
"""A segment of this frame must fit this much worse before a track keeps its old outline instead."""
MOTION_WEIGHT = 0.85
"""How far a track's own motion is believed beside a flow that told as well: what flickers seems to move."""
SAME_OUTLINE = 0.6
"""Overlap above which looks count less and less, up to not at all for the very outline that was expected:
things change colour, but none takes the place of another from one frame to the next."""
LOOKS_WEIGHT, SIZE_WEIGHT = 1.0, 0.5
"""Exponents of likeness in looks and in area, beside overlap: both change when an object is partly hidden."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Of `N` tracks with `M` regions: the regions, then for each track the atoms under its warped mask.

    Attributes:
        members: sets of atoms, `[M + N, A + 1] bool`.
        shared: pixels that each track's warped mask shares with each atom, `[N, A + 1]`.
        iou: overlap with where a track is expected, as far as that is trusted, `[N, M + N]`.
        score: the same weighed by likeness; 0 for what is another track's own, `[N, M + N]`.
        looks: the tracks' looks, `[N, C + T]`.
        starts: where the tracks' visible middles were, x and y, `[N, 2]`.
        flows: how far the flow says that they moved, `[N, 2]`.
        moves: how far their own motion says so, `[N, 2]`.
    """

    members: BoolArray
    shared: _Floats
    iou: _Floats
    score: _Floats
    looks: FloatArray
    starts: FloatArray
    flows: FloatArray
    moves: FloatArray


def candidates(
    tracks: Sequence[Track],
    warped: Regions,
    regions: Regions,
    features: Features,
    pan: FloatArray,
    passed_s: float,
) -> Candidates:
    """Hold tracks against this frame: a track is expected where the flow takes it, and where its motion does.

    A track may be any region, or the atoms under its warped mask where no region fits nearly as well (a
    highlight that splits the object for a moment).

    Args:
        tracks: those of the frame before, each with what was seen of it.
        warped: where the flow takes their masks.
        regions: of this frame.
        features: of this frame.
        pan: how much more the camera moved than in the frame before, x and y.
        passed_s: seconds since then.
    """
    seen = [track.seen for track in tracks if track.seen is not None]  # all of them
    starts = np.array([shape.center for shape in seen], np.float32)
    moves = np.array([track.velocity for track in tracks]) * np.float32(passed_s) + pan
    shared = atom_overlap(warped, regions)
    snapped = snap(shared, regions)
    members = np.concatenate([regions.members, snapped])
    places = [shape.at(start + move) for shape, start, move in zip(seen, starts, moves, strict=True)]
    moved = under(seen, places, regions)
    by_flow = iou_matrix(shared, warped.areas, members, regions.atom_areas)
    by_motion = iou_matrix(moved, moved.sum(axis=1).astype(np.int64), members, regions.atom_areas)
    trust = np.array([(t.trust(t.flow_error), t.trust(t.motion_error)) for t in tracks])
    trust[:, 1] *= MOTION_WEIGHT
    trust /= trust.max(axis=1, keepdims=True)
    iou = np.maximum(trust[:, :1] * by_flow, trust[:, 1:] * by_motion)
    looks = np.array([track.looks for track in tracks])
    like, areas = likeness(looks, features.looks(members)), features.area(members)
    sizes = _as_large(np.array([track.area for track in tracks]), areas)
    # What changes colour, or is half hidden, looks and measures as it did in the frame before. Where the
    # segmenter offers other cuts, too, a track would go from one to the next: its usual looks hold it.
    if regions.has_one_cut:
        like = np.maximum(like, likeness(np.array([t.seen_looks for t in tracks]), features.looks(members)))
        sizes = np.maximum(sizes, _as_large(np.array([float(shape.area) for shape in seen]), areas))
    score = iou * np.maximum(like**LOOKS_WEIGHT, (iou - SAME_OUTLINE) / (1 - SAME_OUTLINE))
    score *= sizes**SIZE_WEIGHT
    # The segmenter may not see a part's outline at all: the old one is as good as any segment's.
    penalty = np.where([track.part for track in tracks], 0.0, SNAP_PENALTY)[:, None]
    same = (snapped[:, None] == regions.members[None]).all(axis=2).any(axis=1)
    own = np.eye(len(tracks), dtype=bool) & ~same  # a segment is no alternative to itself
    score[:, len(regions) :] = np.where(own, score[:, len(regions) :] - penalty, 0.0)
    return Candidates(members, shared, iou, score, looks, starts, _centers(warped) - starts, moves)


def _as_large(a: _Floats, b: _Floats) -> _Floats:
    """The smaller of two areas as a share of the larger, `[len(a), len(b)]`."""
    return np.asarray(np.minimum(a[:, None], b) / np.maximum(np.maximum(a[:, None], b), 1))


def given_to_others(pairs: Sequence[tuple[int, int]], before: Regions, regions: Regions) -> BoolArray:
    """For each track the regions that go to others, but for those that overlapped with it before.

    Args:
        pairs: rows of tracks, and of what goes to them; past the last region it is no region.
        before: the tracks' masks before.
        regions: the present regions.

    Returns:
        `[N, A + 1] bool`.
    """
    given = np.zeros((len(before), regions.members.shape[1]), bool)
    for i, j in pairs:
        if j < len(regions):
            given[i] = regions.members[j]
    apart = totals(before.members, before.members.T) == 0
    return totals(apart, given) > 0


def _centers(regions: Regions) -> FloatArray:
    sums = regions.members @ (regions.atom_centroids * regions.atom_areas[:, None])
    return np.asarray(sums / np.maximum(regions.areas, 1)[:, None], np.float32)
