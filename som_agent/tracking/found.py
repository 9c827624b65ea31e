"""What a tracker has found in one frame, and what its tracks learn from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from som_agent.regions import BoolArray, IntArray, Regions
from som_agent.tracking.features import Features
from som_agent.tracking.glance import Glance
from som_agent.tracking.lives import WHOLE, Lives, Track
from som_agent.tracking.pieces import stack
from som_agent.tracking.recognition import expected, recognise, settled
from som_agent.tracking.shapes import shape_of, under
from som_agent.tracking.tracks import Tracked

__all__ = ["Found", "blind", "hide", "learn", "recall", "start", "tracked"]

PATIENCE_S = 1.0
"""Seconds for which a newcomer that is not whole yet waits for its number, if an object is out of sight."""
NEARLY = 0.97
"""Share of its outline below which an object begins to be hidden, if what is missing lies under others."""
COVERED = 0.5
"""Share of an outline that another track must cover to be what hides it."""


@dataclass
class Found:
    """The tracks found in a frame, in step with one another; masks are sets of atoms, `[A + 1] bool`."""

    ids: list[int] = field(default_factory=list)
    members: list[BoolArray] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def add(self, track: int, members: BoolArray, score: float) -> None:
        """Put one in."""
        self.ids.append(track)
        self.members.append(members)
        self.scores.append(score)

    def drop(self, k: int) -> None:
        """Take the `k`-th out."""
        del self.ids[k], self.members[k], self.scores[k]


def recall(
    found: Found,
    fresh: list[int],
    lives: Lives,
    regions: Regions,
    features: Features,
    time_s: float,
    glance: Glance | None = None,
) -> list[int]:
    """Give unseen tracks what is new and agrees with them in looks, outline and place.

    New are unexplained regions and tentative tracks: an object that comes out of hiding bit by bit
    looks like itself only after some frames.

    Args:
        found: gets what is recognised; tentative tracks that turn out to be known ones are taken out.
        fresh: rows of unexplained regions.
        lives: all tracks.
        regions: the present regions.
        features: of the present frame.
        time_s: now.
        glance: of an embedding model, where there is one.

    Returns:
        The rows of `fresh` that are still unexplained.
    """
    present = set(found.ids)
    lost = [
        track
        for track in lives.tracks.values()
        if track.confirmed and track.id not in present and time_s - track.seen_s <= lives.lost_s
    ]
    tentative = [k for k, i in enumerate(found.ids) if not lives[i].confirmed]
    members = np.concatenate([regions.members[fresh], stack([found.members[k] for k in tentative], regions)])
    pairs = recognise(
        lost,
        members,
        regions,
        features,
        visible=[lives[i] for i in found.ids if lives[i].confirmed],
        taken=np.asarray(stack(found.members, regions).any(axis=0)),
        time_s=time_s,
        glance=glance,
    )
    for k in sorted((tentative[j - len(fresh)] for _, j, _ in pairs if j >= len(fresh)), reverse=True):
        del lives.tracks[found.ids[k]]
        found.drop(k)
    for i, j, score in pairs:
        found.add(lost[i].id, members[j], score)
    taken = {j for _, j, _ in pairs}
    return [region for j, region in enumerate(fresh) if j not in taken]


def start(
    found: Found, fresh: list[int], lives: Lives, regions: Regions, time_s: float, *, at_once: bool
) -> None:
    """Start tracks for what nothing explains, the largest first; shown `at_once`, or tentative."""
    for j in sorted(fresh, key=lambda j: -int(regions.areas[j]))[: lives.room]:
        found.add(lives.new(time_s, confirmed=at_once).id, regions.members[j], 1.0)


def learn(
    found: Found,
    lives: Lives,
    regions: Regions,
    features: Features,
    time_s: float,
    is_sure: Callable[[Track], bool],
) -> None:
    """Let every track of this frame learn from what is seen of it; confirm those that `is_sure` names."""
    members = stack(found.members, regions)
    looks, areas, centers = features.looks(members), features.area(members), features.centers(members)
    taken = members.any(axis=0)
    # Borders that are one of several cuts come and go: less than much of an outline says nothing there.
    nearly = NEARLY if regions.has_one_cut else 0.0
    lost = any(track.confirmed for i, track in lives.tracks.items() if i not in found.ids)
    for k, i in enumerate(found.ids):
        track, own, center, is_whole = lives[i], members[k], centers[k], True
        grows = areas[k] > 1.05 * track.area
        track.seen, track.seen_looks = shape_of(regions, own, center), looks[k]
        if track.outline is not None and areas[k] < max(WHOLE * track.area, nearly * track.outline.area):
            place, hidden = settled(track.outline, expected(track, time_s), own, regions, taken & ~own)
            is_whole = hidden < 0.5
            center = center if is_whole else place
        if is_whole:
            track.look(looks[k], float(areas[k]))
            track.outline = track.seen
        track.see(center, time_s)
        if not track.confirmed:
            # What is still coming into sight may turn out to be a known object.
            comes = grows or track.seen.at_edge(regions.atoms.shape)
            waits = lost and comes and time_s - track.born_s < PATIENCE_S
            track.confirmed = is_sure(track) and not waits


def hide(occluded: list[int], found: Found, lives: Lives, regions: Regions, time_s: float) -> dict[int, int]:
    """Say which track hides each unseen one: the one that came over most of it when it was lost."""
    members = stack(found.members, regions)
    known = np.array([lives[i].confirmed for i in found.ids], bool)
    for i in occluded:
        track = lives[i]
        if track.hider is None and track.was_seen and track.outline is not None and known.any():
            counts = under([track.outline], [track.outline.at(expected(track, time_s))], regions)[0]
            shares = np.where(known, members @ counts, 0) / track.outline.area
            best = int(np.argmax(shares))
            if shares[best] >= COVERED:
                track.hider = found.ids[best]
                track.held = track.center - lives[track.hider].center
        track.was_seen = False
    return _hidden_by(occluded, lives)


def tracked(
    found: Found,
    lives: Lives,
    regions: Regions,
    *,
    gone: list[int],
    occluded: list[int],
    hidden_by: dict[int, int],
) -> Tracked:
    """What is to be shown of it, on the atoms of `regions`, of which the sets of `found` are."""
    shown = [k for k, i in enumerate(found.ids) if lives[i].confirmed]
    members = stack([found.members[k] for k in shown], regions)
    areas = members @ regions.atom_areas
    sums = members @ (regions.atom_centroids * regions.atom_areas[:, None])
    return Tracked(
        regions=regions.regroup(members),
        ids=np.array([found.ids[k] for k in shown], np.int32),
        scores=np.array([found.scores[k] for k in shown], np.float32),
        centers=(sums / np.maximum(areas, 1)[:, None]).astype(np.float32),
        occluded=occluded,
        gone=gone,
        hidden_by=hidden_by,
    )


def blind(size: tuple[int, ...], lives: Lives, time_s: float) -> Tracked:
    """A frame of height and width `size` in which there is nothing to be seen: it is black, or all white."""
    gone, occluded = lives.forget((), time_s)
    nothing: IntArray = np.zeros(size, np.int32)
    return tracked(
        Found(),
        lives,
        Regions.from_labels(nothing),
        gone=gone,
        occluded=occluded,
        hidden_by=_hidden_by(occluded, lives),
    )


def _hidden_by(occluded: list[int], lives: Lives) -> dict[int, int]:
    hiders = {i: lives[i].hider for i in occluded}
    return {i: hider for i, hider in hiders.items() if hider is not None and hider in lives.tracks}
