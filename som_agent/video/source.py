"""Every kind of input as one iterator of frames with true times."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from som_agent.errors import InputError
from som_agent.video.frame import Frame
from som_agent.video.kinds import camera_number, check_regular, is_address, is_picture, printable
from som_agent.video.readers import Reader, Stream, UnreadableError

__all__ = ["VideoSource", "open_video"]


class VideoSource(ABC):
    """Frames of a video, a folder, a picture, a camera or a network address, one at a time.

    Iterate over it, as a context manager or not; memory does not grow with the length. A file, folder or
    picture may be iterated again, a live source goes on where it stands.

    Attributes:
        name: what the user gave, without the password of an address.
        size: width and height in pixels of the frames as delivered, turned upright.
        fps: mean frames a second of the source before any step, None if unknown. The rate may vary: tell time
            by the frames' times, never by their numbers.
        frame_count: how many frames the iteration will deliver, None if unknown.
        duration: seconds of the whole source before any cut, None if unknown or endless.
        is_live: it has no end, and what is not read in time may be lost.
        problem: one line saying what could not be read, set when the iteration gets there; None before, and
            where all is well.
    """

    name: str
    size: tuple[int, int]
    fps: float | None
    frame_count: int | None
    duration: float | None
    is_live: bool
    problem: str | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Let files, cameras and connections go."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_video(
    source: str | Path | int,
    *,
    start: float | None = None,
    end: float | None = None,
    every: int = 1,
    fps: float | None = None,
    max_pixels: int | None = None,
) -> VideoSource:
    """Open anything that has frames.

    A frame belongs to the cut if start ≤ time < end, with times rounded to milliseconds: a time that was
    printed with three digits finds its frame again.

    Args:
        source: a video file; a folder of pictures of one size, taken in name order; a picture; the number
            of a camera (0, "0" or "/dev/video0"); or an address (rtsp://, http://, …).
        start: seconds from the first frame; earlier frames are left out.
        end: seconds from the first frame; this and later frames are left out.
        every: deliver every N-th frame, counted from the first one delivered.
        fps: frames a second of a folder, 24 if not given; nothing else takes it.
        max_pixels: most pixels of a frame of a file or a folder; what has more is not decoded.

    Returns:
        The source. Damage that leaves frames to be read shows in its `problem` during the iteration.

    Raises:
        InputError: there is nothing to read, no frame lies between start and end, or a value makes no sense.
    """
    _check_values(start, end, every, fps)
    given = source if isinstance(source, int) else str(source)
    if given == "":  # as a path it would be the current folder
        raise InputError("the source is empty: name a video, a picture, a folder, a camera or an address")
    name = printable(str(given))
    number = camera_number(given)
    if number is None and not is_address(str(given)):
        path = Path(str(given))
        if os.path.isdir(path):  # Path.is_dir raises where a name is too long
            return _Stored(name, _folder(path, fps, max_pixels), start, end, every)
        _refuse_fps(name, fps)
        return _Stored(name, _file(path, max_pixels), start, end, every)
    _refuse_fps(name, fps)
    return _Streamed(name, _stream(str(given), number), start, end, every)


class _Stored(VideoSource):
    is_live = False

    def __init__(self, name: str, reader: Reader, start: float | None, end: float | None, every: int) -> None:
        self.name, self._reader = name, reader
        self.size, self.fps, self.duration = reader.size, reader.fps, reader.duration
        rounded = reader.times.round(3)
        first = int(np.searchsorted(rounded, round(start or 0.0, 3)))
        last = len(rounded) if end is None else int(np.searchsorted(rounded, round(end, 3)))
        if first >= last:
            upto = "the end" if end is None else f"{end:g} s"
            raise InputError(
                f"no frame of {name} lies between {start or 0:g} s and {upto}: "
                f"its frames are at 0 s to {rounded[-1]:g} s"
            )
        self._indices = range(first, last, every)
        self._to_the_end = last == len(rounded)
        self.frame_count = len(self._indices)

    def __iter__(self) -> Iterator[Frame]:
        self.problem = None
        reader, delivered, last = self._reader, 0, -1
        try:
            for index, image in reader.read(self._indices):
                yield Frame(image, index, float(reader.times[index]), reader.stem(index))
                delivered, last = delivered + 1, index
        except UnreadableError as error:
            if not delivered:
                raise InputError(f"{self.name} {error}: no frame of it can be read there") from error
            self.problem = self._report(str(error), max(error.after, last))
            return
        if reader.missing and self._to_the_end:
            self.problem = self._report(reader.missing, len(reader.times) - 1)
        elif delivered < len(self._indices):
            self.problem = f"{self.name}: {len(self._indices) - delivered} frames could not be decoded"

    def _report(self, what: str, after: int) -> str:
        reader = self._reader
        expected = f", {reader.expected} were expected" if reader.expected else ""
        return (
            f"{self.name} {what} after frame {after} ({reader.times[after]:.1f} s): "
            f"{after + 1} frames can be read{expected}"
        )


class _Streamed(VideoSource):
    def __init__(self, name: str, stream: Stream, start: float | None, end: float | None, every: int) -> None:
        self.name, self._stream = name, stream
        self.size, self.fps, self.duration = stream.size, stream.fps, stream.duration
        self.is_live = stream.is_live
        self._start, self._end, self._every = start or 0.0, math.inf if end is None else end, every
        whole = start is None and end is None
        self.frame_count = -(-stream.expected // every) if whole and stream.expected else None
        self._index, self._time = -1, 0.0

    def __iter__(self) -> Iterator[Frame]:
        self.problem = None
        expected, step = self._stream.expected, 0
        try:
            for time, image in self._stream.read():
                self._index, self._time = self._index + 1, time
                if round(time, 3) >= round(self._end, 3):
                    return
                if round(time, 3) < round(self._start, 3):
                    continue
                if step % self._every == 0:
                    yield Frame(image, self._index, time)
                step += 1
        except UnreadableError as error:
            self.problem = f"{self.name} {error} {self._position(expected)}"
            return
        finally:
            if self._stream.losses and not self.problem:
                self.problem = f"{self.name} {self._stream.losses}"
        if expected and self._index + 1 < expected:
            self.problem = f"{self.name} broke off {self._position(expected)}"

    def _position(self, expected: int | None) -> str:
        of = f": {self._index + 1} frames were read, {expected} were expected" if expected else ""
        return f"after frame {self._index} ({self._time:.1f} s){of}"

    def close(self) -> None:
        self._stream.close()


def _folder(path: Path, fps: float | None, max_pixels: int | None) -> Reader:
    from som_agent.video.folders import FolderReader

    return FolderReader(path, fps, max_pixels)


def _file(path: Path, max_pixels: int | None) -> Reader:
    check_regular(path)
    if is_picture(path):
        from som_agent.video.pictures import PictureReader

        return PictureReader(path, max_pixels)
    from som_agent.video.files import FileReader

    return FileReader(path, max_pixels)


def _stream(source: str, camera: int | None) -> Stream:
    if camera is not None:
        from som_agent.video.cameras import CameraStream

        return CameraStream(camera)
    from som_agent.video.network import NetworkStream

    return NetworkStream(source)


def _refuse_fps(name: str, fps: float | None) -> None:
    if fps is not None:
        raise InputError(f"fps {fps:g} is for folders of pictures: {name} is none")


def _check_values(start: float | None, end: float | None, every: int, fps: float | None) -> None:
    for key, seconds in (("start", start), ("end", end)):
        if seconds is not None and not 0 <= seconds < math.inf:
            raise InputError(
                f"{key} {seconds:g} makes no sense: it is in seconds from the first frame, 0 or more"
            )
    if end is not None and (start or 0.0) >= end:
        raise InputError(f"start {start or 0:g} s is not before end {end:g} s")
    if every < 1:
        raise InputError(f"every {every} makes no sense: 1 takes all frames, 2 every other one")
    if fps is not None and not 0 < fps < math.inf:
        raise InputError(f"fps {fps:g} makes no sense: it is in frames a second, more than 0")
