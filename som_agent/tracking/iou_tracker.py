"""Tracking by overlap after optical-flow warping, with memory for what is hidden for a while."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.tracking.associate import atom_overlap, best_pairs, disentangle, iou_matrix, snap
from som_agent.tracking.features import Features, likeness
from som_agent.tracking.flow import backward_flow, gray, warp_labels
from som_agent.tracking.pieces import divided, inside_wholes, rejoin, stack, unexplained
from som_agent.tracking.tracks import Tracked, joined
from som_agent.video.frame import Frame, Image

__all__ = ["IouTracker"]

SNAP_PENALTY = 0.15
"""A segment of this frame must fit this much worse before a track keeps its old outline instead."""
MOMENTUM_S = 0.5
"""Seconds for which a hidden object is expected to keep its velocity."""
RECALL_SCORE = 0.5
"""Agreement in colour, size and place that brings an unseen track back."""


@dataclass
class _Track:
    """One track: running means of colour, area and velocity (pixels a second), and the last centre seen.

    `part`: it was adopted, maybe finer than what the segmenter tells apart. `whole`: the track it belongs to.
    """

    id: int
    color: FloatArray
    area: float
    center: FloatArray
    seen_at: float
    velocity: FloatArray
    hits: int = 1
    confirmed: bool = False
    part: bool = False
    whole: int | None = None


@dataclass(frozen=True)
class _Before:
    """The newest frame: its picture, its time, and the tracks found in it, in step with `ids`."""

    image: Image
    gray: Image
    time: float
    regions: Regions
    ids: list[int]


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
        self._before: _Before | None = None

    def update(self, frame: Frame, regions: Regions) -> Tracked:
        """See `Tracker.update`."""
        now = gray(frame.image)
        warped = self._warped(now, regions)
        if warped is not None:
            parts = [k for k, i in enumerate(warped.ids) if self._tracks[i].part]
            regions = divided(regions, warped.regions.select(parts)) if parts else regions
        features = Features.measure(frame.image, regions)
        found = _Found([], [], [])
        if warped is not None:
            self._continue(found, warped.regions, warped.ids, regions, features, frame.time)
        fresh = unexplained(regions, found.members, self._are_parts(found.ids))
        self._recall(found, fresh, regions, features, frame.time)
        self._start(found, fresh, regions, features, frame.time, at_once=self._before is None)
        gone, occluded = self._forget(set(found.ids), frame.time)
        present = regions.regroup(stack(found.members, regions))
        self._before = _Before(frame.image, now, frame.time, present, found.ids)
        shown = [k for k, i in enumerate(found.ids) if self._tracks[i].confirmed]
        return Tracked(
            regions=present.select(shown),
            ids=np.array([found.ids[k] for k in shown], np.int32),
            scores=np.array([found.scores[k] for k in shown], np.float32),
            centers=features.centers(present.members[shown]),
            occluded=occluded,
            gone=gone,
        )

    def adopt(self, masks: BoolArray, whole: int | None = None) -> list[int]:
        """See `Tracker.adopt`. A part goes on by its outline where no segment of a frame fits it."""
        before = self._before
        masks = masks[: max(self.max_tracks - len(self._tracks), 0)]
        if before is None or not len(masks):
            return []
        regions = joined(before.regions, masks)
        features = Features.measure(before.image, regions)
        n = len(before.ids)
        found = _Found(list(before.ids), list(regions.members[:n]), [1.0] * n)
        for members in regions.members[n:]:
            track = self._new(before.time, confirmed=True)
            track.part, track.whole = True, whole
            self._see(found, track, members, 1.0, features, before.time)
        self._before = replace(before, regions=regions, ids=found.ids)
        return found.ids[n:]

    def _warped(self, now: Image, regions: Regions) -> _Before | None:
        """The tracks of the frame before where the flow takes them; None if there was none of this size."""
        before = self._before
        if before is None or before.regions.atoms.shape != regions.atoms.shape:
            return None
        flow = backward_flow(now, before.gray, regions.atoms.shape[::-1])
        atoms = warp_labels(before.regions.atoms, flow)
        return replace(before, regions=Regions.from_atoms(atoms, before.regions.members))

    def _are_parts(self, ids: list[int]) -> list[bool]:
        return [self._tracks[i].part for i in ids]

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
        # The segmenter may not see a part's outline at all: the old one is as good as any segment's.
        penalty = np.where(self._are_parts(past_ids), 0.0, SNAP_PENALTY)[:, None]
        score[:, m:] = np.where(np.eye(n, dtype=bool), score[:, m:] - penalty, 0.0)
        pairs = best_pairs(score, self.min_iou)
        rows = [i for i, _ in pairs]
        kept = disentangle(members[[j for _, j in pairs]], warped.members[rows], shared[rows])
        parts = self._are_parts([past_ids[i] for i in rows])
        kept = rejoin(kept, parts, shared[rows], colors[rows], regions, features)
        row_of = {past_ids[i]: k for k, i in enumerate(rows)}
        wholes = [row_of.get(self._tracks[past_ids[i]].whole or 0, -1) for i in rows]
        kept = inside_wholes(kept, wholes, features)
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
            [regions.members[fresh], stack([found.members[k] for k in tentative], regions)]
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
            track = self._new(time, confirmed=at_once)
            self._see(found, track, regions.members[j], 1.0, features, time)

    def _new(self, time: float, *, confirmed: bool) -> _Track:
        """The next track; it has not been seen yet, so its means are of no weight."""
        color, center = np.zeros(3, np.float32), np.zeros(2, np.float32)
        track = _Track(self._next_id, color, 0.0, center, time, center, hits=0, confirmed=confirmed)
        self._tracks[track.id] = track
        self._next_id += 1
        return track

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
