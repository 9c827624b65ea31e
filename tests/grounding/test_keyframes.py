import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from som_agent.errors import InputError
from som_agent.grounding.intervals import visible_intervals
from som_agent.grounding.keyframes import choose_frames, frames_for_marks, named_times
from som_agent.history import GONE, OCCLUDED, VISIBLE, History, MarkInfo, Trace


def trace(frames, areas=None, states=None, fps=10, scores=None):
    n = len(frames)
    frames = np.asarray(frames, np.int32)
    return Trace(
        frames=frames,
        times=frames / fps,
        states=np.full(n, VISIBLE, np.int8) if states is None else np.asarray(states, np.int8),
        boxes=np.tile(np.float32([0, 0, 9, 9]), (n, 1)),
        areas=np.full(n, 100, np.int32) if areas is None else np.asarray(areas, np.int32),
        anchors=np.full((n, 2), 5, np.float32),
        scores=np.ones(n, np.float32) if scores is None else np.asarray(scores, np.float32),
        colors=np.zeros((n, 11), np.uint8),
        rles=[""] * n,
    )


def history(n, traces, fps=10, step=1):
    frames = np.arange(0, n * step, step, dtype=np.int32)
    marks = {m: MarkInfo(m, str(m), (0, 0, 0)) for m in traces}
    return History((64, 48), frames, frames / fps, marks, traces, "labels:x")


def shows(h, frame):
    return {m for m, t in h.traces.items() if ((t.frames == frame) & (t.states == VISIBLE)).any()}


def test_one_frame_that_shows_all_is_enough_for_cover_and_the_rest_spreads():
    h = history(21, {1: trace(range(21)), 2: trace(range(8, 13)), 3: trace([9, 10])})
    frames = choose_frames(h, 3)
    assert shows(h, frames[0]) | shows(h, frames[1]) | shows(h, frames[2]) == {1, 2, 3}
    assert frames == [0, 9, 20]


def test_cover_needs_several():
    h = history(30, {1: trace(range(10)), 2: trace(range(10, 20)), 3: trace(range(20, 30))})
    frames = choose_frames(h, 3)
    assert [f // 10 for f in frames] == [0, 1, 2]


def test_the_clearest_sight_is_taken():
    h = history(10, {1: trace(range(10), areas=[5, 6, 7, 400, 20, 20, 20, 20, 20, 20])})
    assert choose_frames(h, 1) == [3]
    h = history(10, {1: trace(range(10), scores=[0.1] * 7 + [0.9] + [0.1] * 2)})
    assert choose_frames(h, 1) == [7]


def test_occluded_is_not_shown():
    h = history(4, {1: trace(range(4), states=[OCCLUDED, OCCLUDED, VISIBLE, GONE])})
    assert choose_frames(h, 1) == [2]


def test_times_of_the_question_bound_the_choice():
    h = history(100, {1: trace(range(5)), 2: trace(range(40, 60))})
    assert all(40 <= f <= 60 for f in choose_frames(h, 4, [(4.0, 6.0)]))
    assert choose_frames(h, 4, [(3.33, 3.33)]) == [33]
    assert choose_frames(h, 4, [(50, 60)]) == [99]
    two = choose_frames(h, 2, [(0, 1), (9, 9.5)])
    assert two[0] <= 10
    assert 90 <= two[1] <= 95


def test_source_numbers_are_returned():
    h = history(5, {1: trace([20])}, step=10)
    assert choose_frames(h, 1) == [20]


def test_no_marks_no_frames_bad_budget():
    assert choose_frames(history(9, {}), 1) == [4]
    assert choose_frames(history(9, {}), 3) == [0, 4, 8]
    assert choose_frames(history(0, {}), 3) == []
    assert choose_frames(history(1, {1: trace([0])}), 3) == [0]
    with pytest.raises(InputError, match="at least 1, got 0"):
        choose_frames(history(3, {}), 0)


def test_fewer_frames_where_each_needs_several_pictures():
    h = history(40, {mark: trace(range(40)) for mark in range(1, 8)})
    assert len(frames_for_marks(h, 4, 6, 7)) == 4
    assert len(frames_for_marks(h, 4, 6, 4)) == 3
    assert len(frames_for_marks(h, 4, 6, 3)) == 2
    assert len(frames_for_marks(h, 4, 6, 1)) == 2, "what changes shows in two frames only"
    assert len(frames_for_marks(h, 4, 1, 1)) == 1
    assert frames_for_marks(h, 4, 6, 7, [(1.0, 1.0)]) == [10]
    assert len(frames_for_marks(history(40, {}), 4, 6, 3)) == 4
    assert frames_for_marks(history(0, {}), 4, 6, 3) == []
    with pytest.raises(InputError, match="at least 1, got 0"):
        frames_for_marks(h, 4, 0, 3)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_contract(data):
    n = data.draw(st.integers(1, 40))
    traces = {}
    for mark in range(1, data.draw(st.integers(0, 6)) + 1):
        frames = sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1)))
        states = data.draw(st.lists(st.sampled_from([0, 1, 2]), min_size=len(frames), max_size=len(frames)))
        areas = data.draw(st.lists(st.integers(0, 500), min_size=len(frames), max_size=len(frames)))
        traces[mark] = trace(frames, areas, states)
    h = history(n, traces)
    budget = data.draw(st.integers(1, 8))
    chosen = choose_frames(h, budget)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(budget, n)
    assert chosen == choose_frames(h, budget)
    coverable = {m for m in traces if any(m in shows(h, f) for f in range(n))}
    covered = {m for f in chosen for m in shows(h, f)}
    assert len(covered) >= min(len(coverable), budget)
    if budget >= len(coverable):
        assert covered == coverable


