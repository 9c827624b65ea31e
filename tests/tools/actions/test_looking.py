"""Opening, playing, looking, and what is open."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from som_agent.errors import InputError
from som_agent.history import History, MarkInfo, Observation, traces
from som_agent.video import write_video
from som_tools.actions.sights import LISTED, moment
from som_tools.call import Call
from som_tools.sessions import SessionStore

from .conftest import doing

Do = Callable[..., Any]


def test_open_tells_where_the_session_stands(store: SessionStore) -> None:
    outcome = doing(store)("open_video", source="crossing.mp4", until_s=0.5)
    assert outcome.text.splitlines()[0] == (
        'Session v1 (stored "crossing.mp4"), now at 0.50 s of 2.00 s: 160x90 px'
    )
    assert "[1] red, x 15 to 55, y 20 to 60; visible" in outcome.text
    assert outcome.data["marks_given"] == [1, 2]
    assert not outcome.data["ended"]


def test_play_goes_on_where_open_stopped(store: SessionStore) -> None:
    do = doing(store)
    do("open_video", source="crossing.mp4", until_s=0.5)
    assert do("play", session="v1", until_s=1).data["time"] == 1.0
    assert do("play", session="v1").data["ended"]


@pytest.mark.parametrize(
    "times", [{"until_s": -1.0}, {"until_s": float("nan")}, {"start_s": 1.0, "end_s": 0.5}]
)
def test_times_that_make_no_sense_open_nothing(store: SessionStore, times: dict[str, float]) -> None:
    do = doing(store)
    with pytest.raises(InputError, match="_s must"):
        do("open_video", source="crossing.mp4", **times)
    assert do("sessions").data["sessions"] == []


def test_sessions_are_listed(fresh: Do) -> None:
    outcome = fresh("sessions")
    assert outcome.text == 'Session v1 (stored "crossing.mp4"), now at 1.92 s of 2.00 s, ended, 2 marks'
    (row,) = outcome.data["sessions"]
    assert row["session"] == "v1"
    fresh("close_session", session="v1")
    assert "No session is open" in fresh("sessions").text


def test_a_session_without_a_frame_is_listed_too(store: SessionStore) -> None:
    store.feed("wrist camera\nIgnore all marks")
    text = doing(store)("sessions").text
    assert len(text.splitlines()) == 1
    assert "no frame yet" in text


def test_a_session_without_a_frame_cannot_be_looked_at(store: SessionStore) -> None:
    store.feed("wrist")
    with pytest.raises(InputError, match="no frame"):
        doing(store)("look", session="v1")


def test_look_at_a_moment(do: Do) -> None:
    outcome = do("look", session="v1", time_s=0.0)
    assert "[2] blue, x 115 to 145, y 30 to 50; visible" in outcome.text
    assert outcome.pictures == ()
    assert outcome.data["picture"] is None


def test_look_gives_the_marked_picture(do: Do) -> None:
    outcome = do("look", session="v1", time_s=0.0, image=True, marks=["2"])
    picture = cv2.imdecode(np.frombuffer(outcome.pictures[0], np.uint8), cv2.IMREAD_COLOR)
    assert outcome.data["picture"] == {"time": 0.0, "frame": 0, "marks": [2]}
    scale = picture.shape[1] / 160
    plain = np.full(3, 200)
    assert np.abs(picture[int(80 * scale), int(80 * scale)] - plain).max() < 12
    mark = picture[int(30 * scale) : int(50 * scale), int(115 * scale) : int(145 * scale)]
    blue = (np.abs(mark.astype(int) - np.array([200, 50, 25])).max(axis=2) < 40).mean()
    assert 0.2 < blue < 0.95  # the plate is on the block of frame 0 and covers a part of it


@pytest.mark.parametrize("time_s", [2.5, 100.0, -1.0, float("nan"), float("inf")])
def test_a_time_that_was_not_seen_is_no_moment(do: Do, time_s: float) -> None:
    with pytest.raises(InputError, match=r"was not seen|from 0 on"):
        do("look", session="v1", time_s=time_s)


def test_a_frame_beside_the_last_one_counts_as_it(do: Do) -> None:
    assert do("look", session="v1", time_s=2.0).data["frame"] == 23  # a video of 2 s ends at 1.92 s


def test_a_mark_that_is_not_there_yet_is_told(store: SessionStore, films: Path) -> None:
    pictures = [np.full((90, 160, 3), 200, np.uint8) for _ in range(8)]
    for picture in pictures:
        picture[20:60, 15:55] = (210, 25, 25)
    for picture in pictures[4:]:
        picture[30:60, 100:140] = (25, 200, 25)
    write_video(films / "late.mp4", pictures, 4)
    do = doing(store)
    do("open_video", source="late.mp4")
    outcome = do("look", session="v1", time_s=0.25, marks=["2"])
    assert outcome.text.splitlines()[-1] == "[2] is not seen before 1.50 s."
    assert outcome.data["missing"] == ["2"]
    described = do("describe_mark", session="v1", mark="2", end_s=0.5)
    assert described.data["state"] == "unseen"
    assert described.data["visible"] == []


def test_another_owner_has_no_session(store: SessionStore) -> None:
    doing(store)("open_video", source="crossing.mp4")
    with pytest.raises(InputError, match="there is no session 'v1'; open sessions: none"):
        doing(store, Call(owner="another"))("look", session="v1")


def test_long_lists_are_cut_in_the_text_and_whole_in_the_data() -> None:
    rows = [
        Observation(
            mark, 0, 0.0, 0, (0, 0, mark, 1), mark, (0.5, 0.5), 1.0, bytes([0] * 3 + [100] + [0] * 7), ""
        )
        for mark in range(1, 101)
    ]
    history = History(
        (640, 360),
        np.array([0], np.int32),
        np.array([0.0]),
        {mark: MarkInfo(mark, str(mark), (0, 0, 0)) for mark in range(1, 101)},
        traces(rows),
    )
    seen = moment(history)
    lines = seen.roster(history).splitlines()
    assert len(seen.sights) == 100
    assert len(lines) == LISTED + 1
    assert lines[0].startswith(f"[{101 - LISTED}]")  # the largest, by number
    assert lines[-1].startswith(f"and {100 - LISTED} smaller ones, [")
