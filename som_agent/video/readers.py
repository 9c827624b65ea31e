"""What a source of frames is underneath: a reader knows its frames beforehand, a stream does not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from som_agent.video.frame import Image

__all__ = ["Reader", "Stream", "UnreadableError"]


class UnreadableError(Exception):
    """The next frame cannot be read, and none after it; the text says why in a few words.

    Attributes:
        after: number of the last frame that can be read, -1 for none.
    """

    def __init__(self, reason: str, after: int) -> None:
        super().__init__(reason)
        self.after = after


class Reader(ABC):
    """A file, a folder or a picture.

    Attributes:
        size: width and height of every frame.
        fps: mean frames a second; None where there is no clock.
        duration: seconds from the first frame to the end of the last; None where there is no clock.
        times: seconds, the first 0.0, ascending, `[N] float64`.
        missing: what is known to be missing after the last frame, "" for nothing: a cut file.
        expected: how many frames there should be, None if it is not known.
    """

    size: tuple[int, int]
    fps: float | None
    duration: float | None
    times: npt.NDArray[np.float64]
    missing: str
    expected: int | None

    @abstractmethod
    def read(self, indices: range) -> Iterator[tuple[int, Image]]:
        """The frames of these ascending numbers, each `[H, W, 3] uint8` RGB with its number.

        May be called again; every call decodes anew and holds a few frames at a time.

        Raises:
            UnreadableError: damage; the frames before it have been delivered.
        """

    @abstractmethod
    def stem(self, index: int) -> str | None:
        """File stem of a frame that is a picture file."""


class Stream(ABC):
    """A camera or a network address: frames come when they come.

    Attributes:
        size: width and height of every frame.
        fps: frames a second as announced, None if unknown.
        duration: seconds, None if unknown or endless.
        expected: how many frames were announced, None if unknown or endless.
        is_live: there is no end, and what is not read in time may be lost.
        losses: what could not be decoded although the stream went on, "" for nothing.
    """

    size: tuple[int, int]
    fps: float | None
    duration: float | None
    expected: int | None
    is_live: bool
    losses: str

    @abstractmethod
    def read(self) -> Iterator[tuple[float, Image]]:
        """The frames from now on: seconds since the first frame, `[H, W, 3] uint8` RGB.

        Raises:
            UnreadableError: the stream broke off.
        """

    @abstractmethod
    def close(self) -> None:
        """Let the camera or the connection go."""
