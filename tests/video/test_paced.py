"""Files that are played as if they were live."""

import math
import threading
import time

import numpy as np
import pytest

from som_agent.errors import InputError
from som_agent.video import open_video
from som_agent.video.live import open_live
from som_agent.video.paced import paced


class TestPaced:
    def test_by_the_clock(self, tmp_path, clips):
        video = paced(open_video(clips.make(tmp_path / "a.mp4", 15)), speed=2)
        assert (video.size, video.is_live, video.frame_count) == ((96, 64), False, 15)
        start = time.monotonic()
        frames = list(video)
        assert 0.2 < time.monotonic() - start < 2
        assert [clips.number_of(frame.image) for frame in frames] == list(range(15))
        np.testing.assert_allclose([frame.time for frame in frames], np.arange(15) / 60, atol=1e-3)

    def test_laps_go_on(self, tmp_path, clips):
        video = paced(open_video(clips.make(tmp_path / "a.mp4", 10)), speed=math.inf, loop=True)
        assert video.is_live
        frames = [frame for frame, _ in zip(video, range(35), strict=False)]
        assert [frame.index for frame in frames] == list(range(35))
        assert [clips.number_of(frame.image) for frame in frames] == [i % 10 for i in range(35)]
        np.testing.assert_allclose([frame.time for frame in frames], np.arange(35) / 30, atol=1e-3)

    def test_it_can_be_interrupted(self, tmp_path, clips):
        video = paced(open_video(clips.make(tmp_path / "a.mp4", times=[0, 30.0])))
        frames = iter(video)
        next(frames)
        threading.Timer(0.05, video.interrupt).start()
        start = time.monotonic()
        assert next(frames, None) is None
        assert time.monotonic() - start < 5
        video.close()

    @pytest.mark.parametrize("speed", [0, -1, math.nan])
    def test_speeds_that_make_no_sense(self, tmp_path, clips, speed):
        with pytest.raises(InputError, match="makes no sense"):
            paced(open_video(clips.make(tmp_path / "a.mp4", 3)), speed=speed)


def test_a_file_is_played_once(tmp_path, clips):
    with open_live(clips.make(tmp_path / "a.mp4", 12)) as live:
        assert live.size == (96, 64)
        assert live.fps == pytest.approx(30, rel=0.02)
        frames = list(live)
    assert frames[-1].index == 11
    assert clips.number_of(frames[-1].image) == 11
    assert live.problem is None


def test_a_slow_file_is_not_silent(tmp_path, clips):
    with open_live(clips.make(tmp_path / "slow.mp4", times=[0, 1.0]), silent_s=0.2) as live:
        assert [round(frame.time, 3) for frame in live] == [0.0, 1.0]
    assert live.problem is None


def test_what_is_not_there():
    with pytest.raises(InputError, match=r"no such file: /nowhere/a\.mp4"):
        open_live("/nowhere/a.mp4")
    with pytest.raises(InputError, match="unknown kind of address s3://"):
        open_live("s3://bucket/a.mp4")
