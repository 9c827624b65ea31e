"""Tracking by association: each frame's segments are matched with the tracks, whose memory bridges gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.tracking.associate import atom_overlap, best_pairs, disentangle, iou_matrix, snap, totals
from som_agent.tracking.embedders import Embedder
from som_agent.tracking.features import Features, likeness
from som_agent.tracking.flow import backward_flow, gray, warp_labels
from som_agent.tracking.found import Found, blind, hide, learn, recall, start, tracked
from som_agent.tracking.glance import Glance
from som_agent.tracking.lives import WHOLE, Lives, Track
from som_agent.tracking.pieces import divided, inside_wholes, rejoin, stack, unexplained
from som_agent.tracking.recognition import claimed
from som_agent.tracking.scene import is_blank, is_cut
from som_agent.tracking.shapes import under
from som_agent.tracking.thinned import enlarged, step_of, thinned, thinned_image, thinned_mask
from som_agent.tracking.tracks import Tracked, joined
from som_agent.video.frame import Frame, Image
from som_kernels._threads import together

__all__ = ["AssociationTracker"]

SNAP_PENALTY = 0.15
"""A segment of this frame must fit this much worse before a track keeps its old outline instead."""
MOTION_WEIGHT = 0.85
"""How far a track's own motion is believed beside a flow that told as well: what flickers seems to move."""
LOOKS_WEIGHT, SIZE_WEIGHT = 1.0, 0.5
"""Exponents of likeness in looks and in area, beside overlap: both change when an object is partly hidden."""


@dataclass(frozen=True)
class _Before:
    """The newest frame, as it was worked on: the tracks found in it are in step with `ids`."""

    image: Image
    gray: Image
    looks: FloatArray
    time: float
    regions: Regions
    ids: list[int]
    camera: FloatArray


