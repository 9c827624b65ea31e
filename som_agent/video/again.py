"""One frame of a source, read again."""

from __future__ import annotations

from pathlib import Path

from som_agent.errors import InputError
from som_agent.video.frame import Frame
from som_agent.video.source import open_video

__all__ = ["frame_again"]

_NEAR_S = 1e-3


def frame_again(
    source: str | Path, index: int, time: float, fps: float | None = None, max_pixels: int | None = None
) -> Frame:
    """A frame of a file or folder.

    Args:
        source: as for `open_video`.
        index: the frame's number.
        time: its seconds.
        fps: of a folder of pictures, which has no clock of its own.
        max_pixels: as for `open_video`.

    Raises:
        InputError: it is not there: the source was changed, or is gone.
    """
    rate = fps if Path(source).is_dir() else None
    start, end = max(time - _NEAR_S, 0), time + _NEAR_S
    with open_video(source, start=start, end=end, fps=rate, max_pixels=max_pixels) as video:
        for frame in video:
            if frame.index == index:
                return frame
    raise InputError(f"frame {index} of {source} is no longer there: the source was changed")
