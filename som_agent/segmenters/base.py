"""What a segmenter is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from som_agent.regions import Regions
    from som_agent.video.frame import Frame

__all__ = ["Segmenter", "is_ready_made"]


class Segmenter(Protocol):
    """Frame → regions. It remembers nothing from frame to frame.

    One that reads its regions somewhere, instead of finding them in the frame's pixels, may say so by an
    attribute `ready_made` that is true; see `is_ready_made`.
    """

    name: str
    """The name that the user gave, `labels:masks/` for example: it goes into answers and run files."""

    def segment(self, frame: Frame) -> Regions:
        """Segment one frame.

        Args:
            frame: its image is `[h, w, 3] uint8` RGB, usually smaller than the source.

        Returns:
            Regions of exactly that size, none empty; there may be none.

        Raises:
            SegmenterError: what the segmenter was given does not fit the frame.
        """
        ...


def is_ready_made(segmenter: Segmenter) -> bool:
    """Whether its regions are there before the picture is: of whole pictures, at a size of their own."""
    return bool(getattr(segmenter, "ready_made", False))