class AssociationTracker:
    """Each frame's regions are matched one to one with the tracks of the frame before.

    A track is expected where the optical flow takes it, and where its own velocity does: which of the two is
    believed is learned for each track from how well they told the last frames.

    Args:
        min_iou: overlap, weighed by likeness, that continues a track. Raising it loses tracks in fast
            motion rather than letting them slip onto a neighbour.
        confirm_frames: frames in which a new region must be seen. Raising it hides flicker longer.
        lost_s: seconds that an unseen track is remembered. Raising it bridges longer occlusions.
        max_tracks: tracks kept at once, unseen ones included; beyond it the smallest newcomers wait.
        embedder: has a say in which unseen object a newcomer is.
    """

    wants_regions = True

    def __init__(
        self,
        *,
        min_iou: float = 0.45,
        confirm_frames: int = 3,
        lost_s: float = 10.0,
        max_tracks: int = 200,
        embedder: Embedder | None = None,
    ) -> None:
        self.min_iou = min_iou
        self.confirm_frames = confirm_frames
        self.embedder = embedder
        self._lives = Lives(lost_s, max_tracks)
        self._before: _Before | None = None

    def update(self, frame: Frame, regions: Regions | None) -> Tracked:
        """See `Tracker.update`."""
        if regions is None:
            raise TypeError("tracking by association needs the regions of every frame")
        step = step_of(frame.image.shape[:2])
        image = thinned_image(frame.image, step)
        now = gray(image)
        if self._before is not None and is_blank(now, self._before.gray):
            return blind(regions.atoms.shape, self._lives, frame.time)
        fine = regions
        (warped, camera), (regions, features) = together(
            lambda: self._warped(now, image.shape[:2]), lambda: _measured(image, fine, step)
        )
        parts = [] if warped is None else [k for k, i in enumerate(warped.ids) if self._lives[i].part]
        if warped is not None and parts:
            fine = divided(fine, enlarged(warped.regions.select(parts), fine))
            regions, features = _measured(image, fine, step)
        looks, found, ended = features.whole(), Found(), []
        if warped is not None:
            self._continue(found, warped, regions, features, frame.time, camera)
            if is_cut(warped.looks, looks, len(found.ids), len(warped.ids)):
                found, ended = Found(), self._lives.end()
        fresh = unexplained(regions, found.members, [self._lives[i].part for i in found.ids])
        glance = None if self.embedder is None else Glance(self.embedder, frame.image, fine)
        fresh = recall(found, fresh, self._lives, regions, features, frame.time, glance)
        at_once = self._before is None or bool(ended)
        start(found, fresh, self._lives, regions, frame.time, at_once=at_once)
        learn(found, self._lives, regions, features, frame.time, self._is_sure)
        if glance is not None:
            glance.refresh(found.ids, found.members, self._lives, frame.time)
        gone, occluded = self._lives.forget(set(found.ids), frame.time)
        hidden_by = hide(occluded, found, self._lives, regions, frame.time)
        present = regions.regroup(stack(found.members, regions))
        self._before = _Before(image, now, looks, frame.time, present, found.ids, camera)
        return tracked(found, self._lives, fine, gone=[*ended, *gone], occluded=occluded, hidden_by=hidden_by)

    def adopt(self, masks: BoolArray, whole: int | None = None) -> list[int]:
        """See `Tracker.adopt`. A part goes on by its outline where no segment of a frame fits it."""
        before = self._before
        masks = masks[: self._lives.room]
        if before is None or not len(masks):
            return []
        tracks = [self._lives.new(before.time, confirmed=True) for _ in masks]
        for track in tracks:
            track.part, track.whole = True, whole
        self._put([track.id for track in tracks], masks, before)
        return [track.id for track in tracks]

    def correct(self, track: int, mask: BoolArray) -> bool:
        """See `Tracker.correct`."""
        if self._before is None or track not in self._lives.tracks:
            return False
        self._put([track], mask[None], self._before)
        return True

    def _put(self, ids: list[int], masks: BoolArray, before: _Before) -> None:
        """Let tracks have these masks in the newest frame."""
        step = step_of(masks.shape[1:])
        others = [k for k, i in enumerate(before.ids) if i not in ids]
        kept = before.regions.select(others)
        regions = joined(kept, np.array([thinned_mask(mask, step) for mask in masks]))
        found = Found(ids, list(regions.members[len(others) :]), [1.0] * len(ids))
        for i in ids:
            # What was known of it may have been wrong.
            self._lives[i].outline = self._lives[i].embedding = None
        features = Features.measure(before.image, regions)
        learn(found, self._lives, regions, features, before.time, self._is_sure)
        self._before = replace(before, regions=regions, ids=[before.ids[k] for k in others] + ids)

    def _is_sure(self, track: Track) -> bool:
        return track.hits >= self.confirm_frames

    def _warped(self, now: Image, size: tuple[int, ...]) -> tuple[_Before | None, FloatArray]:
        """The tracks of the frame before where the flow takes them, and how far the camera moved, x and y.

        None if there was no frame of this size before.
        """
        before = self._before
        if before is None or before.regions.atoms.shape != size or before.gray.shape != now.shape:
            return None, np.zeros(2, np.float32)
        flow = backward_flow(now, before.gray, (size[1], size[0]))
        atoms = warp_labels(before.regions.atoms, flow)
        camera = -np.median(flow[::8, ::8].reshape(-1, 2), axis=0)
        warped = replace(before, regions=Regions.from_atoms(atoms, before.regions.members))
        return warped, np.asarray(camera, np.float32)

    def _continue(
        self,
        found: Found,
        warped: _Before,
        regions: Regions,
        features: Features,
        time: float,
        camera: FloatArray,
    ) -> None:
        """Find the tracks of the frame before again.

        A track may take any region of this frame, or the atoms under its warped mask where no region
        fits nearly as well (a highlight that splits the object for a moment).
        """
        if not warped.ids:
            return
        tracks = [self._lives[i] for i in warped.ids]
        seen = [track.seen for track in tracks if track.seen is not None]  # all of them
        starts = np.array([shape.center for shape in seen], np.float32)
        flows = _centers(warped.regions) - starts
        moves = (
            np.array([t.velocity for t in tracks]) * np.float32(time - warped.time) + camera - warped.camera
        )
        shared = atom_overlap(warped.regions, regions)
        snapped = snap(shared, regions)
        members = np.concatenate([regions.members, snapped])
        moved = under(
            seen, [s.at(start + move) for s, start, move in zip(seen, starts, moves, strict=True)], regions
        )
        by_flow = iou_matrix(shared, warped.regions.areas, members, regions.atom_areas)
        by_motion = iou_matrix(moved, moved.sum(axis=1).astype(np.int64), members, regions.atom_areas)
        trust = np.array([(t.trust(t.flow_error), t.trust(t.motion_error)) for t in tracks])
        trust[:, 1] *= MOTION_WEIGHT
        trust /= trust.max(axis=1, keepdims=True)
        iou = np.maximum(trust[:, :1] * by_flow, trust[:, 1:] * by_motion)
        looks = np.array([track.looks for track in tracks])
        score = iou * likeness(looks, features.looks(members)) ** LOOKS_WEIGHT
        sizes = np.array([[track.area] for track in tracks])
        areas = features.area(members)
        score *= (np.minimum(sizes, areas) / np.maximum(np.maximum(sizes, areas), 1)) ** SIZE_WEIGHT
        n, m = len(tracks), len(regions)
        # The segmenter may not see a part's outline at all: the old one is as good as any segment's.
        penalty = np.where([track.part for track in tracks], 0.0, SNAP_PENALTY)[:, None]
        same = (snapped[:, None] == regions.members[None]).all(axis=2).any(axis=1)
        own = np.eye(n, dtype=bool) & ~same  # a segment is no alternative to itself
        score[:, m:] = np.where(own, score[:, m:] - penalty, 0.0)
        # Pairs that are too poor take part all the same: else their track would take another's region.
        possible = best_pairs(score, 0.5 * self.min_iou)
        pairs = [(i, j) for i, j in possible if score[i, j] >= self.min_iou]
        rows = [i for i, _ in pairs]
        given = _given_to_others(possible, warped.regions, regions)
        ids = {tracks[i].id for i in rows}
        missing = [t for t in self._lives.tracks.values() if t.confirmed and t.id not in ids]

        def others(k: int) -> BoolArray:
            """What is rather another's than the `k`-th pair's, sets of atoms."""
            return np.asarray(given[rows[k]] | claimed(tracks[rows[k]], missing, regions, time))

        for k, (_, j) in enumerate(pairs):
            if j >= m:
                members[j] &= ~others(k)
        kept = disentangle(members[[j for _, j in pairs]], warped.regions.members[rows], shared[rows])
        parts = [tracks[i].part for i in rows]
        kept = rejoin(kept, parts, shared[rows], looks[rows], others, regions, features)
        row_of = {warped.ids[i]: k for k, i in enumerate(rows)}
        kept = inside_wholes(kept, [row_of.get(tracks[i].whole or 0, -1) for i in rows], features)
        ends, sizes = features.centers(kept), features.area(kept)
        for (i, j), mask, end, area in zip(pairs, kept, ends, sizes, strict=True):
            if not area:
                continue
            track = tracks[i]
            if area >= WHOLE * track.area:  # the middle of a sliver says little
                track.judge(flows[i] - (end - starts[i]), moves[i] - (end - starts[i]))
            found.add(track.id, mask, float(iou[i, j]))


def _measured(image: Image, fine: Regions, step: int) -> tuple[Regions, Features]:
    """The regions that are worked on, and their features in the picture of their size."""
    regions = thinned(fine, step)
    return regions, Features.measure(image, regions)


def _given_to_others(pairs: Sequence[tuple[int, int]], before: Regions, regions: Regions) -> BoolArray:
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
