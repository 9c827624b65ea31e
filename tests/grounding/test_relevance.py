import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.grounding.relevance import ranked, relevance
from som_agent.history import OCCLUDED, VISIBLE, History, MarkInfo, Trace

W, H, FRAMES = 320, 240, 30


def trace(x, y, side, term, velocity=0.0, first=0, last=FRAMES, hidden=()):
    frames = np.arange(first, last, dtype=np.int32)
    n = len(frames)
    left = x + velocity * frames / 10
    boxes = np.stack([left, np.full(n, y), left + side, np.full(n, y + side)], axis=1).astype(np.float32)
    colors = np.zeros((n, 11), np.uint8)
    colors[:, term] = 100
    return Trace(
        frames=frames,
        times=frames / 10,
        states=np.where(np.isin(frames, list(hidden)), OCCLUDED, VISIBLE).astype(np.int8),
        boxes=boxes,
        areas=np.full(n, side * side, np.int32),
        anchors=boxes[:, :2] + np.float32(side / 2),
        scores=np.ones(n, np.float32),
        colors=colors,
        rles=[""] * n,
    )


def history(traces):
    frames = np.arange(FRAMES, dtype=np.int32)
    marks = {mark: MarkInfo(mark, str(mark), (0, 0, 0)) for mark in traces}
    return History((W, H), frames, frames / 10, marks, traces, "labels:x")


@pytest.fixture(scope="module")
def scene():
    """1 large red at the left, 2 red that moves right, 3 small blue at the right, 4 green, late."""
    return history(
        {
            1: trace(10, 90, 60, 3),
            2: trace(40, 20, 30, 3, velocity=60.0),
            3: trace(280, 180, 20, 7),
            4: trace(150, 180, 30, 6, first=20),
        }
    )


def test_named_marks_come_first(scene):
    assert relevance("Compare [3] with mark 1.", scene) == {1: 1.0, 2: 0.0, 3: 1.0, 4: 0.0}
    order, named = ranked("What is [3] for?", scene, [0, 29])
    assert order[0] == 3
    assert named == [3]


@pytest.mark.parametrize(
    ("question", "fits"),
    [
        ("Which of the red cups is full?", {1, 2}),
        ("Who holds the blue thing?", {3}),
        ("What moves?", {2}),
        ("Which red mark moves right?", {2}),
        ("What is left of the green mark?", {1, 4}),
        ("Is the largest object a box?", {1}),
        ("What is on the right at 0.5 s?", {3}),
    ],
)
def test_marks_that_fit_a_description(scene, question, fits):
    got = relevance(question, scene)
    assert fits <= {mark for mark, value in got.items() if value == 0.5}
    assert all(value < 0.5 for mark, value in got.items() if mark not in fits)


def test_a_part_of_a_description_counts_less(scene):
    got = relevance("Which red mark moves right?", scene)
    assert got[2] == 0.5 > got[1] > got[3] == 0


@pytest.mark.parametrize("question", ["What happens here?", "", "狗在哪里？", "Who is the man?", "[9]"])
def test_what_describes_no_mark_is_about_none(scene, question):
    assert set(relevance(question, scene).values()) == {0.0}


def test_without_a_question_size_motion_and_novelty_rank(scene):
    order, named = ranked("What happens?", scene, [29])
    assert named == []
    assert sorted(order) == [1, 2, 3, 4]
    assert order[-1] == 3, "small, at rest, and there all along"
    assert order.index(2) < order.index(3)


def test_the_size_in_the_frames_shown_counts():
    grows = trace(10, 10, 40, 3)
    areas = np.where(grows.frames < 15, 100, 20_000).astype(np.int32)
    grown = Trace(**{**grows.__dict__, "areas": areas})
    both = history({1: trace(100, 100, 60, 3), 2: grown})
    assert ranked("?", both, [0])[0] == [1, 2]
    assert ranked("?", both, [20])[0] == [2, 1]


WORDS = st.sampled_from(
    re.split(
        r"\|",
        "which|what|is|are|the|a|red|blue|green|mark|marks|[1]|[2]|mark 3|7|largest|second|small|left of|"
        "right|above|touching|inside|between|near|and|or|not|but|then|moving|moves|at the start|end|while|"
        "before|after|appears|leaves|first|last|bigger than|other|each|how many|fast|at 2 s|always|never|"
        "cups|,|?|nothing|same color as|frame 5|the whole time|corner|every|does",
    )
)


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=14).map(" ".join)))
def test_no_text_breaks_it(scene, text):
    got = relevance(text, scene)
    assert set(got) == set(scene.marks)
    assert all(0 <= value <= 1 for value in got.values())
    order, named = ranked(text, scene, [0, 10])
    assert sorted(order) == sorted(scene.marks)
    assert order[: len(named)] == named


@pytest.mark.parametrize("question", ["Which red mark touches [1]?", "What moves?", ""])
def test_where_nothing_was_seen(question):
    empty = History((1, 1), np.zeros(0, np.int32), np.zeros(0))
    assert relevance(question, empty) == {}
    assert ranked(question, empty, []) == ([], [])
    hidden = history({1: trace(0, 0, 5, 3, hidden=range(FRAMES)), 2: trace(0, 0, 5, 3, last=0)})
    assert set(relevance(question, hidden)) == {1, 2}
    assert sorted(ranked(question, hidden, [3])[0]) == [1, 2]
