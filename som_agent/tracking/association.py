"""Tracking by association: each frame's segments are matched with the tracks, whose memory bridges gaps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.tracking.associate import best_pairs, disentangle
from som_agent.tracking.candidates import candidates, given_to_others
from som_agent.tracking.embedders import Embedder
from som_agent.tracking.features import Features
from som_agent.tracking.flow import backward_flow, gray, warp_labels
from som_agent.tracking.found import Found, blind, hide, learn, recall, start, tracked
from som_agent.tracking.glance import Glance
from som_agent.tracking.lives import WHOLE, Lives, Track
from som_agent.tracking.pieces import divided, inside_wholes, rejoin, stack, unexplained
from som_agent.tracking.recognition import claimed
from som_agent.tracking.scene import is_blank, is_cut
from som_agent.tracking.thinned import enlarged, step_of, thinned, thinned_image, thinned_mask
from som_agent.tracking.tracks import Tracked, joined
from som_agent.video.frame import Frame, Image
from som_kernels._threads import together

__all__ = ["AssociationTracker"]


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
        """Find the tracks of the frame before again."""
        if not warped.ids:
            return
        tracks, m = [self._lives[i] for i in warped.ids], len(regions)
        may = candidates(
            tracks, warped.regions, regions, features, camera - warped.camera, time - warped.time
        )
        # Pairs that are too poor take part all the same: else their track would take another's region.
        possible = best_pairs(may.score, 0.5 * self.min_iou)
        pairs = [(i, j) for i, j in possible if may.score[i, j] >= self.min_iou]
        rows = [i for i, _ in pairs]
        own, before, shared = [tracks[i] for i in rows], warped.regions.members[rows], may.shared[rows]
        given = given_to_others(possible, warped.regions, regions)[rows]
        nothing = np.zeros(regions.members.shape[1], bool)
        ids = {track.id for track in own}
        missing = [t for t in self._lives.tracks.values() if t.confirmed and t.id not in ids]

        def others(k: int) -> BoolArray:
            """What is rather another's than the `k`-th pair's, a set of atoms.

            Nothing where the segmenter offers other cuts too: pieces of a thing look like other things there.
            """
            if not regions.has_one_cut:
                return nothing
            return np.asarray(given[k] | claimed(own[k], missing, regions, time))

        for k, (_, j) in enumerate(pairs):
            if j >= m:
                may.members[j] &= ~others(k)
        kept = disentangle(may.members[[j for _, j in pairs]], before, shared)
        parts = [track.part for track in own]
        kept = rejoin(kept, parts, shared, may.looks[rows], others, regions, features)
        row_of = {track.id: k for k, track in enumerate(own)}
        kept = inside_wholes(kept, [row_of.get(track.whole or 0, -1) for track in own], features)
        ends, areas = features.centers(kept), features.area(kept)
        for k, (i, j) in enumerate(pairs):
            if not areas[k]:
                continue
            if areas[k] >= WHOLE * own[k].area:  # the middle of a sliver says little
                moved = ends[k] - may.starts[i]
                own[k].judge(may.flows[i] - moved, may.moves[i] - moved)
            found.add(own[k].id, kept[k], float(may.iou[i, j]))


def _measured(image: Image, fine: Regions, step: int) -> tuple[Regions, Features]:
    """The regions that are worked on, and their features in the picture of their size."""
    regions = thinned(fine, step)
    return regions, Features.measure(image, regions)
