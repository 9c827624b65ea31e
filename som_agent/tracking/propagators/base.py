"""What carries masks from frame to frame without a segmenter's help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from som_agent.regions import BoolArray, FloatArray, IntArray, Regions
from som_agent.video.frame import Frame

__all__ = ["Propagated", "Propagator"]


@dataclass(frozen=True)
class Propagated:
    """The objects of one frame as they were carried into it.

    Attributes:
        regions: one region per object that is seen, at the size of the frame; they may lie on one another.
        ids: the objects, `[N] int32`, in step with the regions. An object that is missing here is hidden, and
            is still carried: it comes back by itself when it is seen again.
        scores: how sure it is that the region is still that object, `[N] float32`, 0 to 1.
    """

    regions: Regions
    ids: IntArray
    scores: FloatArray


class Propagator(Protocol):
    """Objects of the frames before → the same objects in the next frame. It never waits for the future.

    All frames are of one size. Memory is bounded, however many frames come.
    """

    name: str
    """The name that the user gave, `flow` or `hf:DIR` for example."""

    def fresh(self) -> Propagator:
        """Another one that has seen nothing yet; what was loaded is shared."""
        ...

    def step(self, frame: Frame) -> Propagated:
        """Take the next frame and carry every object into it; the first frame has none."""
        ...

    def put(self, ids: Sequence[int], masks: BoolArray) -> None:
        """Add objects to the newest frame, or correct those that it has; the others go on as they are.

        Args:
            ids: any numbers from 1, each once.
            masks: where they are in the frame of the last `step`, `[N, h, w] bool`, none empty; they may
                lie on one another: the whole and its parts.
        """
        ...

    def drop(self, ids: Sequence[int]) -> None:
        """Forget objects for good; unknown ones are none of its business."""
        ...
