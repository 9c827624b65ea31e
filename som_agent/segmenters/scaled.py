"""A segmenter that looks at smaller pictures than it is given, to be faster."""

from __future__ import annotations

from dataclasses import replace

from som_agent.regions import Regions
from som_agent.scaling import fit, resized
from som_agent.segmenters.base import Segmenter, is_ready_made
from som_agent.video.frame import Frame

__all__ = ["ScaledSegmenter"]


class ScaledSegmenter:
    """Segments a shrunken picture and brings the regions back to its full size.

    Args:
        inner: the segmenter that does the work. One whose regions are ready made is left as it is: looking
            them up takes as long at any size.

    Attributes:
        share: of the picture's sides, above 0 to 1; it may be changed between frames.
    """

    def __init__(self, inner: Segmenter) -> None:
        self.inner, self.name = inner, inner.name
        self.ready_made = is_ready_made(inner)
        self.share = 1.0

    def segment(self, frame: Frame) -> Regions:
        """See `Segmenter.segment`."""
        h, w = frame.image.shape[:2]
        small = fit(frame.image, max(round(self.share * max(h, w)), 16))
        if self.ready_made or small is frame.image:
            return self.inner.segment(frame)
        return resized(self.inner.segment(replace(frame, image=small)), (w, h))
