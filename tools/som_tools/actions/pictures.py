"""Marked frames as PNG files, drawn for whoever looks."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from som_agent.errors import InputError
from som_agent.keyframes import Keyframe, Wanted
from som_agent.marks.view import View
from som_agent.video import Image
from som_tools.sessions import Opened

__all__ = ["LONG_PX", "marked_picture", "png"]

LONG_PX = 768
"""Long side of the pictures that tools give back: what hosted models see of one, about."""


def png(image: Image) -> bytes:
    """A picture `[H, W, 3] uint8` RGB as a PNG file."""
    done, data = cv2.imencode(".png", cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR))
    if not done:
        raise InputError(f"a picture of {image.shape[1]}x{image.shape[0]} px cannot be written as PNG")
    return bytes(data)


def marked_picture(opened: Opened, frame: int, marks: Sequence[int], long_px: int = LONG_PX) -> Keyframe:
    """The marked picture of a source frame, or of the one nearest to it that is kept.

    Args:
        opened: the session.
        frame: source frame number.
        marks: the marks to draw, the most important first.
        long_px: long side of the picture.
    """
    view = View("tools", long_px, marks=max(1, len(marks)))
    return opened.pictures([frame], Wanted(view, marks, budget=1))[0]
