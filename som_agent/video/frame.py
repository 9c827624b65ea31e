"""One frame of a video, or one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Frame", "Image"]

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        image: `[H, W, 3] uint8`, RGB.
        index: its number in the source, from 0; frames left out by a start or a step keep theirs.
        time: seconds from the start of the source.
        name: file stem, where frames are picture files.
    """

    image: Image
    index: int
    time: float
    name: str | None = None

    def __repr__(self) -> str:
        h, w = self.image.shape[:2]
        return f"Frame({self.index}, {self.time:.3f} s, {w}x{h} px)"
