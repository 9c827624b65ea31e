"""Cameras that fail: motion JPEG or any bytes over HTTP on loopback, every connection as a test wants it.

And what every live source keeps to.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np

from som_agent.video.clock import LEAST_STEP_S
from som_agent.video.frame import Frame
from som_agent.video.live_state import Backoff

Send: TypeAlias = Callable[[np.ndarray], None]
Play: TypeAlias = Callable[[Send], None]
"""What one connection shows: it sends pictures `[h, w, 3] uint8` RGB; the connection ends with it."""

QUICK = Backoff(0.02, 0.1)
"""For tests that wait for another try."""


def check_sequence(frames: Sequence[Frame]) -> None:
    """Numbers and times grow."""
    assert all(a.index < b.index for a, b in pairwise(frames))
    assert all(b.time - a.time >= LEAST_STEP_S - 1e-9 for a, b in pairwise(frames))
    assert frames[0].time >= 0


def no_threads_of(name: str) -> bool:
    return not [thread for thread in threading.enumerate() if name in thread.name]


@contextmanager
def camera(*plays: Play) -> Iterator[str]:
    """A motion JPEG camera: its first connection plays the first, and so on; the last one is played again.

    Yields its address.
    """

    def answer(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()

        def send(image: np.ndarray) -> None:
            jpeg = cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            handler.wfile.write(head.encode() + jpeg + b"\r\n")

        plays[min(number, len(plays) - 1)](send)

    with served(answer) as address:
        yield address


@contextmanager
def served(answer: Callable[[BaseHTTPRequestHandler, int], None]) -> Iterator[str]:
    """An HTTP server whose n-th request, from 0, is answered by `answer(handler, n)`. Yields its address."""
    count = iter(range(10**9))

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            with suppress(OSError):  # the client hung up
                answer(self, next(count))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/video"
    finally:
        server.shutdown()
        server.server_close()


def show(pictures: Sequence[np.ndarray], fps: float = 50.0, laps: int = 1) -> Play:
    """Send pictures, some laps of them, at a steady rate."""

    def play(send: Send) -> None:
        for _ in range(laps):
            for picture in pictures:
                send(picture)
                time.sleep(1 / fps)

    return play


def then(*plays: Play) -> Play:
    """One after the other in the same connection."""

    def play(send: Send) -> None:
        for each in plays:
            each(send)

    return play


def silence(seconds: float) -> Play:
    """Send nothing."""
    return lambda send: time.sleep(seconds)
