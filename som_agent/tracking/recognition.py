"""Which of the things that nothing explains is a known object that was out of sight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from som_agent.regions import BoolArray, FloatArray, IntArray, Regions
from som_agent.tracking.associate import best_pairs
from som_agent.tracking.features import Features, likeness
from som_agent.tracking.glance import Glance
from som_agent.tracking.lives import MOMENTUM_S, Track
from som_agent.tracking.shapes import (
    Shape,
    around,
    box_of_atoms,
    pixels_under,
    places_around,
    seen_under,
    under,
)
from som_kernels._jit import compiled

__all__ = ["claimed", "expected", "recognise", "settled"]

STAYS, CARRIED = 0.8, 0.9
"""How likely an object stops when it is hidden, or goes with what hides it, against going on."""
RETURNS = 0.7
"""How likely what left the picture comes back at any one place: its looks must agree all the more."""
RECALL_SCORE = 0.5
"""Agreement in looks, shape and place that brings an unseen track back."""
SLACK = 0.05
"""Share of an outline that may disagree for nothing: outlines are off by a pixel, of a sliver that is all."""

ALIKE, CLEARLY = 0.5, 0.1
"""Likeness of two objects from which they may be taken for each other; by how much one must fit better."""
GROUND = 0.5
"""How far an outline's pixel on the ground, where no region is, speaks against it: what hides it there may
be a thing that nobody segments."""

_Floats = npt.NDArray[np.float64]


def expected(track: Track, time_s: float) -> FloatArray:
    """Where the middle of a track is by its own motion, x and y."""
    unseen_s = min(time_s - track.seen_s, MOMENTUM_S)
    return np.asarray(track.center + np.float32(unseen_s) * track.velocity, np.float32)


def claimed(found: Track, others: Sequence[Track], regions: Regions, time_s: float) -> BoolArray:
    """What may be taken for one object but lies where another that looks like it is expected.

    Args:
        found: a track that is found in this frame.
        others: tracks that are not.
        regions: the present regions.
        time_s: now.

    Returns:
        `[A + 1] bool`: atoms that an outline of the others covers clearly better than the track's own.
    """
    rather = np.zeros(regions.members.shape[1], bool)
    if not others:
        return rather
    like = likeness(found.looks[None], np.array([track.looks for track in others]))[0]
    own = None
    for k in np.flatnonzero(like > ALIKE).tolist():
        own = _covered(found, regions, time_s) if own is None else own
        rather |= _covered(others[k], regions, time_s) > np.maximum(0.5, own + CLEARLY)
    return rather


def _covered(track: Track, regions: Regions, time_s: float) -> _Floats:
    """Share of each atom that a track's outline covers where it is expected, or near that, `[A + 1]`.

    It may be off by as much as it was lately, and if it was not seen in the frame before by a little more.
    """
    outline = track.outline
    if outline is None:
        return np.zeros(regions.members.shape[1])
    off_px = track.motion_error + (0.0 if track.was_seen else SLACK * track.size)
    steps = (-off_px, 0.0, off_px) if off_px >= 1 else (0.0,)
    place = expected(track, time_s)
    corners = [outline.at(place + np.array([x, y], np.float32)) for y in steps for x in steps]
    counts = under([outline] * len(corners), corners, regions).max(axis=0)
    return np.asarray(counts / np.maximum(regions.atom_areas, 1))


def recognise(
    lost: Sequence[Track],
    members: BoolArray,
    regions: Regions,
    features: Features,
    *,
    visible: Sequence[Track],
    taken: BoolArray,
    time_s: float,
    glance: Glance | None = None,
) -> list[tuple[int, int, float]]:
    """Match unseen tracks with things that no track in sight explains, one to one.

    A thing may be the first sliver of an object that comes out from behind another. So its outline is held
    against the track's whole outline, of which nothing may be missing but what another track hides.

    Args:
        lost: `L` unseen tracks.
        members: `M` things, as sets of atoms, `[M, A + 1] bool`.
        regions: the present regions.
        features: of the present frame.
        visible: the tracks in sight.
        taken: atoms of these, `[A + 1] bool`: what they may hide.
        time_s: now.
        glance: of an embedding model, which has a say in the likeness where there is one.

    Returns:
        Row of `lost`, row of `members`, and the agreement, 0 to 1.
    """
    if not len(lost) or not len(members):
        return []
    like = likeness(np.array([track.looks for track in lost]), features.looks(members))
    # How far away an object is believed to be itself grows with the time, the more so the less anything in
    # sight looks like it: a lone yellow ball, not one of many grey stones.
    seen = np.array([track.looks for track in visible], np.float32).reshape(len(visible), len(lost[0].looks))
    rivals = likeness(np.array([track.looks for track in lost]), seen)
    distinct = 1.0 - rivals.max(axis=1, initial=0.0)
    hiders = {track.id: track for track in visible}
    areas = features.area(members)
    score, fits, spread = np.zeros(like.shape), np.zeros(like.shape), np.ones(len(lost))
    least = RECALL_SCORE if glance is None else glance.least(RECALL_SCORE)
    for i, track in enumerate(lost):
        unseen_s = time_s - track.seen_s
        reach = track.motion_error + track.size * (
            0.25 + 3.0 * min(unseen_s, MOMENTUM_S) + 2.0 * float(distinct[i]) * unseen_s
        )
        spread[i] = reach / track.size
        likely = _likely(track, hiders.get(track.hider or 0), time_s)
        for j in np.flatnonzero(like[i] >= least):
            # Without another say, what agrees less than this cannot be it, however alike.
            enough = RECALL_SCORE / float(like[i, j]) if glance is None else 0.0
            fits[i, j] = _agreement(track, likely, reach, members[j], taken, regions, enough)
            score[i, j] = like[i, j] * fits[i, j]
    if glance is not None:
        score *= glance.weights(score, least, lost, visible, members, areas)
    agreed = np.minimum(score, fits)  # things are the same at most: looks make up for no place or outline
    # Of two that may be it, the one whose place is known more closely: a wide guess is right more easily.
    ranked = np.where(agreed >= RECALL_SCORE, score / spread[:, None], 0.0)
    return [(i, j, float(agreed[i, j])) for i, j in best_pairs(ranked, 1e-9)]


def settled(
    outline: Shape, center: FloatArray, members: BoolArray, regions: Regions, hiding: BoolArray
) -> tuple[FloatArray, float]:
    """Where an outline lies of which only a part is seen.

    Args:
        outline: of the whole object.
        center: where its middle is expected, x and y.
        members: what is seen of it, `[A + 1] bool`.
        regions: the present regions.
        hiding: what may hide the rest, `[A + 1] bool`.

    Returns:
        Its middle, and the share of the unseen rest that is hidden or outside the picture, 0 to 1.
    """
    places = np.concatenate([around(outline, members, regions), [center]])
    fits, bare, seen = _fits(outline, places, members, regions, hiding)
    # The nearest of equals: an outline cut on two sides fits in many places.
    away = np.hypot(*(places - center).T)
    best = int(np.argmax(fits - 1e-3 * away))
    rest = max(outline.area - float(seen[best]), 1.0)
    return places[best], 1.0 - float(bare[best]) / rest


def _likely(track: Track, hider: Track | None, time_s: float) -> list[tuple[float, FloatArray]]:
    """Where the middle of an unseen track may be, and how likely: moved on, stayed, with its hider."""
    likely = [(1.0, expected(track, time_s)), (STAYS, track.center)]
    return likely if hider is None else [*likely, (CARRIED, hider.center + track.held)]


def _agreement(
    track: Track,
    likely: list[tuple[float, FloatArray]],
    reach: float,
    members: BoolArray,
    taken: BoolArray,
    regions: Regions,
    least: float,
) -> float:
    """How well a thing agrees with a track in place, size and outline, 0 to 1; 0 for less than `least`."""
    outline = track.outline
    assert outline is not None
    agreement: float = _best_agreement(
        outline.mask,
        outline.corner,
        outline.center,
        outline.area,
        track.area,
        np.array([share for share, _ in likely]),
        np.array([place for _, place in likely]),
        reach,
        RETURNS if _is_outside(track, regions) else 0.0,
        least,
        members,
        taken,
        regions.atoms,
        regions.atom_areas,
        regions.atom_boxes,
    )
    return agreement


def _is_outside(track: Track, regions: Regions) -> bool:
    """Whether it left the picture: its middle is at the edge or beyond. It may come back anywhere."""
    h, w = regions.atoms.shape
    x, y = track.center
    margin = track.size / 4
    return not (margin < x < w - margin and margin < y < h - margin)


def _fits(
    outline: Shape, places: FloatArray, members: BoolArray, regions: Regions, hiding: BoolArray
) -> tuple[_Floats, _Floats, _Floats]:
    """Overlap of a thing with an outline at each place, where hidden pixels speak neither way, `[P]`.

    Then how many pixels of the outline are bare, neither the thing's nor hidden; and how many the thing's.
    """
    found = seen_under(outline, places, members, hiding, regions)
    shared, bare = found[:, 0], found[:, 1]
    missing = bare - (1 - GROUND) * found[:, 2]
    area = float(regions.atom_areas[members].sum())
    slack = SLACK * outline.area
    return (shared + slack) / (area + missing + slack), bare, shared


@compiled
def _best_agreement(
    mask: BoolArray,
    corner: tuple[int, int],
    center: tuple[float, float],
    outline_area: int,
    track_area: float,
    shares: _Floats,
    likely: FloatArray,
    reach: float,
    anywhere: float,
    least: float,
    members: BoolArray,
    taken: BoolArray,
    atoms: IntArray,
    areas: npt.NDArray[np.int64],
    boxes: IntArray,
) -> float:
    area = 0
    for a in range(len(members)):
        area += areas[a] if members[a] else 0
    slack = SLACK * outline_area
    size = min(area, track_area) / max(area, track_area, 1.0)
    # A thing covers no more of an outline than there is: what is far larger fits nowhere.
    at_most = min((min(area, outline_area) + slack) / (area + slack), 1.0)
    x0, y0, x1, y1 = box_of_atoms(boxes, areas, members)
    over = places_around(mask.shape, corner, center, x0, y0, x1, y1)
    places = np.concatenate((over, likely.astype(np.float32)))
    hiding = taken & ~members
    best, one = 0.0, np.empty((1, 2), np.float32)
    for p in range(len(places)):
        near = anywhere
        for k in range(len(likely)):
            away = np.hypot(places[p, 0] - likely[k, 0], places[p, 1] - likely[k, 1]) / reach
            near = max(near, shares[k] * np.exp(-0.5 * away * away))
        own = size if p == 0 else 0.0  # middle on middle, a thing of the right size may be it in any outline
        if near < RECALL_SCORE or near * np.sqrt(max(at_most, own)) < max(least, best):
            continue
        one[0] = places[p]
        shared, bare, ground = pixels_under(mask, corner, center, one, atoms, members, hiding)[0]
        missing = bare - (1 - GROUND) * ground
        fit = (shared + slack) / (area + missing + slack)
        best = max(best, near * np.sqrt(max(fit, own)))
    return best if best >= least else 0.0
