"""The newest picture for browsers on this machine: motion JPEG over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from som_agent.errors import OutputError
from som_agent.video.frame import Image

__all__ = ["MjpegServer"]

_PAGE = b"""<!doctype html><title>som-agent</title>
<body style="margin:0;background:#111"><img src="/stream" style="width:100%;height:100vh;object-fit:contain">
"""
_BOUNDARY = "frame"
_QUALITY = 85
_WAIT_S = 0.5


class MjpegServer:
    """Serves the newest picture: `/` is a page with it, `/stream` the motion JPEG, `/frame.jpg` one picture.

    It listens on the loopback address only; `ssh -L PORT:127.0.0.1:PORT` brings it elsewhere. Pictures are
    drawn and encoded only while somebody looks, and a slow browser skips some.

    Args:
        port: of 127.0.0.1; 0 takes a free one.

    Attributes:
        address: of the page.

    Raises:
        OutputError: the port cannot be had.
    """

    def __init__(self, port: int) -> None:
        shown = _Shown()

        class Handler(_Handler):
            pictures = shown

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"cannot serve on port {port} of 127.0.0.1: {reason}") from error
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._shown = shown
        self.address = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def show(self, draw: Callable[[], Image]) -> None:
        """Replace the picture; `draw` gives it, `[H, W, 3] uint8` RGB, in another thread if anybody looks."""
        self._shown.put(draw)

    def close(self) -> None:
        """Hang up on all and free the port."""
        self._shown.end()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Shown:
    """The newest picture, for those who wait for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._drawing = threading.Lock()
        self._draw: Callable[[], Image] | None = None
        self._number = 0
        self._jpeg = (0, b"")  # the picture of this number
        self.has_ended = False

    def put(self, draw: Callable[[], Image]) -> None:
        with self._changed:
            self._draw = draw
            self._number += 1
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self.has_ended = True
            self._changed.notify_all()

    def after(self, number: int) -> tuple[int, bytes] | None:
        """The newest picture and its number, once that is above `number`; None where none comes."""
        with self._changed:
            self._changed.wait_for(lambda: self.has_ended or self._number > number, _WAIT_S)
            if self.has_ended or self._number <= number or self._draw is None:
                return None
            newest, draw = self._number, self._draw
        with self._drawing:  # once for all who look
            if self._jpeg[0] < newest:
                bgr = cv2.cvtColor(draw(), cv2.COLOR_RGB2BGR)
                jpeg = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1]
                self._jpeg = newest, jpeg.tobytes()
            return self._jpeg


class _Handler(BaseHTTPRequestHandler):
    pictures: _Shown

    def log_message(self, *_: object) -> None:
        """Nothing: stderr is for the command."""

    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
        if host not in ("127.0.0.1", "localhost"):  # a page elsewhere that gave this machine its own name
            self.send_error(403)
            return
        shows = {"/": self._page, "/stream": self._stream, "/frame.jpg": self._one}.get(self.path)
        if shows is None:
            self.send_error(404)
            return
        with suppress(OSError):  # the browser left
            shows()

    def _page(self) -> None:
        self._send("text/html", _PAGE)

    def _one(self) -> None:
        newest = self.pictures.after(0)
        if newest is None:
            self.send_error(503, "no picture yet")
        else:
            self._send("image/jpeg", newest[1])

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        number = 0
        while not self.pictures.has_ended:
            newest = self.pictures.after(number)
            if newest is None:
                continue
            number, jpeg = newest
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
