"""What a tracker gives back for one frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from som_agent.regions import FloatArray, IntArray, Regions
from som_agent.video.frame import Frame

__all__ = ["Tracked", "Tracker"]


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
    """

    regions: Regions
    ids: IntArray
    scores: FloatArray
    centers: FloatArray
    occluded: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)


class Tracker(Protocol):
    """Regions per frame → tracks."""

    def update(self, frame: Frame, regions: Regions) -> Tracked:
        """Take the next frame and its regions.

        Args:
            frame: the picture that was segmented, and its time; times must not go backwards.
            regions: what the segmenter found in it.
        """
        ...
