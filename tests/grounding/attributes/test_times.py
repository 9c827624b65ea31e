from __future__ import annotations

import math

import pytest

from som_agent.grounding.attributes.times import take_times

TIMES = [
    ("at 3.2 s", "start", 3.2, 3.2),
    ("at 3.2s", "start", 3.2, 3.2),
    ("at 3.2", "start", 3.2, 3.2),
    ("at 5?", "start", 5, 5),
    ("around two seconds", "start", 2, 2),
    ("at 1:05", "start", 65, 65),
    ("at the 3 second mark", "start", 3, 3),
    ("at second 3", "start", 3, 3),
    ("3 seconds in", "start", 3, 3),
    ("at 500 ms", "start", 0.5, 0.5),
    ("half a minute in", "start", 30, 30),
    ("between 2 and 4 s", "start", 2, 4),
    ("between 2 s and 4 s", "start", 2, 4),
    ("between 4 and 2 seconds", "start", 2, 4),
    ("from 2 to 4 seconds", "start", 2, 4),
    ("2-4 s", "start", 2, 4),
    ("between 1.5 and 3", "start", 1.5, 3),
    ("from 0:01 to 0:03", "start", 1, 3),
    ("after 5 s", "start", 5, math.inf),
    ("from 5 s onwards", "start", 5, math.inf),
    ("before 5 s", "start", 0, 5),
    ("until 2 minutes", "start", 0, 120),
    ("in the first second", "first", 0, 1),
    ("during the first 2 seconds", "first", 0, 2),
    ("at the start", "first", 0, 0.5),
    ("in the beginning of the video", "first", 0, 0.5),
    ("initially", "first", 0, 0.5),
    ("in the last 2 seconds", "end", 0, 2),
    ("in the last half second", "end", 0, 0.5),
    ("at the end", "end", 0, 0.5),
    ("at the very end of the clip", "end", 0, 0.5),
    ("right now", "end", 0, 0.5),
    ("2 s before the end", "end", 2, 2),
    ("in the second half of the video", "half", 0.5, 1),
    ("halfway through", "half", 0.5, 0.5),
    ("in frame 30", "frame", 30, 30),
]


@pytest.mark.parametrize(("text", "anchor", "start", "end"), TIMES, ids=[t for t, *_ in TIMES])
def test_times(text, anchor, start, end):
    rest, windows, loose = take_times(f"Which marks are red {text}")
    (window,) = windows
    assert (window.anchor, window.start, window.end) == (anchor, pytest.approx(start), pytest.approx(end))
    assert rest.replace("?", "").split() == ["Which", "marks", "are", "red"]
    assert loose == []


@pytest.mark.parametrize(
    "text",
    [
        "between 2 and 4",
        "the same colour as [3]",
        "is mark 3 small",
        "marks 1 to 3",
        "the second largest",
        "look at mark 5",
    ],
)
def test_what_is_no_time(text):
    rest, windows, loose = take_times(text)
    assert (rest, windows, loose) == (text, [], [])


def test_a_length_of_time_is_no_time_of_the_video():
    assert take_times("visible for more than 5 seconds")[2] == ["for more than 5 seconds"]
