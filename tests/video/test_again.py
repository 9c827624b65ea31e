import numpy as np
import pytest

from som_agent.errors import InputError
from som_agent.video import open_video, write_image, write_video
from som_agent.video.again import frame_again


def pictures(count):
    return [np.full((48, 64, 3), 12 * k + 10, np.uint8) for k in range(count)]


def test_any_frame_of_a_video(tmp_path):
    write_video(tmp_path / "v.mp4", pictures(20), 7.5)
    with open_video(tmp_path / "v.mp4") as video:
        frames = list(video)
    for frame in (frames[0], frames[13], frames[19]):
        again = frame_again(tmp_path / "v.mp4", frame.index, frame.time)
        assert (again.index, again.time) == (frame.index, frame.time)
        assert np.array_equal(again.image, frame.image)


def test_a_folder_has_the_clock_that_it_is_given(tmp_path):
    for k, picture in enumerate(pictures(6)):
        write_image(tmp_path / f"{k}.png", picture)
    with open_video(tmp_path, fps=4) as video:
        frames = list(video)
    again = frame_again(tmp_path, 3, frames[3].time, 4)
    assert np.array_equal(again.image, frames[3].image)


def test_a_source_that_was_changed(tmp_path):
    write_video(tmp_path / "v.mp4", pictures(4), 10)
    with pytest.raises(InputError, match=r"frame 9 of .*v\.mp4 is no longer there"):
        frame_again(tmp_path / "v.mp4", 9, 0.2)
