"""Video files through PyAV: decord's twin, for machines without decord and files that decord refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from som_agent.errors import InputError
from som_agent.video.containers import ends_early, index_file, open_video_file
from som_agent.video.frame import Image
from som_agent.video.readers import Reader, UnreadableError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["PyavReader", "upright", "upright_size"]


class PyavReader(Reader):
    """A video file. Opening decodes its first frame and walks through its packets once.

    Args:
        path: the file.
        max_pixels: of a frame; the decoder takes larger ones for damage. None for no limit.
    """

    def __init__(self, path: Path, max_pixels: int | None = None) -> None:
        self.path, self.max_pixels = path, max_pixels
        self._damage = "is damaged"
        if max_pixels is not None:
            self._damage += f" or has frames of more than {max_pixels} pixels"
        with open_video_file(path, max_pixels) as (container, stream):
            self._cut = ends_early(path)
            try:
                first = next(self._decoded(container, stream), None)
            except UnreadableError as error:
                raise InputError(f"{path} {error} from its first frame on: nothing can be read") from error
            if first is None:
                why = "is cut off within its first frame" if self._cut else "has no frames"
                raise InputError(f"{path} {why}: nothing can be read")
            self.size, self.form = upright_size(first), container.format.name
        index = index_file(path, first.pts, max_pixels)
        self._ticks, self.times = index.ticks, index.times
        self.fps, self.duration = index.fps, index.duration
        self.missing, self.expected = index.missing, index.expected

    def read(self, indices: range) -> Iterator[tuple[int, Image]]:
        """Decode from the last keyframe before the first number; only frames asked for are converted."""
        if not indices:
            return
        numbered = self._numbered(indices[0])
        number, frame = next(numbered, (-1, None))
        if indices[0] > 0 and not 0 <= number <= indices[0]:  # the seek led too far: from the beginning, then
            numbered = self._numbered(0)
            number, frame = next(numbered, (-1, None))
        while frame is not None:
            if number in indices:
                yield number, upright(frame, self.size)
            if number >= indices[-1]:
                return
            number, frame = next(numbered, (-1, None))

    def stem(self, index: int) -> None:
        """None: frames of a video file have no names."""

    def _numbered(self, start: int) -> Iterator[tuple[int, VideoFrame]]:
        """Frames with their numbers, from a keyframe at or before `start`."""
        import av

        number = -1
        with open_video_file(self.path, self.max_pixels) as (container, stream):
            if self._ticks is not None and start > 0:
                try:
                    container.seek(int(self._ticks[start]), stream=stream)
                except av.FFmpegError:
                    return  # as if it had led too far
            try:
                for frame in self._decoded(container, stream):
                    following = self._number(frame, number)
                    if following is not None and following > number:  # damaged times can go back
                        number = following
                        yield number, frame
            except UnreadableError as error:
                # What still waits in the decoder comes from before the damage, with gaps at the end.
                for frame in _waiting(stream):
                    if self._number(frame, number) != number + 1:
                        break
                    number += 1
                    yield number, frame
                raise UnreadableError(str(error), after=number) from error

    def _number(self, frame: VideoFrame, previous: int) -> int | None:
        if self._ticks is None:
            return previous + 1 if previous + 1 < len(self.times) else None
        if frame.pts is None:
            return None
        number = int(np.searchsorted(self._ticks, frame.pts))
        return number if number < len(self._ticks) and self._ticks[number] == frame.pts else None

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Decode from where the container stands to its end or to the first damage."""
        import av

        # More threads gain little on two cores, and they blur which frame is damaged.
        stream.thread_type = "NONE"
        begun = False
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                begun |= packet.is_keyframe
                at_cut = self._cut and packet.is_corrupt  # half a packet; the decoder is emptied instead
                frames = stream.decode(None if at_cut else packet)
            except (
                av.FFmpegError,
                IndexError,
            ) as error:  # the latter where damage looks like one more stream
                if not begun:
                    continue  # recordings may begin between keyframes: nothing to decode from yet
                raise UnreadableError(self._damage, after=-1) from error
            yield from frames
            if at_cut:
                return


def _waiting(stream: VideoStream) -> list[VideoFrame]:
    """Empty a decoder that met damage."""
    import av

    try:
        return stream.decode(None)
    except av.FFmpegError:
        return []


def upright(frame: VideoFrame, size: tuple[int, int]) -> Image:
    """The picture of a frame as it is meant to be seen: `[H, W, 3] uint8` RGB, of `size` (width, height)."""
    turns = round(frame.rotation / 90) % 4
    w, h = size[::-1] if turns % 2 else size
    image = frame.to_ndarray(format="rgb24", width=w, height=h)
    return np.array(np.rot90(image, turns) if turns else image, np.uint8, order="C")


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """Width and height of a frame as it is meant to be seen."""
    return (frame.height, frame.width) if round(frame.rotation / 90) % 2 else (frame.width, frame.height)
