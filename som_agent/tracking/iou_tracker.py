"""Tracking by overlap after optical-flow warping, with memory for what is hidden for a while."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.tracking.associate import atom_overlap, best_pairs, disentangle, iou_matrix, snap, totals
from som_agent.tracking.features import Features, likeness
from som_agent.tracking.flow import backward_flow, gray, warp_labels
from som_agent.tracking.tracks import Tracked
from som_agent.video.frame import Frame, Image

__all__ = ["IouTracker"]

SNAP_PENALTY = 0.15
"""A segment of this frame must fit this much worse before a track keeps its old outline instead."""
REJOIN_LIKENESS = 0.5
"""Likeness of colour at which a piece that broke off is taken for a part of the object still."""
MOMENTUM_S = 0.5
"""Seconds for which a hidden object is expected to keep its velocity."""
RECALL_SCORE = 0.5
"""Agreement in colour, size and place that brings an unseen track back."""


@dataclass
class _Track:
    """One track: running means of colour, area and velocity (pixels a second), and the last centre seen."""

    id: int
    color: FloatArray
    area: float
    center: FloatArray
    seen_at: float
    velocity: FloatArray
    hits: int = 1
    confirmed: bool = False


@dataclass
class _Found:
    """The tracks found in this frame, in step with one another."""

    ids: list[int]
    members: list[BoolArray]
    scores: list[float]

    def drop(self, k: int) -> None:
        """Take the `k`-th out."""
        del self.ids[k], self.members[k], self.scores[k]


class IouTracker:
    """Each frame's regions are matched one to one with the tracks warped from the frame before.

    Args:
        min_iou: overlap, weighed by likeness of colour, that continues a track. Raising it loses tracks
            in fast motion rather than letting them slip onto a neighbour.
        confirm_frames: frames in which a new region must be seen. Raising it hides flicker longer.
        lost_s: seconds that an unseen track is remembered. Raising it bridges longer occlusions.
        max_tracks: tracks kept at once, unseen ones included; beyond it the smallest newcomers wait.
    """

    def __init__(
        self,
        *,
        min_iou: float = 0.45,
        confirm_frames: int = 3,
        lost_s: float = 10.0,
        max_tracks: int = 200,
    ) -> None:
        self.min_iou = min_iou
        self.confirm_frames = confirm_frames
        self.lost_s = lost_s
        self.max_tracks = max_tracks
        self._tracks: dict[int, _Track] = {}
        self._next_id = 1
        self._before: tuple[Image, Regions, list[int]] | None = None

    def update(self, frame: Frame, regions: Regions) -> Tracked:
        """See `Tracker.update`."""
        now = gray(frame.image)
        features = Features.measure(frame.image, regions)
        found = _Found([], [], [])
        first = self._before is None
        if self._before is not None and self._before[1].atoms.shape == regions.atoms.shape:
            before, past, past_ids = self._before
            flow = backward_flow(now, before, regions.atoms.shape[::-1])
            warped = Regions.from_atoms(warp_labels(past.atoms, flow), past.members)
            self._continue(found, warped, past_ids, regions, features, frame.time)
        fresh = _unexplained(regions, found.members)
        self._recall(found, fresh, regions, features, frame.time)
        self._start(found, fresh, regions, features, frame.time, at_once=first)

        gone, occluded = self._forget(set(found.ids), frame.time)
        present = regions.regroup(_stack(found.members, regions))
        self._before = (now, present, found.ids)
        shown = [k for k, i in enumerate(found.ids) if self._tracks[i].confirmed]
        return Tracked(
            regions=present.select(shown),
            ids=np.array([found.ids[k] for k in shown], np.int32),
            scores=np.array([found.scores[k] for k in shown], np.float32),
            centers=features.centers(present.members[shown]),
            occluded=occluded,
            gone=gone,
        )

    def _continue(
        self,
        found: _Found,
        warped: Regions,
        past_ids: list[int],
        regions: Regions,
        features: Features,
        time: float,
    ) -> None:
        """Find the tracks of the frame before again.

        A track may take any region of this frame, or the atoms under its warped mask where no region
        fits nearly as well (a highlight that splits the object for a moment).
        """
        shared = atom_overlap(warped, regions)
        snapped = snap(shared, regions)
        members = np.concatenate([regions.members, snapped])
        iou = iou_matrix(shared, warped.areas, members, regions.atom_areas)
        colors = np.array([self._tracks[i].color for i in past_ids], np.float32).reshape(-1, 3)
        score = iou * likeness(colors, features.colors(members))
        sizes = np.array([self._tracks[i].area for i in past_ids]).reshape(-1, 1)
        areas = features.area(members)
        score *= (np.minimum(sizes, areas) / np.maximum(np.maximum(sizes, areas), 1)) ** 0.5
        n, m = len(past_ids), len(regions)
        own = np.eye(n, dtype=bool)
        score[:, m:] = np.where(own, score[:, m:] - SNAP_PENALTY, 0.0)
        pairs = best_pairs(score, self.min_iou)
        rows = [i for i, _ in pairs]
        kept = disentangle(members[[j for _, j in pairs]], warped.members[rows], shared[rows])
        kept = _rejoin(kept, shared[rows], colors[rows], regions, features)
        for (i, j), mask in zip(pairs, kept, strict=True):
            if mask.any():
                self._see(found, self._tracks[past_ids[i]], mask, float(iou[i, j]), features, time)

    def _recall(
        self, found: _Found, fresh: list[int], regions: Regions, features: Features, time: float
    ) -> None:
        """Give unseen tracks what is new and alike in colour and size, not too far away.

        New are unexplained regions and tentative tracks: an object that comes out of hiding bit by bit
        looks like itself only after some frames.
        """
        present = set(found.ids)
        lost = [
            t
            for t in self._tracks.values()
            if t.confirmed and t.id not in present and time - t.seen_at <= self.lost_s
        ]
        tentative = [k for k, i in enumerate(found.ids) if not self._tracks[i].confirmed]
        members = np.concatenate(
            [regions.members[fresh], _stack([found.members[k] for k in tentative], regions)]
        )
        if not lost or not len(members):
            return
        areas, centers = features.area(members), features.centers(members)
        like = likeness(np.array([t.color for t in lost]), features.colors(members))
        area = np.array([[t.area] for t in lost])
        size = np.minimum(area, areas) / np.maximum(area, areas)
        # What is hidden may stay or move on. How far away it is still believed to be itself grows with the
        # time, the more so the less anything in sight is coloured alike: a lone yellow ball, not a grey wall.
        unseen_s = np.array([[time - t.seen_at] for t in lost])
        last = np.array([t.center for t in lost])
        moved_on = last + np.minimum(unseen_s, MOMENTUM_S) * np.array([t.velocity for t in lost])
        away = np.minimum(
            np.linalg.norm(last[:, None] - centers[None], axis=2),
            np.linalg.norm(moved_on[:, None] - centers[None], axis=2),
        )
        seen = np.array([self._tracks[i].color for i in present if self._tracks[i].confirmed], np.float32)
        rivals = likeness(np.array([t.color for t in lost]), seen.reshape(-1, 3))
        distinct = 1.0 - rivals.max(axis=1, initial=0.0)[:, None]
        reach = np.sqrt(area) * (1.0 + 2.0 * np.minimum(unseen_s, MOMENTUM_S) + 2.0 * distinct * unseen_s)
        near = np.exp(-0.5 * np.square(away / reach))
        pairs = best_pairs(like * np.sqrt(size) * near, RECALL_SCORE)
        replaced = sorted((tentative[j - len(fresh)] for _, j in pairs if j >= len(fresh)), reverse=True)
        for k in replaced:
            del self._tracks[found.ids[k]]
            found.drop(k)
        for i, j in pairs:
            self._see(found, lost[i], members[j], float(like[i, j]), features, time)
        taken = {j for _, j in pairs}
        fresh[:] = [region for j, region in enumerate(fresh) if j not in taken]

    def _start(
        self,
        found: _Found,
        fresh: list[int],
        regions: Regions,
        features: Features,
        time: float,
        *,
        at_once: bool,
    ) -> None:
        """Start tracks for what nothing explains, the largest first."""
        for j in sorted(fresh, key=lambda j: -int(regions.areas[j])):
            if len(self._tracks) >= self.max_tracks:
                return
            color, center = np.zeros(3, np.float32), np.zeros(2, np.float32)  # of no weight: no hits yet
            track = _Track(self._next_id, color, 0.0, center, time, center, hits=0, confirmed=at_once)
            self._tracks[track.id] = track
            self._next_id += 1
            self._see(found, track, regions.members[j], 1.0, features, time)

    def _see(
        self, found: _Found, track: _Track, mask: BoolArray, score: float, features: Features, time: float
    ) -> None:
        found.ids.append(track.id)
        found.members.append(mask)
        found.scores.append(score)
        weight = max(0.1, 1.0 / (track.hits + 1))  # a plain mean at first, then the last ten or so
        one = mask[None]
        track.color = (1 - weight) * track.color + weight * features.colors(one)[0]
        # Slower: two alike objects that touch look like one for a moment, and part again.
        slow = max(0.03, 1.0 / (track.hits + 1))
        track.area = (1 - slow) * track.area + slow * features.area(one)[0]
        center = features.centers(one)[0]
        if track.hits and time > track.seen_at:
            speed = (center - track.center) / np.float32(time - track.seen_at)
            track.velocity = 0.7 * track.velocity + 0.3 * speed
        track.center = center
        track.seen_at = time
        track.hits += 1
        track.confirmed = track.confirmed or track.hits >= self.confirm_frames

    def _forget(self, present: set[int], time: float) -> tuple[list[int], list[int]]:
        """Drop tracks unseen for too long, and tentative ones at once: gone and occluded confirmed ones."""
        gone, occluded = [], []
        for track in list(self._tracks.values()):
            if track.id in present:
                continue
            if not track.confirmed:
                del self._tracks[track.id]
            elif time - track.seen_at > self.lost_s:
                del self._tracks[track.id]
                gone.append(track.id)
            else:
                occluded.append(track.id)
        return gone, occluded


def _stack(members: list[BoolArray], regions: Regions) -> BoolArray:
    return np.array(members, bool).reshape(len(members), regions.members.shape[1])


def _rejoin(
    kept: BoolArray,
    shared: npt.NDArray[np.float64],
    colors: FloatArray,
    regions: Regions,
    features: Features,
) -> BoolArray:
    """Give pieces back to the tracks that they broke off from.

    A region that nothing explains, and that was mostly one track's in the frame before, is still a part of
    it if it looks like it and touches it (a side of a cup that turned into the shade).

    Args:
        kept: the tracks' masks so far, `[N, A + 1] bool`.
        shared: pixels that each track's warped mask shares with each atom, `[N, A + 1]`.
        colors: the tracks' colours, `[N, 3]`.
        regions: the present regions.
        features: of the present frame.
    """
    pieces = regions.members[_unexplained(regions, list(kept))]
    if not len(pieces) or not len(kept):
        return kept
    owned = totals(pieces, shared.T).T / features.area(pieces)
    like = likeness(colors, features.colors(pieces))
    whole = kept.copy()
    for piece, owner in enumerate(owned.argmax(axis=0)):
        touches = regions.touching[whole[owner]][:, pieces[piece]].any()
        if touches and owned[owner, piece] > 0.5 and like[owner, piece] > REJOIN_LIKENESS:
            whole[owner] |= pieces[piece]
    return whole


def _unexplained(regions: Regions, members: list[BoolArray]) -> list[int]:
    """Proposed regions that no track accounts for.

    A region mostly covered by tracks is explained by them, unless it is a proposed part of another
    proposed region (the handle of a mug): then only a track of about the same pixels explains it.
    """
    tracks = _stack(members, regions)
    proposed = np.flatnonzero(regions.proposed)
    areas = np.maximum(regions.areas[proposed], 1)
    own = regions.members[proposed]
    covered = totals(own & tracks.any(axis=0), regions.atom_areas[:, None])[:, 0] / areas
    pixels = np.where(own, regions.atom_areas, 0).astype(np.float64)
    alike = iou_matrix(pixels, areas, tracks, regions.atom_areas).max(axis=1, initial=0.0)
    parents = regions.parents[proposed]
    part = (parents >= 0) & regions.proposed[parents]
    explained = np.where(part, alike, covered) >= 0.5
    return [int(j) for j in proposed[~explained]]
