"""True masks from the renderer as a segmenter, numbered anew in every frame: who is who the tracker finds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from som_agent.errors import SegmenterError
from som_agent.regions import Regions
from som_agent.video.frame import Frame

__all__ = ["RenderedMasks"]


class RenderedMasks:
    """Give it the label map of a frame before the session takes the frame.

    Args:
        seed: of the shuffling.
    """

    name = "labels"
    ready_made = True

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 13])
        self.labels: npt.NDArray[np.uint8] | None = None

    def segment(self, frame: Frame) -> Regions:
        """See `Segmenter`."""
        if self.labels is None or self.labels.shape != frame.image.shape[:2]:
            raise SegmenterError(f"{self.name}: no label map for frame {frame.index}")
        shuffled = np.zeros(256, np.int32)
        shuffled[1:] = 1 + self._rng.permutation(255)
        return Regions.from_labels(shuffled[self.labels])
