"""What a video file says before anything is decoded: is it one, is it whole, when is each frame shown."""

from __future__ import annotations

import codecs
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from som_agent.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["FileIndex", "ends_early", "index_file", "is_text", "open_video_file", "video_stream"]

_DEFAULT_RATE = 25.0  # what FFmpeg assumes as well

_UNKNOWN = "its content is of no known video format"

# Texts that FFmpeg draws as if on a terminal, and lists of other files that did not begin like one.
_NO_VIDEOS = {"concat", "dash", "hls", "sdp", "tty"}

_HEAD_BYTES = 4096
_BLANK = codecs.BOM_UTF8 + b" \t\r\n"

# Names of the boxes that an mp4 or mov file can begin with.
_ISO_BOXES = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot"}


@contextmanager
def open_video_file(
    path: Path, max_pixels: int | None = None
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and find its video stream; FFmpeg may decode a few frames to know what they are like.

    Args:
        path: the file.
        max_pixels: of a frame; the decoder refuses larger ones before it has memory for them.

    Raises:
        InputError: it is missing, unreadable, empty, no video, or without a picture; also a playlist, since
            FFmpeg would open the files and addresses that it names.
    """
    import av

    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise InputError(f"no such file: {path}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise InputError(f"{path} is empty (0 bytes)")
    if _is_playlist(head):
        raise InputError(f"{path} is a playlist, which names other files: name the video itself")
    if is_text(head):
        raise InputError(f"{path} is not a video that can be read: {_UNKNOWN}")
    limits = {} if max_pixels is None else {"max_pixels": str(max_pixels)}
    try:
        # The whole path and one protocol: FFmpeg takes a name like "concat:a|b" for more than a name.
        container = av.open(str(path.absolute()), options={"protocol_whitelist": "file", **limits})
    except (av.FFmpegError, UnicodeError) as error:
        boxes = _boxes(path)
        if boxes and b"moov" not in dict(boxes):
            raise InputError(
                f"{path} is cut off or damaged: its index is missing, no frame can be read"
            ) from error
        raise InputError(f"{path} is not a video that can be read: {_UNKNOWN}") from error
    with container:
        kind = container.format.name
        if kind in _NO_VIDEOS:
            raise InputError(f"{path} is not a video that can be read: {_UNKNOWN}")
        if kind.endswith("_pipe"):
            raise InputError(f"{path} holds a picture, not a video: name it .{kind.removesuffix('_pipe')}")
        stream = video_stream(container, str(path))
        stream.codec_context.options = limits
        yield container, stream


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The video stream of a container, not counting the cover picture of an audio file.

    Raises:
        InputError: it has none.
    """
    from av.stream import Disposition

    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        has = ", only audio" if container.streams.audio else ""
        raise InputError(f"{name} has no video stream{has}")
    streams = [s for s in streams if s.codec_context is not None]
    if not streams:
        raise InputError(f"{name} has a video stream of an unknown codec")
    # The same choice as decord makes where there are several: the largest.
    return max(streams, key=lambda s: s.width * s.height)


@dataclass(frozen=True)
class FileIndex:
    """When each frame of a file is shown.

    Attributes:
        times: seconds in display order, the first 0.0, `[N] float64`.
        ticks: the same in the stream's own unit and from its own zero, `[N] int64`; None where the file
            does not give every frame a time of its own, so that frames can only be counted.
        fps: mean frames a second, None for a single frame without a rate.
        duration: seconds from the first frame to the end of the last.
        missing: "is cut off" or "is damaged" where the end of the file is missing, else "".
        expected: how many frames there should be, None where a file without its end does not say.
    """

    times: npt.NDArray[np.float64]
    ticks: npt.NDArray[np.int64] | None
    fps: float | None
    duration: float
    missing: str
    expected: int | None


def index_file(path: Path, first_pts: int | None, max_pixels: int | None = None) -> FileIndex:
    """Walk through a file's packets undecoded; `first_pts` is that of the first frame that decodes."""
    import av

    pts, dts = array("q"), array("q")
    timed, clock, discarded, last_ticks, missing = True, True, 0, 0, ""
    cut = ends_early(path)
    with open_video_file(path, max_pixels) as (container, stream):
        try:
            for packet in container.demux(stream):
                if cut and packet.is_corrupt:  # the half packet at the cut
                    break
                if packet.is_discard:  # trimmed away by the file itself
                    discarded += 1
                elif packet.size:
                    timed = timed and packet.pts is not None
                    time = packet.dts if packet.pts is None else packet.pts
                    clock = clock and time is not None
                    pts.append(time or 0)
                    dts.append(packet.dts or 0)
                    last_ticks = packet.duration or 0
        except (av.FFmpegError, IndexError):  # the latter where damage looks like one more stream
            missing = "is damaged"  # whoever reads as far as this says so
        unit = float(stream.time_base or 1)
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        announced, promised = stream.frames - discarded, _promised_seconds(stream)

    ticks = np.sort(np.asarray(pts, np.int64))
    if first_pts is not None and timed and len(np.unique(ticks)) == len(ticks):
        ticks = ticks[ticks >= first_pts]
        if cut:
            ticks = _without_gaps(ticks, last_dts=max(dts, default=0))
    else:
        timed = False
    if len(ticks) == 0:
        raise InputError(f"{path} has no frames: nothing can be read")
    # A bare stream of pictures has a rate at best.
    times = (ticks - ticks[0]) * unit if clock else np.arange(len(ticks)) / (rate or _DEFAULT_RATE)
    count, span = len(times), float(times[-1])
    measured = (count - 1) / span if span > 0 else 0.0
    # The header's rate is the rounder one, but it can be plain wrong.
    trusted = rate and (not measured or abs(rate - measured) <= (0.02 + 1 / count) * measured)
    fps = (rate if trusted else measured) or None
    duration = span + (last_ticks * unit or (1 / fps if fps else 0.0))
    if cut or promised > duration + (3 / fps if fps else 1.0):
        missing = "is cut off"
    return FileIndex(
        times=times,
        ticks=ticks if timed else None,
        fps=fps,
        duration=duration,
        missing=missing,
        expected=(announced if announced > count else None) if missing else count,
    )


def is_text(head: bytes) -> bool:
    """Whether a file begins like a text, or like a list of other files that FFmpeg would follow."""
    if _is_playlist(head) or head.lstrip(_BLANK).startswith(b"<"):  # DASH and its like
        return True
    if head.startswith(b"YUV4MPEG2"):  # a video whose header is a text, and whose pixels can look like one
        return False
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # the last letter may be cut
    except UnicodeDecodeError:
        return False
    return bool(text) and "\0" not in text


def _is_playlist(head: bytes) -> bool:
    return head.lstrip(_BLANK).startswith((b"#EXTM3U", b"ffconcat"))


def ends_early(path: Path) -> bool:
    """Whether a part of an mp4, mov or avi file reaches beyond its end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8 > size
    return any(end > size for _, end in _boxes(path))


def _boxes(path: Path) -> list[tuple[bytes, int]]:
    """Name and end of the outermost boxes of an mp4 or mov file; empty for other files."""
    boxes: list[tuple[bytes, int]] = []
    size, start = path.stat().st_size, 0
    with path.open("rb") as file:
        while start + 8 <= size:
            file.seek(start)
            head = file.read(16)
            length, name = int.from_bytes(head[:4], "big"), head[4:8]
            if not boxes and name not in _ISO_BOXES:
                break
            if length == 1:  # the length did not fit into 32 bits
                length = int.from_bytes(head[8:16], "big")
            elif length == 0:  # to the end of the file
                length = size - start
            if length < 8:
                break
            start += length
            boxes.append((name, start))
    return boxes


def _without_gaps(ticks: npt.NDArray[np.int64], last_dts: int) -> npt.NDArray[np.int64]:
    """Frames up to the first one whose predecessor was lost at the cut.

    Files store frames in decoding order: the last few before a cut may be shown after lost ones.
    """
    if len(ticks) < 3:
        return ticks
    steps = np.diff(ticks)
    late = (ticks[1:] > last_dts) & (steps > 1.5 * np.median(steps))
    return ticks[: 1 + int(np.argmax(late))] if late.any() else ticks


def _promised_seconds(stream: VideoStream) -> float:
    """How long a Matroska or WebM file says that its video is, 0.0 if it does not."""
    match = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = (float(part) for part in match)
    except ValueError:
        return 0.0
    return 3600 * hours + 60 * minutes + seconds
