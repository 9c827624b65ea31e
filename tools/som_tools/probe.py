"""Opening a video file for the first time, in a process that may use little memory and time.

A file of a few hundred bytes can announce a hundred million frames, and FFmpeg makes room for them before it
has read the first. What that costs shows here, where it harms nobody.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from som_agent.errors import InputError, SomError, first_line
from som_tools.quota import Quota

__all__ = ["probe"]

_CHILD = "from som_tools.probe import main; main()"
_POLLED_S = 0.05


@dataclass(frozen=True)
class _Asked:
    path: str
    start_s: float | None
    end_s: float | None
    seconds: float
    frames: int
    pixels: int
    megabytes: int


def probe(
    path: Path, start_s: float | None, end_s: float | None, quota: Quota, check: Callable[[], None]
) -> None:
    """Open a video file as it will be opened, and decode its first frame.

    Args:
        path: the file.
        start_s: where the part of it that is wanted begins, in seconds.
        end_s: where it ends.
        quota: what it may take.
        check: called while waiting; may raise.

    Raises:
        InputError: it cannot be opened, or not within the quota.
    """
    asked = _Asked(str(path), start_s, end_s, quota.seconds, quota.frames, quota.pixels, quota.probe_mb)
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
    )
    told: bytes | None = json.dumps(asdict(asked)).encode()
    late_s = time.monotonic() + quota.wait_s
    try:
        while True:
            check()
            try:
                reply, _ = process.communicate(told, timeout=_POLLED_S)
                break
            except subprocess.TimeoutExpired:
                told = None  # it has it
            if time.monotonic() >= late_s:
                raise InputError(f"{path} did not open within {quota.wait_s:g} s")
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()
    if not reply:
        raise InputError(
            f"{path} did not open within {quota.probe_mb} MB of memory (status {process.returncode})"
        )
    refused = json.loads(reply)["refused"]
    if refused is not None:
        raise InputError(refused)


def main() -> None:
    """The child: what stdin asks for is opened; stdout says why not, or null."""
    asked = _Asked(**json.loads(sys.stdin.buffer.read()))
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get into the answer
    refused: str | None = None
    try:
        _open(asked)
    except SomError as error:
        refused = str(error)
    except MemoryError as error:
        refused = f"{asked.path} did not open within {asked.megabytes} MB of memory: {first_line(error)}"
    pipe.write(json.dumps({"refused": refused}).encode())
    pipe.flush()
    os._exit(0)


def _open(asked: _Asked) -> None:
    from som_agent.video.containers import open_video_file
    from som_agent.video.files import FileReader  # noqa: F401  loaded before memory is limited
    from som_agent.video.source import open_video

    _limit_memory(asked.megabytes)
    path = Path(asked.path)
    with open_video_file(path, asked.pixels) as (container, stream):
        announced_s = _seconds(container, stream)
        cut_s = min(asked.end_s or announced_s, announced_s) - (asked.start_s or 0.0)
        if cut_s > asked.seconds + 1:
            raise InputError(
                f"{path} is {announced_s:g} s long, {cut_s:g} s of it are wanted and {asked.seconds:g} s are "
                "allowed: name a part by start_s and end_s"
            )
        share = cut_s / announced_s if announced_s else 1.0
        _check_frames(path, round(stream.frames * share), asked.frames)
    with open_video(path, start=asked.start_s, end=asked.end_s, max_pixels=asked.pixels) as video:
        _check_frames(path, video.frame_count or 0, asked.frames)


def _seconds(container: Any, stream: Any) -> float:
    """How long a file says that it is, 0 if it does not."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return 0.0 if container.duration is None else container.duration / 1e6


def _check_frames(path: Path, count: int, most: int) -> None:
    if count > most:
        raise InputError(
            f"{count} frames of {path} are wanted and {most} are allowed: name a part by start_s and end_s"
        )


def _limit_memory(megabytes: int) -> None:
    """At most so much more than now, where the system can be told."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (ImportError, OSError):
        return  # not Linux: the limit of time is left
    most = pages * resource.getpagesize() + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
