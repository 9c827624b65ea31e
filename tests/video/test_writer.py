"""mp4 writing: times, colours, sizes, and nothing half-written."""

import itertools

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from som_agent.errors import InputError, OutputError
from som_agent.video import VideoWriter, open_video, write_video

GREY = np.full((64, 96, 3), 120, np.uint8)


@settings(max_examples=15, deadline=None)
@given(
    start=st.floats(0, 5000),
    gaps=st.lists(st.floats(0.001, 3.0), min_size=1, max_size=40),
)
def test_times_survive(start, gaps, tmp_path_factory):
    times = np.array([start, *(start + t for t in itertools.accumulate(gaps))])
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    with VideoWriter(path, (16, 16), 30.0) as writer:
        for time in times:
            writer.write(GREY[:16, :16], float(time))
    source = open_video(path)
    np.testing.assert_allclose([f.time for f in source], times - start, atol=1e-3)
    assert source.problem is None


def test_even_rate(tmp_path):
    path = write_video(tmp_path / "a.mp4", itertools.repeat(GREY, 30), 30000 / 1001)
    source = open_video(path)
    assert source.fps == pytest.approx(30000 / 1001, rel=1e-3)
    np.testing.assert_allclose([f.time for f in source], np.arange(30) * 1001 / 30000, atol=1e-4)
    assert source.duration == pytest.approx(1.001, abs=1e-3)


def test_same_time_twice_is_no_reason_to_stop(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", (96, 64), 30.0) as writer:
        for time in (0.0, 0.5, 0.5, 1.0):
            writer.write(GREY, time)
    np.testing.assert_allclose(
        [f.time for f in open_video(tmp_path / "a.mp4")], [0, 0.5, 0.5, 1.0], atol=1e-3
    )


@pytest.mark.parametrize("size", [(96, 64), (1280, 720)])
@pytest.mark.parametrize("color", [(200, 40, 30), (30, 190, 60), (20, 60, 210), (255, 255, 255), (0, 0, 0)])
def test_colours_survive(size, color, tmp_path):
    image = np.full((size[1], size[0], 3), color, np.uint8)
    (frame,) = open_video(write_video(tmp_path / "a.mp4", [image], 30))
    assert np.abs(frame.image.astype(int) - image).max() <= 4


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (17, 9), (95, 63)])
def test_odd_sizes_keep_every_pixel_in_place(size, tmp_path, clips):
    w, h = size
    image = clips.scene(5, w, h)
    frames = list(open_video(write_video(tmp_path / "a.mp4", [image] * 3, 30)))
    assert len(frames) == 3
    assert frames[0].image.shape == (h + h % 2, w + w % 2, 3)
    if w > 90:
        assert np.abs(frames[0].image[:h, :w].astype(int) - image).mean() < 4


def test_a_browser_can_play_it(tmp_path):
    path = write_video(tmp_path / "a.mp4", [GREY] * 5, 30)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.pix_fmt == "yuv420p"
        assert stream.codec_context.colorspace == stream.codec_context.color_primaries == 1


def write_and_stop(path, count, error):
    with VideoWriter(path, (96, 64), 30.0) as writer:
        for _ in range(count):
            writer.write(GREY)
        assert list(path.parent.glob(".som-*.mp4"))  # the part file lies beside it
        raise error


def test_nothing_half_written(tmp_path):
    old = write_video(tmp_path / "a.mp4", [GREY] * 3, 30).read_bytes()
    with pytest.raises(RuntimeError):
        write_and_stop(tmp_path / "a.mp4", 3, RuntimeError)
    assert (tmp_path / "a.mp4").read_bytes() == old
    assert [f.name for f in tmp_path.iterdir()] == ["a.mp4"]


def test_interrupted_keeps_what_was_done(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_and_stop(tmp_path / "a.mp4", 7, KeyboardInterrupt)
    assert len(list(open_video(tmp_path / "a.mp4"))) == 7
    assert [f.name for f in tmp_path.iterdir()] == ["a.mp4"]


def test_no_frames_no_file(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", (96, 64), 30.0):
        pass
    with pytest.raises(InputError, match=r"no frames to write to .*b.mp4"):
        write_video(tmp_path / "b.mp4", [], 30)
    assert list(tmp_path.iterdir()) == []


def test_unwritable_is_said_before_any_work(tmp_path):
    def frames():
        pytest.fail("work was done")
        yield GREY

    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*a.mp4: Not a directory"):
        write_video(tmp_path / "file" / "a.mp4", frames(), 30)
    with pytest.raises(OutputError, match=r"cannot write .*a.mp4: No such file"):
        VideoWriter(tmp_path / "nowhere" / "a.mp4", (96, 64), 30.0)
    with pytest.raises(OutputError, match=r"a.avi: the name of a video must end in .mp4"):
        VideoWriter(tmp_path / "a.avi", (96, 64), 30.0)


def test_wrong_frames(tmp_path):
    writer = VideoWriter(tmp_path / "a.mp4", (96, 64), 30.0)
    with pytest.raises(ValueError, match=r"shape \(10, 10, 3\) does not fit a video of 96x64"):
        writer.write(GREY[:10, :10])
    writer.write(GREY, 2.0)
    with pytest.raises(ValueError, match=r"time 1 s is before that of the frame before, 2 s"):
        writer.write(GREY, 1.0)
    writer.abort()
    with pytest.raises(ValueError, match=r"is closed"):
        writer.write(GREY)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_while_aborting_is_not_news(tmp_path, monkeypatch):
    """The end of the file cannot be written either: the first error stays the one that is told."""
    from som_agent.video import writer as module

    writer = VideoWriter(tmp_path / "a.mp4", (96, 64), 30.0)
    writer.write(GREY)
    encoder = writer._encoder

    class Full:
        closed = 0

        def mux(self, _packets):
            raise av.error.OSError(28, "No space left on device", "a.mp4")

        def close(self):
            self.closed += 1
            raise av.error.OSError(28, "No space left on device", "a.mp4")

    real, encoder._container = encoder._container, Full()
    assert isinstance(encoder, module._Encoder)
    with pytest.raises(OutputError, match=r"a\.mp4: No space left on device"), writer:
        writer.write(GREY)
    assert encoder._container.closed == 1
    real.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_at_the_end_closes_the_file_too(tmp_path):
    writer = VideoWriter(tmp_path / "a.mp4", (96, 64), 30.0)
    writer.write(GREY)
    encoder = writer._encoder
    real, closed = encoder._container, []

    class Full:
        def mux(self, _packets):
            raise av.error.OSError(28, "No space left on device", "a.mp4")

        def close(self):
            closed.append(True)
            real.close()

    encoder._container = Full()
    with pytest.raises(OutputError, match="No space left on device"):
        writer.close()
    assert closed == [True]
    assert list(tmp_path.iterdir()) == []
