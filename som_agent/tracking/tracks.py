"""What a tracker gives back for one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from som_agent.regions import BoolArray, FloatArray, IntArray, Regions
from som_agent.video.frame import Frame

__all__ = ["Tracked", "Tracker", "joined"]


@dataclass(frozen=True)
class Tracked:
    """The tracks of one frame.

    Attributes:
        regions: one region per visible confirmed track, at the size of the picture that was tracked.
        ids: their tracks, `[N] int32`; an id once given is never given again.
        scores: overlap of the region with the one expected from the frame before, `[N] float32`.
        centers: centroid x, y of each region in pixels of that picture, `[N, 2] float32`.
        occluded: confirmed tracks that are not seen in this frame but may come back.
        gone: tracks given up in this frame.
        hidden_by: for occluded tracks, the track that came over them: what is under a cup goes with the cup.
    """

    regions: Regions
    ids: IntArray
    scores: FloatArray
    centers: FloatArray
    occluded: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    hidden_by: dict[int, int] = field(default_factory=dict)

    def plus(self, ids: Sequence[int], members: BoolArray, scores: Sequence[float]) -> Tracked:
        """These tracks and more of them after these, which are sets of the same atoms, `[M, A + 1] bool`."""
        regions = self.regions
        areas = members @ regions.atom_areas
        sums = members @ (regions.atom_centroids * regions.atom_areas[:, None])
        centers = (sums / np.maximum(areas, 1)[:, None]).astype(np.float32)
        return replace(
            self,
            regions=regions.regroup(np.concatenate([regions.members, members])),
            ids=np.concatenate([self.ids, np.array(ids, np.int32)]),
            scores=np.concatenate([self.scores, np.array(scores, np.float32)]),
            centers=np.concatenate([self.centers, centers]),
        )

    def correcting(self, track: int, mask: BoolArray) -> Tracked:
        """These tracks, of which one has another mask `[h, w] bool` now; it may have been hidden."""
        others = np.flatnonzero(self.ids != track)
        kept = replace(
            self,
            regions=self.regions.select(others),
            ids=self.ids[others],
            scores=self.scores[others],
            centers=self.centers[others],
            occluded=[i for i in self.occluded if i != track],
            hidden_by={i: hider for i, hider in self.hidden_by.items() if i != track},
        )
        return kept.adopting([track], mask[None])

    def adopting(self, ids: Sequence[int], masks: BoolArray) -> Tracked:
        """These tracks and after them the masks `[M, h, w] bool` that a tracker has adopted."""
        regions, n = joined(self.regions, masks), len(self.ids)
        own = replace(self, regions=regions.regroup(regions.members[:n]))
        return own.plus(ids, regions.members[n:], [1.0] * len(ids))


def joined(regions: Regions, masks: BoolArray) -> Regions:
    """The regions and after them more, given as masks `[M, h, w] bool` of which none is empty."""
    own = [regions.mask(i) for i in range(len(regions))]
    return Regions.from_masks(np.array([*own, *masks]))


class Tracker(Protocol):
    """Regions per frame → tracks."""

    @property
    def wants_regions(self) -> bool:
        """Whether the next `update` needs regions; a tracker that propagates needs them now and then."""
        ...

    def update(self, frame: Frame, regions: Regions | None) -> Tracked:
        """Take the next frame and its regions.

        Args:
            frame: the picture that was segmented, and its time; times must not go backwards.
            regions: what the segmenter found in it; None is enough where `wants_regions` is false.
        """
        ...

    def adopt(self, masks: BoolArray, whole: int | None = None) -> list[int]:
        """Start tracks in the newest frame, as if they had been seen in it: the parts of an object, say.

        They may lie on tracks and on each other. What is tracked goes on as it is.

        Args:
            masks: `[N, h, w] bool` of the size of the frame that was tracked, none empty, the largest first.
            whole: the track of which they are parts: they stay on it, and go on without it.

        Returns:
            The ids of the new tracks, confirmed ones, in the order of the masks: fewer where the tracker has
            no room for all, none before the first frame.
        """
        ...

    def correct(self, track: int, mask: BoolArray) -> bool:
        """Let a track have another mask in the newest frame, from which it goes on; the others stay.

        Args:
            track: its id.
            mask: `[h, w] bool` of the size of the frame that was tracked, not empty.

        Returns:
            Whether there is such a track.
        """
        ...
