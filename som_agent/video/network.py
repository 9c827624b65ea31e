"""Network addresses, through PyAV: live streams, and videos on a web server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from som_agent.errors import InputError
from som_agent.video.containers import video_stream
from som_agent.video.frame import Image
from som_agent.video.kinds import printable
from som_agent.video.pyav import upright, upright_size
from som_agent.video.readers import Stream, UnreadableError

if TYPE_CHECKING:
    from av import FFmpegError, VideoFrame
    from av.video.stream import VideoStream

__all__ = ["NetworkStream"]

_TIMEOUT_SECONDS = 10.0

# Formats of bare pictures in a row: the times that FFmpeg gives their frames are made up.
_WITHOUT_CLOCK = {"mpjpeg", "mjpeg"}


# Containers and bare codecs that hold pictures; lists of other addresses (HLS, DASH, SDP files) are not here.
_CONFINED = {
    "format_whitelist": "asf,avi,flv,h264,hevc,live_flv,m4v,matroska,mjpeg,mov,mp4,mpeg,mpegts,mpegvideo,"
    "mpjpeg,nut,ogg,rtp,rtsp,webm",
    "max_redirects": "0",
}


class NetworkStream(Stream):
    """A stream from an address. It is live if it does not say how long it is.

    Args:
        address: rtsp://, http://, ….
        max_pixels: of a frame; the decoder refuses larger ones.
        confined: nothing but this address is opened: no redirect is followed, no list of addresses read.
    """

    def __init__(self, address: str, *, max_pixels: int | None = None, confined: bool = False) -> None:
        import av

        name = printable(address)
        options = {"rtsp_transport": "tcp"} if address.lower().startswith("rtsp") else {}
        limits = {} if max_pixels is None else {"max_pixels": str(max_pixels)}
        options |= limits | (_CONFINED if confined else {})
        try:
            self._container = av.open(address, options=options, timeout=_TIMEOUT_SECONDS)
        except (av.FFmpegError, UnicodeError) as error:
            raise InputError(f"{name} cannot be opened: {_reason(error)}") from error
        try:
            stream = video_stream(self._container, name)
            stream.codec_context.options = limits
            duration = self._container.duration
            self.is_live = duration is None
            self.duration = None if duration is None else duration / av.time_base
            self.expected = stream.frames or None
            self.fps = float(stream.average_rate) if stream.average_rate else None
            self.losses = ""
            self._decoded = self._decode(stream)
            self._first = next(self._decoded, None)
            if self._first is None:
                raise InputError(f"{name} has no frames that can be read")
        except UnreadableError as error:
            self.close()
            raise InputError(f"{name} {error} before its first frame") from error
        except InputError:
            self.close()
            raise
        self.size = upright_size(self._first)
        has_clock = self._container.format.name not in _WITHOUT_CLOCK and self._first.time is not None
        self._origin = self._first.time if has_clock else None
        self._arrival = time.monotonic()

    def read(self) -> Iterator[tuple[float, Image]]:
        """Frames as they arrive; a live stream goes on after packets that were lost on the way."""
        first, self._first = self._first, None
        if first is not None:
            yield self._timed(first)
        for frame in self._decoded:
            yield self._timed(frame)

    def close(self) -> None:
        """Hang up."""
        self._container.close()

    def _timed(self, frame: VideoFrame) -> tuple[float, Image]:
        if self._origin is None or frame.time is None:
            return time.monotonic() - self._arrival, upright(frame, self.size)
        return frame.time - self._origin, upright(frame, self.size)

    def _decode(self, stream: VideoStream) -> Iterator[VideoFrame]:
        import av

        packets = self._container.demux(stream)
        begun, lost = False, 0
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                raise UnreadableError(f"broke off ({_reason(error)})", after=-1) from error
            if packet is None:
                return
            try:
                frames = stream.decode(packet)
            except av.FFmpegError as error:
                if begun and not self.is_live:
                    raise UnreadableError("is damaged", after=-1) from error
                if begun:
                    lost += 1
                    self.losses = f"lost {lost} packet{'s' * (lost > 1)} that could not be decoded"
                continue  # who joins a stream between keyframes has nothing to decode from yet
            for frame in frames:
                begun = True
                yield frame


def _reason(error: FFmpegError | UnicodeError) -> str:
    import av

    if isinstance(error, av.error.ExitError):  # what PyAV's own time limit looks like
        return f"no data for {_TIMEOUT_SECONDS:.0f} s"
    return getattr(error, "strerror", None) or str(error)
