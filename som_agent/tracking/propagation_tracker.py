"""Tracking by propagation: masks are carried from frame to frame, and compared with regions now and then."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from som_agent.regions import BoolArray, FloatArray, IntArray, Regions
from som_agent.tracking.associate import best_pairs, iou_matrix, totals
from som_agent.tracking.embedders import Embedder
from som_agent.tracking.features import Features
from som_agent.tracking.flow import gray
from som_agent.tracking.found import Found, blind, hide, learn, recall, start, tracked
from som_agent.tracking.glance import Glance
from som_agent.tracking.lives import Lives, Track
from som_agent.tracking.pieces import stack, unexplained
from som_agent.tracking.propagators.base import Propagator
from som_agent.tracking.scene import is_blank, is_cut
from som_agent.tracking.tracks import Tracked
from som_agent.video.frame import Frame, Image

__all__ = ["PropagationTracker"]

AGREES, EXACT = 0.6, 0.85
"""Overlap from which a region is taken for a carried object, and from which it need not correct it."""
SAME = 0.8
"""Overlap from which two carried objects are one."""
SURE = 0.5
"""Score from which a carried object goes on, when another scene may have begun."""
GROWTH = 0.03
"""Share of the picture by which what no object covers grows before regions are wanted out of turn."""


@dataclass(frozen=True)
class _Before:
    """The newest frame: its picture, grey too, its looks as a whole, its bare share, and its objects."""

    frame: Frame
    gray: Image
    looks: FloatArray
    bare: float
    count: int


class PropagationTracker:
    """Objects are carried by a propagator; regions bring new ones, correct drift, find lost ones again.

    Every few frames what was carried is merged with what the segmenter finds (consensus as in DEVA, Cheng et
    al., ICCV 2023, but online): a region that is mostly a carried object corrects it, what no object explains
    is new or recognised, and of two objects that became one the younger ends.

    Args:
        propagator: carries the masks.
        every: frames from one look of the segmenter to the next; sooner when much comes into sight.
        confirm_looks: looks in which a new region must be found before it is shown.
        lost_s: seconds that an unseen track is remembered.
        max_tracks: tracks kept at once, unseen ones included.
        embedder: has a say in which unseen object a newcomer is; what the propagator finds again by itself
            is not questioned.

    Attributes:
        every: as above; it may be changed between frames.
    """

    def __init__(
        self,
        propagator: Propagator,
        *,
        every: int = 5,
        confirm_looks: int = 2,
        lost_s: float = 10.0,
        max_tracks: int = 200,
        embedder: Embedder | None = None,
    ) -> None:
        self.propagator = propagator
        self.every = every
        self.confirm_looks = confirm_looks
        self.embedder = embedder
        self._lives = Lives(lost_s, max_tracks)
        self._since = math.inf  # frames since the last look; no end of them where one is due whatever `every`
        self._bare = 1.0  # share of the picture that was bare right after it
        self._before: _Before | None = None

    @property
    def wants_regions(self) -> bool:
        """See `Tracker.wants_regions`: it is time to look, or much came into sight since the last look."""
        before = self._before
        return before is None or self._since >= self.every or before.bare > self._bare + GROWTH

    def update(self, frame: Frame, regions: Regions | None) -> Tracked:
        """See `Tracker.update`."""
        now, before = gray(frame.image), self._before
        if before is not None and is_blank(now, before.gray):
            return blind(frame.image.shape[:2], self._lives, frame.time)
        carried = self.propagator.step(frame)
        known = [k for k, i in enumerate(carried.ids) if int(i) in self._lives.tracks]
        found, ended = Found(), []
        if regions is None:
            merged = carried.regions
            rows = merged.members
        else:
            merged, rows = _merged(carried.regions, regions)
        for k in known:
            found.add(int(carried.ids[k]), rows[k], float(carried.scores[k]))
        features = Features.measure(frame.image, merged)
        looks = features.whole()
        sure = sum(score >= SURE for score in found.scores)
        if before is not None and is_cut(before.looks, looks, sure, before.count):
            found, ended = Found(), self._end()
        glance = None if self.embedder is None else Glance(self.embedder, frame.image, merged)
        if regions is not None:
            at_once = before is None or bool(ended)
            ended += self._look(
                found, merged, len(carried.ids), features, frame.time, glance, at_once=at_once
            )
            self._since = 0
        self._since += 1
        learn(found, self._lives, merged, features, frame.time, self._is_sure)
        if glance is not None:
            glance.refresh(found.ids, found.members, self._lives, frame.time)
        gone, occluded = self._lives.forget(set(found.ids), frame.time)
        self.propagator.drop(gone)
        hidden_by = hide(occluded, found, self._lives, merged, frame.time)
        members = stack(found.members, merged)
        covered = float(merged.atom_areas[members.any(axis=0)].sum())
        bare = 1.0 - covered / merged.atoms.size
        self._before = _Before(frame, now, looks, bare, len(found.ids))
        if regions is not None:
            self._bare = bare
        return tracked(
            found, self._lives, merged, gone=[*ended, *gone], occluded=occluded, hidden_by=hidden_by
        )

    def adopt(self, masks: BoolArray, whole: int | None = None) -> list[int]:
        """See `Tracker.adopt`."""
        if self._before is None or not len(masks):
            return []
        masks = masks[: self._lives.room]
        tracks = [self._lives.new(self._before.frame.time, confirmed=True) for _ in masks]
        for track in tracks:
            track.part, track.whole = True, whole
        ids = [track.id for track in tracks]
        self._put(ids, masks)
        return ids

    def correct(self, track: int, mask: BoolArray) -> bool:
        """See `Tracker.correct`."""
        if self._before is None or track not in self._lives.tracks:
            return False
        # What was known of it may have been wrong.
        self._lives[track].outline = self._lives[track].embedding = None
        self._put([track], mask[None])
        return True

    def _put(self, ids: list[int], masks: BoolArray) -> None:
        """Let tracks have these masks in the newest frame."""
        assert self._before is not None
        frame = self._before.frame
        self.propagator.put(ids, masks)
        regions = Regions.from_masks(masks)
        found = Found(ids, list(regions.members), [1.0] * len(ids))
        learn(found, self._lives, regions, Features.measure(frame.image, regions), frame.time, self._is_sure)

    def _is_sure(self, track: Track) -> bool:
        return track.looks_agreed >= self.confirm_looks

    def _end(self) -> list[int]:
        """End all tracks; the confirmed ones."""
        ids = list(self._lives.tracks)
        self.propagator.drop(ids)
        self._since = math.inf
        return self._lives.end()

    def _look(
        self,
        found: Found,
        merged: Regions,
        first: int,
        features: Features,
        time_s: float,
        glance: Glance | None,
        *,
        at_once: bool,
    ) -> list[int]:
        """Merge what was carried with the segmenter's regions: those of `merged` from row `first` on.

        Tentative objects that this look did not find end, and of two that became one the younger.

        Returns:
            The confirmed ones that ended.
        """
        regions = merged.select(np.arange(first, len(merged)))
        changed, agreed = _corrected(found, regions)
        for i in agreed:
            self._lives[i].looks_agreed += 1
        unsure = [k for k, i in enumerate(found.ids) if not (self._lives[i].confirmed or i in agreed)]
        leaving = sorted({*unsure, *_duplicates(found, merged)}, reverse=True)
        ended = self._lives.drop([found.ids[k] for k in leaving])
        self.propagator.drop([found.ids[k] for k in leaving])
        for k in leaving:
            changed.discard(found.ids[k])
            found.drop(k)
        known = set(found.ids)
        fresh = unexplained(regions, found.members, [self._lives[i].part for i in found.ids])
        before = set(self._lives.tracks)
        fresh = recall(found, fresh, self._lives, regions, features, time_s, glance)
        start(found, fresh, self._lives, regions, time_s, at_once=at_once)
        for i in found.ids:
            if i not in before:
                self._lives[i].looks_agreed = 1
        self.propagator.drop(list(before - set(self._lives.tracks)))
        changed |= set(found.ids) - known
        rows = [k for k, i in enumerate(found.ids) if i in changed]
        if rows:
            masks = np.array([found.members[k][merged.atoms] for k in rows])
            self.propagator.put([found.ids[k] for k in rows], masks)
        return ended


def _merged(carried: Regions, regions: Regions) -> tuple[Regions, BoolArray]:
    """Carried objects and then regions on common atoms; and the former as sets of these."""
    first, second = carried.members.shape[1], regions.members.shape[1]
    pairs: IntArray = carried.atoms * np.int32(second) + regions.atoms
    there = np.flatnonzero(np.bincount(pairs.ravel(), minlength=first * second))
    there = there[there > 0]
    name = np.zeros(first * second, np.int32)
    name[there] = np.arange(1, len(there) + 1, dtype=np.int32)
    kinds = np.concatenate([[0], there])
    own = carried.members[:, kinds // second]
    rows = regions.members[:, kinds % second]
    n = len(own)
    parents = np.where(regions.parents >= 0, regions.parents + n, -1)
    merged = Regions.from_atoms(
        name[pairs],
        np.concatenate([own, rows]),
        scores=np.concatenate([carried.scores, regions.scores]),
        levels=np.concatenate([carried.levels, regions.levels]),
        parents=np.concatenate([np.full(n, -1), parents]).astype(np.int32),
        proposed=np.concatenate([np.zeros(n, bool), regions.proposed]),
    )
    return merged, own


def _corrected(found: Found, regions: Regions) -> tuple[set[int], set[int]]:
    """Give carried objects the outline of the region that is mostly them.

    Returns:
        The ids of those that changed much by it, and of all that have such a region.
    """
    members = stack(found.members, regions)
    areas = members @ regions.atom_areas
    shared = np.where(members, regions.atom_areas, 0).astype(np.float64)
    iou = iou_matrix(shared, areas, regions.members, regions.atom_areas)
    changed, agreed = set(), set()
    for i, j in best_pairs(iou, AGREES):
        agreed.add(found.ids[i])
        if iou[i, j] < EXACT:
            found.members[i] = regions.members[j]
            changed.add(found.ids[i])
    return changed, agreed


def _duplicates(found: Found, regions: Regions) -> list[int]:
    """Rows of objects that an older one has become the same as."""
    members = stack(found.members, regions)
    shared = totals(members, np.where(members, regions.atom_areas, 0).T)
    areas = members @ regions.atom_areas
    iou = shared / np.maximum(areas[:, None] + areas[None] - shared, 1)
    ids = np.array(found.ids)
    older = (iou >= SAME) & (ids[None] < ids[:, None])
    return [int(k) for k in np.flatnonzero(older.any(axis=1))]
