"""The newest picture over HTTP."""

import http.client
import threading
import time
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest

from som_agent.errors import OutputError
from som_agent.video import open_video
from som_agent.video.mjpeg import MjpegServer


@pytest.fixture
def server():
    server = MjpegServer(0)
    yield server
    server.close()


def grey(value):
    return np.full((48, 64, 3), value, np.uint8)


def test_one_picture(server):
    server.show(lambda: grey(10))
    server.show(lambda: np.stack([grey(200)[..., 0], grey(20)[..., 0], grey(20)[..., 0]], axis=2))
    with urllib.request.urlopen(server.address + "frame.jpg") as reply:
        assert reply.headers["Content-Type"] == "image/jpeg"
        image = cv2.imdecode(np.frombuffer(reply.read(), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image.shape == (48, 64, 3)
    np.testing.assert_allclose(image[20, 30], (200, 20, 20), atol=6)


def test_the_page_shows_the_stream(server):
    with urllib.request.urlopen(server.address) as reply:
        assert b'<img src="/stream"' in reply.read()


def test_the_stream_is_one_that_som_agent_reads(server):
    stop = threading.Event()

    def film():
        for i in range(10_000):
            server.show(lambda i=i: grey(20 + i % 200))
            if stop.wait(0.02):
                return

    thread = threading.Thread(target=film)
    thread.start()
    try:
        with open_video(server.address + "stream") as video:
            assert video.size == (64, 48)
            values = [int(frame.image[0, 0, 0]) for frame, _ in zip(video, range(20), strict=False)]
        assert len(set(values)) > 10
    finally:
        stop.set()
        thread.join()


def test_nothing_is_drawn_where_nobody_looks(server):
    drawn = []
    for i in range(5):
        server.show(lambda i=i: drawn.append(i) or grey(i))
    assert drawn == []
    urllib.request.urlopen(server.address + "frame.jpg").close()
    urllib.request.urlopen(server.address + "frame.jpg").close()
    assert drawn == [4]


def test_what_is_refused(server):
    for path, headers, status in (
        ("/nothing", {}, 404),
        ("/frame.jpg", {}, 503),
        ("/", {"Host": "elsewhere.example"}, 403),
    ):
        request = urllib.request.Request(server.address.rstrip("/") + path, headers=headers)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code == status
        caught.value.close()


def test_only_this_machine_is_served(server):
    assert server.address.startswith("http://127.0.0.1:")
    assert server._server.server_address[0] == "127.0.0.1"


def test_a_port_in_use(server):
    port = server._server.server_port
    with pytest.raises(OutputError, match=f"cannot serve on port {port} of 127.0.0.1: "):
        MjpegServer(port)
    with pytest.raises(OutputError, match=r"cannot serve on port 99999 of 127\.0\.0\.1: "):
        MjpegServer(99999)


def test_closing_hangs_up():
    server = MjpegServer(0)
    server.show(lambda: grey(1))
    connection = http.client.HTTPConnection("127.0.0.1", server._server.server_port, timeout=5)
    connection.request("GET", "/stream")
    reply = connection.getresponse()
    assert reply.read(20)
    start = time.monotonic()
    server.close()
    reply.read()  # to its end
    assert time.monotonic() - start < 2
    connection.close()
