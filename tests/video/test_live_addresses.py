"""Live sources at addresses: real servers, read in a real process."""

import threading
import time

import numpy as np
import pytest

from som_agent.errors import InputError
from som_agent.video.live import open_live
from tests.cameras import QUICK, camera, check_sequence, no_threads_of, served, show, silence, then


def test_a_camera_with_every_fault(clips):
    """It drops, goes silent, freezes, goes black and changes its size, and comes back each time."""
    moving = [clips.scene(i, 96, 64) for i in range(12)]
    black, wide = [np.zeros((64, 96, 3), np.uint8)], [clips.scene(3, 128, 64)]
    end = threading.Event()
    notices = []
    with (
        camera(
            show(moving),
            then(show(moving), silence(30)),
            then(show(moving[:6]), show(black, laps=125), show([clips.scene(7, 96, 64)])),
            then(show(wide, laps=20), lambda _: end.set(), show(wide, laps=400)),
        ) as address,
        open_live(address, backoff=QUICK, silent_s=1.0, notice=notices.append) as live,
    ):
        frames, most_frozen_s, dark = [], 0.0, 0
        while not end.is_set():
            frame = live.wait(1)
            if frame is not None:
                frames.append(frame)
                dark += frame.image.max() == 0
                most_frozen_s = max(most_frozen_s, live.state.frozen_s)
        state = live.state
        check_sequence(frames)
        assert state.reconnects == 3
        assert state.delivered + state.dropped == frames[-1].index + 1
        assert dark > 20, "black frames are frames"
        assert 1.5 < most_frozen_s < 4
        assert all(frame.image.shape == (64, 96, 3) for frame in frames)
        assert state.resized > 5
        assert frames[-1].image[:8].max() == 0, "bars above"
        assert frames[-1].image[12:20].max() > 200
        start = time.monotonic()
    assert time.monotonic() - start < 1
    text = "\n".join(notices)
    for words in (
        "trying again",
        "gave no picture for 1 s: trying again",
        "is back after",
        "has shown the same picture for 2 s",
        "are 128x64 px now: they are scaled to 96x64 px",
    ):
        assert words in text


def test_closing_while_the_server_is_silent(clips):
    with camera(then(show([clips.scene(i, 96, 64) for i in range(12)]), silence(30))) as address:
        live = open_live(address, silent_s=20)
        while live.wait(0.3) is not None:
            pass
        process = live._video._process
        start = time.monotonic()
        live.close()
        assert time.monotonic() - start < 1
        assert process.poll() is not None, "no process is left"
        assert no_threads_of(address)


def test_a_reader_that_crashes(clips):
    """FFmpeg or a driver takes its process down with it: another one is started."""
    with (
        camera(show([clips.scene(i, 96, 64) for i in range(12)], laps=100)) as address,
        open_live(address, backoff=QUICK) as live,
    ):
        first = live.wait(5)
        live._video._process.kill()
        deadline = time.monotonic() + 20
        while live.state.reconnects == 0 and time.monotonic() < deadline:
            last = live.wait(0.1)
        assert live.state.reconnects == 1
        assert "the process that reads it ended" in live.state.trouble
        last = live.wait(5)
        assert last.index > first.index


def test_timestamps_that_begin_anew(tmp_path, clips):
    """A transport stream whose sender was restarted, in one connection."""
    data = clips.make(tmp_path / "a.ts", 30, form="mpegts").read_bytes()

    def answer(handler, number):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(3):
            handler.wfile.write(data)

    with served(answer) as address, open_live(address, reconnect=False) as live:
        frames = list(live)
    check_sequence(frames)
    assert live.state.delivered + live.state.dropped > 60
    assert frames[-1].time < 20


def test_a_video_on_a_web_server_is_played_to_its_end(tmp_path, clips):
    data = clips.make(tmp_path / "a.mp4", 20, faststart=True).read_bytes()

    def answer(handler, number):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    with served(answer) as address, open_live(address) as live:
        start = time.monotonic()
        frames = list(live)
        assert time.monotonic() - start > 0.4, "at its own pace"
    assert live.problem is None
    assert clips.number_of(frames[-1].image) == 19
    check_sequence(frames)


def test_nobody_answers():
    with pytest.raises(InputError, match=r"http://me:\*\*\*@127.0.0.1:9/x cannot be opened: .*refused"):
        open_live("http://me:secret@127.0.0.1:9/x")


def test_a_camera_that_is_not_there():
    with pytest.raises(InputError, match="camera 97 cannot be opened or gives no picture"):
        open_live(97)