@pytest.mark.parametrize(
    ("question", "times"),
    [
        ("Which cups are red?", []),
        ("What happens between 2 and 4 s?", [(2, 4)]),
        ("from 2.5 s to 4 seconds", [(2.5, 4)]),
        ("between 4 and 2 seconds", [(2, 4)]),
        ("What is blue at 3.2 s?", [(3.2, 3.2)]),
        ("at second 3", [(3, 3)]),
        ("what leaves after 5 s", [(5, 8)]),
        ("before 5 seconds", [(1, 5)]),
        ("in the first 2 s", [(1, 3)]),
        ("during the last 2 seconds", [(6, 8)]),
        ("Where is it at the end?", [(8, 8)]),
        ("at the beginning and at the end", [(1, 1), (8, 8)]),
        ("between 2 and 4 cups", []),
        ("after 3 moves", []),
        ("at 30 s", [(30, 30)]),
    ],
)
def test_named_times(question, times):
    assert sorted(named_times(question, 1.0, 8.0)) == times


def test_intervals_join_what_was_not_looked_at_between():
    coarse = trace([0, 30, 60, 120, 150])
    looked = np.arange(0, 160, 30, dtype=np.int32)
    assert visible_intervals(coarse, frames=looked) == [(0.0, 6.0), (12.0, 15.0)]
    assert visible_intervals(coarse, frames=coarse.frames) == [(0.0, 15.0)]


def test_intervals_bridge_short_gaps_only():
    states = [VISIBLE] * 3 + [OCCLUDED] * 3 + [VISIBLE] * 2 + [GONE] * 5 + [VISIBLE]
    t = trace(range(14), states=states)
    assert visible_intervals(t, frames=t.frames) == [(0.0, 0.7), (1.3, 1.3)]


def test_never_visible_has_no_interval():
    hidden, empty = trace([0, 1], states=[GONE, OCCLUDED]), trace([])
    assert visible_intervals(hidden, frames=hidden.frames) == []
    assert visible_intervals(empty, frames=empty.frames) == []


def test_marks_that_matter_are_covered_first():
    h = history(30, {1: trace(range(10)), 2: trace(range(10, 20)), 3: trace(range(20, 30))})
    assert [f // 10 for f in choose_frames(h, 1)] == [0]
    assert [f // 10 for f in choose_frames(h, 1, weights={3: 1.0})] == [2]
    assert [f // 10 for f in choose_frames(h, 2, weights={3: 1.0, 2: 0.5})] == [1, 2]


def test_a_sharp_frame_goes_before_a_blurred_one_that_shows_a_little_more():
    areas = np.full(20, 20)
    areas[13], areas[14] = 400, 360
    h = history(20, {1: trace(range(20), areas=areas)})
    assert choose_frames(h, 1) == [13]
    h.sharpness = np.full(20, 400, np.float32)
    h.sharpness[13] = 50
    assert choose_frames(h, 1) == [14]
    # What is far away in time shows something else: that it is sharper says nothing about blur.
    h.sharpness = np.where(np.arange(20) < 6, 40_000, 50).astype(np.float32)
    assert choose_frames(h, 1) == [13]


@pytest.mark.parametrize(
    ("question", "times"),
    [
        ("What is red at 1:05?", [(65, 65)]),
        ("What moves between 0:10 and 0:20.5?", [(10, 20.5)]),
        ("What happens after 1:01:00?", [(3660, 9000)]),
        ("What happens before 2 minutes?", [(0, 120)]),
        ("Who comes at 1.5 min?", [(90, 90)]),
        ("Which is bigger, at a scale of 1:100?", []),
    ],
)
def test_times_of_a_clock_and_in_minutes(question, times):
    assert named_times(question, 0, 9000) == times
