"""What a session takes in: the next frame, or a clear word on why it cannot be one."""

from __future__ import annotations

import math

import numpy as np

from som_agent.errors import InputError
from som_agent.video.frame import Frame, Image

__all__ = ["next_frame"]


def next_frame(image: Image | Frame, time: float | None, last: Frame | None) -> Frame:
    """The frame that comes after `last`.

    Args:
        image: `[H, W, 3] uint8` RGB, or a `Frame` with its own number and time.
        time: seconds; needed unless `image` is a `Frame`.
        last: the frame before it, None for the first.

    Raises:
        InputError: not such a picture, another size than before, or a time before the last one.
    """
    if isinstance(image, Frame):
        frame = image
    elif time is None:
        raise InputError("step needs the time of the frame in seconds: step(image, time=0.0)")
    else:
        frame = Frame(image, 0 if last is None else last.index + 1, float(time))
    pixels = frame.image
    if not isinstance(pixels, np.ndarray):
        raise InputError(f"a frame must be [H, W, 3] uint8 RGB, got {type(pixels).__name__}")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise InputError(f"a frame must be [H, W, 3] uint8 RGB, got {pixels.dtype} of shape {pixels.shape}")
    if not math.isfinite(frame.time):
        raise InputError(f"the time of frame {frame.index} is {frame.time}, but must be in seconds")
    if last is not None:
        if pixels.shape != last.image.shape:
            was, now = (f"{s[1]}x{s[0]} px" for s in (last.image.shape, pixels.shape))
            raise InputError(f"frame {frame.index} is {now}, the frames before it are {was}")
        if frame.time < last.time:
            raise InputError(f"frame {frame.index} is at {frame.time} s, before the last one ({last.time} s)")
    return frame
