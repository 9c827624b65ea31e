"""Writing H.264 video in mp4, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from som_agent.errors import InputError, OutputError
from som_agent.video.frame import Image
from som_agent.video.output import moved_into_place, part_file

__all__ = ["VideoWriter", "write_video"]

_TICKS = 90_000  # a second; the common frame rates, also 30000/1001, are whole numbers of them
_BT709 = 1  # number of the colour matrix of HD video in every video standard


class VideoWriter:
    """Writes an mp4 that browsers play (H.264, 4:2:0, index first), holding a few frames at a time.

    The file appears under its name when it is closed, whole; until then a hidden part file lies beside it.
    As a context manager it closes on success and on Ctrl-C, which keeps what was done, and aborts on any
    other exception. Without a frame no file appears. The first frame is shown at once, whatever its time.

    H.264 in 4:2:0 has even sizes only: an odd last column or row is doubled, so that all pixels keep their
    coordinates.
    """

    def __init__(self, path: str | Path, size: tuple[int, int], fps: float | None) -> None:
        """Check that the file can be written.

        Args:
            path: ends in .mp4.
            size: width and height of the frames in pixels.
            fps: frames a second, for frames that are written without a time; 30 if None.

        Raises:
            OutputError: nothing can be written there, or the ending is another.
        """
        self.path = Path(path)
        if self.path.suffix.lower() != ".mp4":
            raise OutputError(f"cannot write {path}: the name of a video must end in .mp4")
        self._size, self._fps = size, fps or 30.0
        self._part = part_file(self.path)
        self._encoder: _Encoder | None = None
        self._start = self._last = 0.0
        self._ticks = -1
        self._open = True

    def write(self, image: Image, time: float | None = None) -> None:
        """Append a frame.

        Args:
            image: `[H, W, 3] uint8` RGB, of the writer's size.
            time: seconds, later than that of the frame before; 1 / fps later if None.

        Raises:
            OutputError: the disk is full, for example.
            ValueError: another size, or a time before that of the last frame.
        """
        if not self._open:
            raise ValueError(f"{self.path} is closed")
        w, h = self._size
        if image.shape != (h, w, 3):
            raise ValueError(f"a frame of shape {image.shape} does not fit a video of {w}x{h} pixels in RGB")
        first = self._encoder is None
        if time is None:
            time = 0.0 if first else self._last + 1 / self._fps
        if first:
            self._start = time
        elif time < self._last:
            raise ValueError(f"time {time:g} s is before that of the frame before, {self._last:g} s")
        self._last = time
        # A video has one frame a tick: one at the very same time comes a tick (11 µs) later.
        self._ticks = max(round((time - self._start) * _TICKS), self._ticks + 1)
        import av

        try:
            if self._encoder is None:
                self._encoder = _Encoder(self._part, self._size, self._fps)
            self._encoder.write(image, self._ticks)
        except av.FFmpegError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error

    def close(self) -> None:
        """Finish the file and give it its name."""
        if not self._open:
            return
        self._open = False
        import av

        try:
            if self._encoder is not None:
                self._encoder.close()
                moved_into_place(self._part, self.path)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error
        finally:
            self._part.unlink(missing_ok=True)

    def abort(self) -> None:
        """Throw away what was written; an older file of that name stays as it was."""
        if not self._open:
            return
        self._open = False
        if self._encoder is not None:
            self._encoder.abandon()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self.close()
        else:
            self.abort()


def write_video(path: str | Path, frames: Iterable[Image], fps: float) -> Path:
    """Write frames, each `[H, W, 3] uint8` RGB and of the size of the first, at an even rate.

    Returns:
        The path.

    Raises:
        OutputError: nothing can be written there; said before the first frame is asked for.
        InputError: there are no frames.
    """
    path = Path(path)
    part_file(path).unlink()
    iterator: Iterator[Image] = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise InputError(f"no frames to write to {path}")
    with VideoWriter(path, (first.shape[1], first.shape[0]), fps) as writer:
        writer.write(first)
        for image in iterator:
            writer.write(image)
    return path


class _Encoder:
    """An open mp4 file."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        w, h = size
        self._pad = (h % 2, w % 2)
        self._step = max(1, round(_TICKS / fps))
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        self._stream.width, self._stream.height = w + w % 2, h + h % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": "20", "preset": "veryfast"}
        context = self._stream.codec_context
        context.time_base = Fraction(1, _TICKS)
        # Untagged colours are read by one matrix in small videos and by another in large ones.
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._reformatter = VideoReformatter()

    def write(self, image: Image, ticks: int) -> None:
        from av import VideoFrame
        from av.video.reformatter import Colorspace

        if any(self._pad):
            image = np.pad(image, ((0, self._pad[0]), (0, self._pad[1]), (0, 0)), mode="edge")
        frame = self._reformatter.reformat(
            VideoFrame.from_ndarray(image, format="rgb24"), format="yuv420p", dst_colorspace=Colorspace.ITU709
        )
        frame.pts, frame.time_base, frame.duration = ticks, Fraction(1, _TICKS), self._step
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode(None))
        except BaseException:
            self.abandon()
            raise
        self._container.close()

    def abandon(self) -> None:
        """Close the file, which is thrown away: that its end could not be written either is no news."""
        import av

        with suppress(av.FFmpegError):
            self._container.close()
