"""Pictures that break the thread: black ones, and the first one of another scene."""

from __future__ import annotations

import cv2

from som_agent.regions import FloatArray
from som_agent.tracking.features import likeness
from som_agent.video.frame import Image

__all__ = ["is_blank", "is_cut"]

FLAT, VARIED = 3.0, 8.0
"""Standard deviation of grey below which a picture shows nothing, and above which it shows something."""
OTHER_SCENE = 0.35
"""Likeness of two pictures as wholes below which they may be of two scenes."""
GOES_ON = 0.5
"""Share of the tracks that go on through anything but a cut."""


def is_blank(now: Image, before: Image) -> bool:
    """Whether a grey picture shows nothing, after one that showed something."""
    return _spread(now) < FLAT and _spread(before) > VARIED


def _spread(picture: Image) -> float:
    return float(cv2.meanStdDev(picture)[1][0, 0])


def is_cut(before: FloatArray, now: FloatArray, kept: int, tracks: int) -> bool:
    """Whether another scene began: the picture as a whole looks otherwise, and few tracks go on.

    Args:
        before: looks of the whole picture before, `[1, C + T]`; see `Features.whole`.
        now: of this one.
        kept: tracks that go on.
        tracks: how many there were.
    """
    return kept < GOES_ON * tracks and float(likeness(before, now)[0, 0]) < OTHER_SCENE
