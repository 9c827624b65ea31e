import numpy as np
import pytest

from som_agent.colors import COLOR_TERMS
from som_agent.history import GONE, OCCLUDED, VISIBLE, MarkInfo, Observation, traces
from som_agent.recorder import Recorder


def seen(mark, frame, state=VISIBLE, **fields):
    values = {
        "box": (1.0, 2.0, 3.0, 4.0),
        "area": 4,
        "anchor": (2.0, 3.0),
        "score": 1.0,
        "colors": bytes(len(COLOR_TERMS)),
        "rle": "",
    }
    return Observation(mark=mark, frame=frame, time=frame / 10, state=state, **{**values, **fields})


def table(*marks):
    return {mark: MarkInfo(mark, str(mark), (mark, 0, 0)) for mark in marks}


def read(recorder, *marks):
    return recorder.history(table(*marks), size=(640, 360), mask_size=(480, 270), segmenter="labels:x")


def test_what_goes_in_comes_out():
    recorder = Recorder()
    colors = bytes(range(len(COLOR_TERMS)))
    recorder.add(0, 0.0, [seen(1, 0), seen(2, 0, area=9, rle="abc", colors=colors)])
    recorder.add(3, 0.3, [seen(2, 3, OCCLUDED, score=0.0)])
    history = read(recorder, 1, 2)
    assert history.frames.tolist() == [0, 3]
    assert history.times.tolist() == [0.0, 0.3]
    assert history.size == (640, 360)
    assert history.mask_size == (480, 270)
    assert history.segmenter == "labels:x"
    assert sorted(history.marks) == sorted(history.traces) == [1, 2]
    trace = history.traces[2]
    assert trace.frames.tolist() == [0, 3]
    assert trace.states.tolist() == [VISIBLE, OCCLUDED]
    assert trace.areas.tolist() == [9, 4]
    assert trace.rles == ["abc", ""]
    assert trace.colors.shape == (2, len(COLOR_TERMS))
    assert trace.colors[0].tobytes() == colors
    types = {name: getattr(trace, name).dtype for name in ("frames", "times", "states", "boxes", "areas")}
    assert types == {
        "frames": np.int32,
        "times": np.float64,
        "states": np.int8,
        "boxes": np.float32,
        "areas": np.int32,
    }
    assert trace.boxes.shape == (2, 4)
    assert trace.anchors.shape == (2, 2)


def test_nothing_seen_yet():
    history = read(Recorder())
    assert len(history.frames) == 0
    assert history.frames.dtype == np.int32
    assert history.traces == {}
    assert Recorder().newest == []
    assert traces([]) == {}


@pytest.mark.parametrize("marks", [1, 7])
def test_memory_is_bounded_and_the_past_stays_complete(marks):
    recorder = Recorder(max_rows=200)
    for frame in range(5000):
        recorder.add(frame, frame / 10, [seen(mark + 1, frame) for mark in range(marks)])
        if frame % 97 == 0:
            history = read(recorder, *range(1, marks + 1))
            assert sum(len(trace) for trace in history.traces.values()) <= 200
    history = read(recorder, *range(1, marks + 1))
    frames = history.frames
    assert len(history.traces[1]) == len(frames) >= 200 // marks // 2
    assert frames[0] == 0, "the beginning is remembered"
    assert frames[-1] == 4999
    gaps = np.diff(frames)
    assert (gaps > 0).all()
    assert gaps[-5:].max() == 1, "the present keeps every frame"
    assert gaps[:-1].max() <= 8 * 5000 / len(frames), "no part of the past is a hole"
    assert len(np.unique(gaps)) <= 3, "the past is even"


def test_frames_without_marks_cost_nothing_but_are_remembered():
    recorder = Recorder(max_rows=10)
    for frame in range(50):
        recorder.add(frame, frame / 10, [])
    assert len(read(recorder).frames) == 50


def test_more_marks_than_rows():
    recorder = Recorder(max_rows=1)
    for frame in range(40):
        recorder.add(frame, frame / 10, [seen(mark, frame) for mark in range(1, 6)])
    history = read(recorder, *range(1, 6))
    assert history.frames[0] == 0
    assert history.frames[-1] == 39
    assert len(history.frames) <= 3


def test_forgotten_marks_are_no_longer_remembered():
    recorder = Recorder(max_rows=50)
    recorder.add(0, 0.0, [seen(2, 0)])
    recorder.add(1, 0.1, [seen(1, 1), seen(2, 1, GONE)])
    assert recorder.remembered == {1, 2}
    recorder.add(2, 0.2, [seen(3, 2)])
    for frame in range(3, 400):
        recorder.add(frame, frame / 10, [seen(4, frame)])
    history = read(recorder, *recorder.remembered)
    assert recorder.remembered == set(history.traces)
    assert {2, 4} <= set(history.traces), "frame 0 is never let go"
    assert set(history.traces) < {1, 2, 3, 4}


def test_marks_of_the_table_without_observations_are_left_out():
    recorder = Recorder()
    recorder.add(0, 0.0, [seen(1, 0)])
    assert sorted(read(recorder, 1, 2).marks) == [1]
    assert [row.mark for row in recorder.newest] == [1]


def test_the_newest_frame_is_seen_anew():
    recorder = Recorder(max_rows=6)
    recorder.add(0, 0.0, [seen(1, 0), seen(2, 0)])
    recorder.add(1, 0.1, [seen(1, 1), seen(2, 1, GONE)])
    recorder.renew([seen(1, 1, anchor=(9.0, 9.0)), seen(3, 1)])
    assert [(row.mark, row.state) for row in recorder.newest] == [(1, VISIBLE), (3, VISIBLE), (2, GONE)]
    history = read(recorder, 1, 2, 3)
    assert history.frames.tolist() == [0, 1]
    assert {mark: trace.frames.tolist() for mark, trace in history.traces.items()} == {
        1: [0, 1],
        2: [0, 1],
        3: [1],
    }
    assert history.traces[1].anchors[1].tolist() == [9, 9]
    for frame in range(2, 20):
        recorder.add(frame, frame / 10, [seen(1, frame), seen(3, frame)])
    assert sum(len(trace) for trace in read(recorder, 1, 2, 3).traces.values()) <= 6
