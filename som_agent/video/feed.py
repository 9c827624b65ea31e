"""A camera or an address that is read in a process of its own.

Drivers and network libraries wait for as long as they like, and a thread that waits in them cannot be
stopped. A process can, at once, and what brings it down does not bring down its reader.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from som_agent.errors import InputError, SomError
from som_agent.video.frame import Frame, Image
from som_agent.video.kinds import camera_number, printable
from som_agent.video.network import NetworkStream
from som_agent.video.pyav import upright_size
from som_agent.video.readers import Stream, UnreadableError
from som_agent.video.source import VideoSource

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["Feed"]

_CHILD = "from som_agent.video.feed import main; main()"
_WAIT_S = 0.5


class Feed(VideoSource):
    """Frames of a camera or an address, each at the size at which it came.

    A video on a web server, which has an end, is delivered at its own pace.

    Args:
        source: the number of a camera or an address.
        max_pixels: of a frame; the iteration refuses larger ones.
        confined: nothing but an address itself is opened; see `NetworkStream`.

    Attributes:
        size, fps, is_live: known once the first frame is there; before, the size is (0, 0).
    """

    frame_count = None
    duration = None

    def __init__(self, source: str | int, *, max_pixels: int | None = None, confined: bool = False) -> None:
        self._max_pixels = max_pixels
        self.name = printable(str(source))
        self.size, self.fps, self.is_live = (0, 0), None, True
        # Not as an argument: those can be read by everyone on the machine, and addresses hold passwords.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self._process.stdin is not None
        asked = {"source": source, "max_pixels": max_pixels, "confined": confined}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()

    def __iter__(self) -> Iterator[Frame]:
        assert self._process.stdout is not None
        pipe: Any = self._process.stdout
        while line := pipe.readline():
            told = json.loads(line)
            if "refused" in told:
                raise InputError(told["refused"])
            if "ended" in told:
                self.problem = told["ended"]
                return
            if "fps" in told:
                self.fps, self.is_live = told["fps"], told["is_live"]
                continue
            w, h = told["size"]
            if self._max_pixels is not None and w * h > self._max_pixels:
                most = self._max_pixels
                raise InputError(f"{self.name} gives {w}x{h} pixels, more than the {most} that are allowed")
            image: Image = np.empty((h, w, 3), np.uint8)
            if pipe.readinto(image.reshape(-1).data) < image.nbytes:
                break
            self.size = self.size if self.size[0] else (w, h)
            yield Frame(image, told["index"], told["time"])
        self._end()
        self.problem = f"{self.name}: the process that reads it ended (status {self._process.returncode})"

    def interrupt(self) -> None:
        """End the iteration, from any thread, whatever it waits for."""
        self._process.kill()

    def close(self) -> None:
        """Hang up."""
        self.interrupt()
        self._end()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close(pipe)

    def _end(self) -> None:
        try:
            self._process.wait(_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return  # what it had not taken yet is of no use to anyone


class _AsSent(NetworkStream):
    """Pictures at the size of each: a stream may change it on its way."""

    def _timed(self, frame: VideoFrame) -> tuple[float, Image]:
        self.size = upright_size(frame)
        return super()._timed(frame)


def main() -> None:
    """The child: frames of the source that stdin asks for go to stdout until either is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    asked = json.loads(line)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print must not get among the frames
    try:
        _deliver(pipe, **asked)
    except SomError as error:
        _send(pipe, {"refused": str(error)})
    except BrokenPipeError:
        pass  # the parent has seen enough
    os._exit(0)  # whatever a driver is still waiting for


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


def _deliver(pipe: IO[bytes], source: str | int, max_pixels: int | None, confined: bool) -> None:
    number = camera_number(source)
    stream = _open(source, number, max_pixels, confined)
    _send(pipe, {"fps": stream.fps, "is_live": stream.is_live})
    name, index, start = printable(str(source)), 0, time.monotonic()
    problem = None
    try:
        for seconds, image in stream.read():
            if not stream.is_live:
                time.sleep(max(start + seconds - time.monotonic(), 0.0))
            _send(pipe, {"size": image.shape[1::-1], "index": index, "time": seconds}, image)
            index += 1
    except UnreadableError as error:
        problem = f"{name} {error} after {index} frames"
    if problem is None and stream.expected and index < stream.expected:
        problem = f"{name} broke off after {index} frames, {stream.expected} were expected"
    _send(pipe, {"ended": problem})


def _open(source: str | int, number: int | None, max_pixels: int | None, confined: bool) -> Stream:
    if number is None:
        return _AsSent(str(source), max_pixels=max_pixels, confined=confined)
    from som_agent.video.cameras import CameraStream

    return CameraStream(number)


def _send(pipe: IO[bytes], told: dict[str, Any], image: Image | None = None) -> None:
    _write(pipe, json.dumps(told).encode() + b"\n")
    if image is not None:
        _write(pipe, np.ascontiguousarray(image).reshape(-1).data)


def _write(pipe: IO[bytes], data: bytes | memoryview) -> None:
    """All of it: a raw pipe takes what fits."""
    view = memoryview(data)
    while view:
        view = view[pipe.write(view) :]
