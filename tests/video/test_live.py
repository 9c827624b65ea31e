"""Live sources: the newest frame, growing numbers and times, and what happens to them when they fail."""

import math
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.errors import InputError
from som_agent.video import Frame, VideoSource
from som_agent.video.arrivals import Arrivals
from som_agent.video.clock import LEAST_STEP_S, SessionClock
from som_agent.video.letterbox import letterboxed
from som_agent.video.live import LiveSource
from som_agent.video.live_state import Backoff
from tests.cameras import QUICK, check_sequence, no_threads_of


def pictures(n: int, size: tuple[int, int] = (96, 64)) -> list[np.ndarray]:
    """`n` pictures, each of another grey."""
    return [np.full((size[1], size[0], 3), 20 + 200 * i // n, np.uint8) for i in range(n)]


class Script(VideoSource):
    """A camera in this process: what it gives is written down beforehand."""

    size, fps, frame_count, duration = (96, 64), 100.0, None, None

    def __init__(self, frames, *, pause_s=0.0, problem=None, is_live=True):
        self.name, self.is_live, self._frames, self._pause_s = "script", is_live, frames, pause_s
        self._problem, self._stopped = problem, threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        for i, (image, seconds) in enumerate(self._frames):
            if self._stopped.wait(self._pause_s):
                return
            yield Frame(image, i, seconds)
        self.problem = self._problem

    def interrupt(self):
        self._stopped.set()


def plays(*scripts):
    """An opener that gives the scripts in turn, and fails after the last one."""
    left = list(scripts)

    def opener():
        if not left:
            raise InputError("nobody is there")
        return left.pop(0)

    return opener


def timed(images, start=0.0, step=0.02):
    return [(image, start + step * i) for i, image in enumerate(images)]


def test_an_attentive_reader_gets_every_frame():
    live = LiveSource(plays(Script(timed(pictures(30)), pause_s=0.01, is_live=False)), "cam")
    frames = list(live)
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.image[0, 0, 0] for frame in frames] == [image[0, 0, 0] for image in pictures(30)]
    check_sequence(frames)
    np.testing.assert_allclose([frame.time for frame in frames], 0.02 * np.arange(30), atol=0.3)
    state = live.state
    assert (state.delivered, state.dropped, state.reconnects) == (30, 0, 0)
    assert live.ended
    assert live.problem is None
    live.close()
    assert no_threads_of("cam")


def test_a_busy_reader_gets_the_newest_and_the_others_are_counted():
    with LiveSource(plays(Script(timed(pictures(60)), pause_s=0.005, is_live=False)), "cam") as live:
        frames = []
        for frame in live:
            frames.append(frame)
            time.sleep(0.04)
        state = live.state
    check_sequence(frames)
    assert frames[-1].index == 59
    assert 3 <= len(frames) < 30
    assert state.delivered == len(frames)
    assert state.delivered + state.dropped == 60
    for frame in frames:
        assert frame.image[0, 0, 0] == pictures(60)[frame.index][0, 0, 0]
    assert 0.03 < state.latency_s < 1


def test_a_start_of_its_own():
    with LiveSource(plays(Script(timed(pictures(200)), pause_s=0.005)), "cam", reconnect=False) as live:
        time.sleep(0.1)
        live.begin()
        frame = live.wait(5)
        assert frame is not None
        assert (frame.index, frame.time) == (0, 0.0)
        assert frame.image[0, 0, 0] > 20, "not the first picture of the source"
        assert live.state.dropped == 0


def test_connections_are_made_again_and_numbers_go_on():
    notices = []
    opener = plays(
        Script(timed(pictures(5), start=50), pause_s=0.01, problem="the cable broke"),
        Script(timed(pictures(5), start=0), pause_s=0.01, problem="the cable broke again"),
        Script(timed(pictures(5), start=7), pause_s=0.01, is_live=False),
    )
    with LiveSource(opener, "cam", backoff=QUICK, notice=notices.append) as live:
        frames = list(live)
        state = live.state
    check_sequence(frames)
    assert [frame.index for frame in frames] == list(range(15))
    assert state.reconnects == 2
    assert state.clock_jumps == 0, "a new connection may count from anywhere"
    assert state.trouble == "the cable broke again"
    assert notices[0] == "the cable broke: trying again"
    assert notices[1].startswith("cam is back after ")
    assert len(notices) == 4
    assert live.problem is None


def test_it_gives_up():
    opener = plays(Script(timed(pictures(3))))
    with LiveSource(opener, "cam", backoff=QUICK, give_up_s=0.3) as live:
        start = time.monotonic()
        frames = list(live)
        assert 0.1 < time.monotonic() - start < 2
    assert frames[-1].index == 2
    assert live.problem is not None
    assert live.problem.startswith("cam gave no picture for ")
    assert live.problem.endswith("tries: nobody is there")
    assert "\n" not in live.problem
    assert not live.state.connected


def test_no_second_try_where_none_is_wanted():
    live = LiveSource(plays(Script(timed(pictures(3)), problem="gone")), "cam", reconnect=False)
    assert list(live)[-1].index == 2
    assert live.problem == "gone"


@pytest.mark.parametrize("opener", [plays(), plays(Script([], problem="nobody is there"))])
def test_what_gives_no_picture_is_refused(opener):
    with pytest.raises(InputError, match="nobody is there"):
        LiveSource(opener, "dead", give_up_s=0.1)
    assert no_threads_of("dead")


def test_a_fault_in_the_source_is_not_swallowed():
    class Faulty(Script):
        def __iter__(self):
            yield from super().__iter__()
            raise ZeroDivisionError("a bug")

    live = LiveSource(plays(Faulty(timed(pictures(2)))), "cam")
    with pytest.raises(ZeroDivisionError):
        list(live)
    with pytest.raises(ZeroDivisionError):
        LiveSource(plays(Faulty([])), "cam")


def test_silence_is_a_loss():
    stuck = [*timed(pictures(3)), (pictures(1)[0], 9.0)]

    class Sticks(Script):
        def __iter__(self):
            for frame in super().__iter__():
                if frame.index == 3:
                    self._stopped.wait(30)
                    return
                yield frame

    opener = plays(Sticks(stuck), Script(timed(pictures(4)), is_live=False))
    with LiveSource(opener, "cam", backoff=QUICK, silent_s=0.2) as live:
        start = time.monotonic()
        frames = list(live)
        assert time.monotonic() - start < 3
        assert live.state.trouble == "cam gave no picture for 0.2 s"
    assert frames[-1].index == 6
    check_sequence(frames)


@pytest.mark.parametrize("from_thread", [False, True])
def test_closing_ends_a_wait_at_once(from_thread):
    live = LiveSource(plays(Script(timed(pictures(2)), pause_s=0.01), Script([], pause_s=60)), "shut")
    while live.wait(0.05) is not None:
        pass
    start = time.monotonic()
    if from_thread:
        closer = threading.Timer(0.05, live.close)
        closer.start()
        assert list(live) == []
        closer.join()
    else:
        live.close()
    assert time.monotonic() - start < 1
    assert live.wait() is None
    assert live.ended
    assert no_threads_of("shut")


def test_a_frozen_picture_is_told():
    arrivals, moving = Arrivals("cam"), pictures(40)
    told = []
    for i in range(40):
        image = moving[min(i, 10)] if i < 35 else moving[i]
        told += arrivals.take(Frame(image, i, i / 10), i / 10)[1]
        frozen_s = arrivals.frozen_s(i / 10)
        assert frozen_s == pytest.approx((i - 10) / 10 if 10 < i < 35 else 0)
    assert told == ["cam has shown the same picture for 2 s", "cam moves again after 2 s"]


@pytest.mark.parametrize("black", [False, True])
def test_one_pixel_is_a_change(black):
    arrivals = Arrivals("cam")
    image = np.zeros((64, 96, 3), np.uint8) if black else pictures(2)[1]
    for i in range(5):
        arrivals.take(Frame(image.copy(), i, float(i)), float(i))
    assert arrivals.frozen_s(4.0) == 4
    image = image.copy()
    image[33, 17, 1] ^= 1
    arrivals.take(Frame(image, 5, 5.0), 5.0)
    assert arrivals.frozen_s(5.0) == 0


def test_frames_keep_the_first_size():
    arrivals = Arrivals("cam")
    told = []
    for i, size in enumerate([(96, 64), (48, 32), (64, 64), (96, 64)]):
        frame, notices = arrivals.take(
            Frame(np.full((size[1], size[0], 3), 200, np.uint8), i, i / 10), i / 10
        )
        assert frame.image.shape == (64, 96, 3)
        told += notices
    assert arrivals.resized == 2
    assert told == ["the frames of cam are 48x32 px now: they are scaled to 96x64 px"]


@given(st.tuples(st.integers(1, 80), st.integers(1, 80)), st.tuples(st.integers(1, 80), st.integers(1, 80)))
def test_letterbox(given_size, size):
    (w, h), (width, height) = given_size, size
    image = np.full((h, w, 3), 255, np.uint8)
    boxed = letterboxed(image, size)
    assert boxed.shape == (height, width, 3)
    rows, cols = np.flatnonzero(boxed.any(axis=(1, 2))), np.flatnonzero(boxed.any(axis=(0, 2)))
    inner_w, inner_h = len(cols), len(rows)
    assert (boxed[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] == 255).all()
    assert inner_w == width or inner_h == height
    scale = min(width / w, height / h)
    assert abs(inner_w - w * scale) <= 1
    assert abs(inner_h - h * scale) <= 1
    assert abs(2 * rows[0] - (height - inner_h)) <= 1
    assert abs(2 * cols[0] - (width - inner_w)) <= 1


@given(
    st.lists(
        st.tuples(st.floats(0, 2), st.one_of(st.floats(-1e6, 1e6), st.just(math.nan), st.just(math.inf))),
        min_size=1,
        max_size=40,
    ),
    st.lists(st.integers(0, 39), max_size=4),
)
def test_time_always_grows_and_stays_near_the_arrival(steps, restarts):
    clock, now, last = SessionClock(), 0.0, -1.0
    for i, (gap_s, stream_s) in enumerate(steps):
        now += gap_s
        if i in restarts:
            clock.restart()
        time_s = clock.tick(now, stream_s)
        assert time_s >= last + LEAST_STEP_S - 1e-9
        assert time_s <= max(now + 1 + 1e-6, last + LEAST_STEP_S + 1e-9)
        assert time_s >= now - 1 - 1e-6
        last = time_s


def test_the_streams_own_clock_is_kept_while_it_makes_sense():
    clock, rng = SessionClock(), np.random.default_rng(0)
    stream = 5 + np.arange(300) / 30
    late = stream - 5 + rng.uniform(0, 0.1, 300)
    told = np.array([clock.tick(*pair) for pair in zip(late, stream, strict=True)])
    assert clock.jumps == 0
    np.testing.assert_allclose(np.diff(told), 1 / 30, atol=2e-3)


@pytest.mark.parametrize("jump_s", [-4.0, 26.5 * 3600, -26.5 * 3600])
def test_a_clock_that_leaps_or_wraps(jump_s):
    clock = SessionClock()
    told = [clock.tick(i / 10, 100 + i / 10 + (jump_s if i >= 20 else 0)) for i in range(40)]
    assert clock.jumps == 1
    np.testing.assert_allclose(told, np.arange(40) / 10, atol=1e-6)


def test_waits_grow_to_a_bound_and_differ():
    backoff = Backoff(0.5, 8.0, 0.5)
    assert [backoff.wait_s(tries, 0) for tries in range(6)] == [0.5, 1, 2, 4, 8, 8]
    assert [backoff.wait_s(tries, 1) for tries in (0, 5, 10_000)] == [0.25, 4, 4]
