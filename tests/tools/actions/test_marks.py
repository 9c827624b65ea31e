"""What is told of one mark and of two, and the marks that agents make."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from som_agent.errors import InputError, SegmenterError
from som_agent.video import write_video
from som_tools.access import Access
from som_tools.actions.made import told
from som_tools.sessions import SessionStore

from .conftest import ByColor, crossing, doing

Do = Callable[..., Any]


@pytest.fixture
def behind(films: Path) -> Do:
    """`v1`: a blue block goes behind a red one that stands in its way, and comes out on the other side."""
    pictures = []
    for k in range(30):
        picture = np.full((90, 200, 3), 200, np.uint8)
        picture[35:55, 5 + 6 * k : 25 + 6 * k] = (25, 50, 200)
        picture[20:70, 80:120] = (210, 25, 25)
        pictures.append(picture)
    write_video(films / "behind.mp4", pictures, 10)
    do = doing(SessionStore(Access.to(films), segmenter=ByColor()))
    do("open_video", source="behind.mp4")
    return do


def test_a_mark_that_moved(do: Do) -> None:
    outcome = do("describe_mark", session="v1", mark="[2]", positions=3)
    data = outcome.data
    assert data["visible"] == [[0.0, 1.917]]
    assert data["colors"] == {"blue": 100}
    assert data["size"]["box"] == [75.0, 30.0, 105.0, 50.0]
    assert data["motion"]["direction"] == "left"
    assert data["motion"]["distance_px"] == pytest.approx(40, abs=6)
    assert data["motion"]["top_speed_px_s"] == pytest.approx(60, abs=6)
    assert [step["center"] for step in data["path"]] == [[130.0, 40.0], [90.0, 40.0], [90.0, 40.0]]
    assert "moves 0.0-0.8 s" in outcome.text
    assert "blue 100 %" in outcome.text


def test_a_mark_that_stands(do: Do) -> None:
    outcome = do("describe_mark", session="v1", mark="1", positions=0)
    assert outcome.data["motion"]["moves"] is False
    assert outcome.data["motion"]["direction"] is None
    assert outcome.data["path"] == []
    assert "does not move" in outcome.text
    assert "box centres" not in outcome.text


def test_a_mark_at_one_moment(do: Do) -> None:
    data = do("describe_mark", session="v1", mark="2", start_s=0.25, end_s=0.25).data
    assert (data["start"], data["end"]) == (0.25, 0.25)
    assert data["size"]["box"] == [100.0, 30.0, 130.0, 50.0]
    assert len(data["path"]) == 1


def test_a_moment_between_two_frames_is_the_nearest_one(do: Do) -> None:
    assert do("describe_mark", session="v1", mark="2", start_s=0.26, end_s=0.27).data["start"] == 0.25


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"mark": "9"}, r'there is no mark "9"; the marks are \[1\] \[2\]'),
        ({"mark": ""}, 'there is no mark ""'),
        ({"mark": "1", "start_s": 5.0}, "nothing from 5 to 1.91667 s was seen"),
        ({"mark": "1", "start_s": 1.0, "end_s": 0.5}, "end_s must not be before start_s"),
        ({"mark": "1", "end_s": float("nan")}, "end_s must be seconds from 0 on, got nan"),
        ({"mark": "1", "positions": -1}, "positions must be from 0 to 200, got -1"),
    ],
)
def test_what_cannot_be_described(do: Do, fields: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        do("describe_mark", session="v1", **fields)


def test_how_two_marks_are_to_each_other(do: Do) -> None:
    outcome = do("relate_marks", session="v1", mark="2", other="1")
    last, nearest = outcome.data["last"], outcome.data["nearest"]
    assert last["side"] == "right of"
    assert last["distance_px"] == pytest.approx(20, abs=1)
    assert last["center_distance_px"] == pytest.approx(55, abs=1)
    assert (last["touching"], last["inside"], last["change"]) == (False, None, "steady")
    assert nearest["frame"] == 8
    assert nearest["distance_px"] == pytest.approx(20, abs=1)
    assert outcome.data["together"] == [[0.0, 1.917]]
    assert "[2] is right of [1]" in outcome.text


def test_two_marks_that_come_nearer(do: Do) -> None:
    last = do("relate_marks", session="v1", mark="2", other="1", start_s=0.1, end_s=0.6).data["last"]
    assert last["change"] == "closing"
    assert last["change_px_s"] == pytest.approx(-60, abs=5)


def test_one_frame_tells_of_no_change(do: Do) -> None:
    data = do("relate_marks", session="v1", mark="1", other="2", start_s=0.0, end_s=0.0).data
    assert data["last"]["side"] == "left of"
    assert data["last"]["change"] is None
    assert data["nearest"]["distance_px"] == pytest.approx(60, abs=1)


def test_a_mark_and_itself_are_not_two(do: Do) -> None:
    with pytest.raises(InputError, match=r"two marks, got \[1\] twice"):
        do("relate_marks", session="v1", mark="1", other="[1]")


def test_who_hides_whom(behind: Do) -> None:
    of = {mark["colors"]: mark["label"] for mark in behind("look", session="v1", time_s=0).data["marks"]}
    blue, red = of["blue"], of["red"]
    data = behind("describe_mark", session="v1", mark=blue).data
    assert len(data["visible"]) == 2
    assert data["hidden"]
    assert {h["by"] for h in data["hidden"]} == {int(red)}
    assert data["motion"]["direction"] == "right"
    related = behind("relate_marks", session="v1", mark=blue, other=red)
    (hides,) = related.data["hides"]
    assert (hides["hider"], hides["hidden"]) == (int(red), int(blue))
    assert 1.0 < hides["from"] < hides["to"] < 2.0
    assert f"[{red}] hides [{blue}] from" in related.text
    assert related.data["nearest"]["distance_px"] == 0.0
    unseen = behind("describe_mark", session="v1", mark=blue, start_s=1.5, end_s=1.55)
    assert unseen.data["motion"] is None
    assert f"not visible in that time; hidden 1.50-1.50 s by [{red}]" in unseen.text
    apart = behind("relate_marks", session="v1", mark=blue, other=red, start_s=1.5, end_s=1.55)
    assert apart.data["last"] is None
    assert "both visible never" in apart.text


def test_a_mark_that_is_hidden_now_cannot_be_opened(films: Path, behind: Do) -> None:
    do = doing(SessionStore(Access.to(films), segmenter=ByColor()))
    do("open_video", source="behind.mp4", until_s=1.6)
    with pytest.raises(InputError, match=r"is occluded now \(1\.60 s\) and must be visible"):
        do("zoom", session="v1", mark="1" if "red" not in do("look", session="v1").text[:60] else "2")


@pytest.fixture(scope="module")
def drawn(films: Path) -> SessionStore:
    """A store with the embedded segmenter and a card of two halves on grey, for two frames."""
    picture = np.full((120, 160, 3), 200, np.uint8)
    picture[30:90, 40:80] = (210, 25, 25)
    picture[30:90, 80:120] = (230, 120, 20)
    write_video(films / "card.mp4", [picture] * 2, 4)
    return SessionStore(Access.to(films))


def test_pointing_and_opening_and_uniting(drawn: SessionStore) -> None:
    do = doing(drawn)
    session = do("open_video", source="card.mp4").data["session"]
    red = do("mark_object", session=session, points=[[60, 60]], image=True)
    assert red.data["box"] == pytest.approx([40, 30, 80, 90], abs=3)
    assert red.data["colors"] == "red"
    assert len(red.pictures) == 1
    orange = do("mark_object", session=session, box=[78, 28, 122, 92])
    assert orange.data["colors"] == "orange"
    both = do("combine_marks", session=session, marks=[red.data["label"], orange.data["label"]])
    assert both.data["box"] == pytest.approx([40, 30, 120, 90], abs=3)
    assert "∪" in both.text
    again = do("mark_object", session=session, points=[[60, 60]])
    assert red.data["label"] in again.data["same_as"]
    assert "It covers the same as" in again.text
    opened = do("zoom", session=session, mark=both.data["label"], image=True)
    assert {part["colors"] for part in opened.data["parts"]} >= {"red", "orange"}
    assert cv2.imdecode(np.frombuffer(opened.pictures[0], np.uint8), cv2.IMREAD_COLOR) is not None
    assert all(f"[{part['label']}]" in opened.text for part in opened.data["parts"])
    wrong = do("mark_object", session=session, points=[[100, 60]], mark=red.data["label"])
    assert wrong.data["mark"] == red.data["mark"]
    assert wrong.data["colors"] == "orange"
    assert "has a new mask" in wrong.text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "a prompt needs a box, or at least one point"),
        ({"points": [[60, 600]]}, "lies outside"),
        ({"points": [[60]]}, "must be 2 numbers"),
        ({"points": [[float("nan"), 1]]}, "must be 2 numbers"),
        ({"points": [[1, 1]], "labels": [2]}, "labels must be 1"),
        ({"points": [[1, 1]], "labels": [0]}, "at least one point on the thing"),
        ({"points": [[1, 1]] * 101}, "at most 100, got 101"),
        ({"box": [5, 5, 1, 1]}, "x0 < x1"),
        ({"points": [[60, 60]], "mark": "99"}, 'there is no mark "99"'),
    ],
)
def test_pointing_that_makes_no_sense(drawn: SessionStore, fields: dict[str, Any], told: str) -> None:
    do = doing(drawn)
    open_ones = do("sessions").data["sessions"]
    session = open_ones[0]["session"] if open_ones else do("open_video", source="card.mp4").data["session"]
    with pytest.raises(InputError, match=told):
        do("mark_object", session=session, **fields)


def test_a_segmenter_that_takes_no_prompts_says_so(do: Do) -> None:
    with pytest.raises(SegmenterError, match="'by-color' takes no points or boxes"):
        do("mark_object", session="v1", points=[[30, 30]])


def test_a_mark_is_told_though_it_was_hidden_meanwhile(store: SessionStore) -> None:
    """Frames of a camera go on while an agent makes a mark."""
    fed = store.feed("camera")
    for k in range(4):
        fed.step(crossing(k), k / 12)
    made = fed.session.union(1, 2)
    for k in range(4, 6):
        fed.step(np.full((90, 160, 3), 200, np.uint8), k / 12)
    outcome = told(fed, made, "is a mark", image=False)
    assert outcome.data["time"] == 0.25
    assert outcome.data["box"] == [15.0, 20.0, 130.0, 60.0]


def test_a_mark_of_one_thing_has_no_parts(do: Do) -> None:
    outcome = do("zoom", session="v1", mark="1")
    assert outcome.data["parts"] == []
    assert "has no parts that can be told apart" in outcome.text


def test_what_cannot_be_combined(fresh: Do) -> None:
    with pytest.raises(InputError, match="union needs two different marks or more, got 1, 1"):
        fresh("combine_marks", session="v1", marks=["1", "1"])
    with pytest.raises(InputError, match="share no pixel"):
        fresh("combine_marks", session="v1", marks=["1", "2"], how="intersection")
