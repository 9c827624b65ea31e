"""Waiting for something: in a stored video, in a live one, and in what was seen before."""

from collections.abc import Callable
from typing import Any

import pytest

from som_agent.errors import InputError
from som_tools.call import Call, StoppedError
from som_tools.sessions import SessionStore

from .conftest import crossing, doing

Do = Callable[..., Any]

NEAR = {"kind": "near", "mark": "2", "other": "1", "distance_px": 30}


@pytest.fixture
def begun(store: SessionStore) -> Do:
    """`v1` is the crossing at its first frame."""
    do = doing(store)
    do("open_video", source="crossing.mp4", until_s=0.0)
    return do


def test_a_stored_video_plays_until_it_happens(begun: Do) -> None:
    outcome = begun("watch", session="v1", when=[NEAR], until_s=2.0)
    (event,) = outcome.data["events"]
    assert outcome.data["time"] == event["time"] == pytest.approx(0.5, abs=0.1)
    assert [mark["mark"] for mark in event["marks"]] == [2, 1]
    assert "[2] came near mark [1]" in outcome.text
    assert not outcome.data["done"]


def test_it_plays_to_the_end_where_nothing_happens(begun: Do) -> None:
    outcome = begun("watch", session="v1", when=[{**NEAR, "distance_px": 5}], until_s=1.0)
    assert outcome.data["events"] == []
    assert outcome.data["time"] == 1.0
    assert outcome.text.startswith('no events; w1 of v1 waits; ask again with watch "w1" (now at 1.00 s)')


def test_a_watch_is_asked_later_and_tells_each_event_once(begun: Do) -> None:
    assert begun("watch", session="v1", when=[NEAR], once=True).data["events"] == []
    begun("play", session="v1")
    later = begun("watch", session="v1", watch="w1")
    assert len(later.data["events"]) == 1
    assert later.data["done"]
    assert begun("watch", session="v1", watch="w1").data["events"] == []


def test_what_was_seen_is_gone_through_again(do: Do) -> None:
    zone = {"kind": "enters", "zone": [60, 0, 100, 90]}
    (event,) = do("watch", session="v1", when=[zone], since_s=0.0).data["events"]
    assert event["time"] == pytest.approx(0.58, abs=0.1)
    polygon = {"kind": "enters", "zone": [60, 0, 100, 0, 100, 90, 60, 90]}
    assert do("watch", session="v1", when=[polygon], since_s=0.0).data["events"][0]["time"] == event["time"]


def test_several_conditions_are_joined(begun: Do) -> None:
    stops = {"kind": "stops", "mark": "2", "seconds": 0.5}
    then = begun("watch", session="v1", when=[NEAR, stops], join="then", within_s=5, until_s=2.0)
    assert then.data["condition"]["kind"] == "then"
    assert then.data["events"][0]["time"] > 0.9
    assert begun("watch", session="v1", when=[NEAR, stops], join="all").data["condition"]["kind"] == "and"
    assert begun("watch", session="v1", when=[NEAR, stops]).data["condition"]["kind"] == "or"


def test_a_live_session_is_waited_for(store: SessionStore) -> None:
    do = doing(store)
    do("open_video", source="crossing.mp4", live=True)
    outcome = do("watch", session="v1", when=[NEAR], wait_s=30.0)
    assert len(outcome.data["events"]) == 1
    assert outcome.data["events"][0]["time"] >= 0.5


def test_a_program_that_feeds_frames_finds_what_a_model_set(store: SessionStore) -> None:
    fed, do = store.feed("robot"), doing(store)
    for k in range(4):
        fed.step(crossing(k), k / 12)
    assert do("watch", session="v1", when=[NEAR], wait_s=0.05).data["events"] == []
    for k in range(4, 12):
        fed.step(crossing(k), k / 12)
    assert len(do("watch", session="v1", watch="w1", wait_s=5.0).data["events"]) == 1


def test_a_caller_that_goes_away_is_not_waited_for(store: SessionStore) -> None:
    fed = store.feed("robot")
    for k in range(4):
        fed.step(crossing(k), k / 12)
    do = doing(store, Call(stopped=lambda: True))
    with pytest.raises(StoppedError):
        do("watch", session="v1", when=[NEAR], wait_s=600.0)
    with pytest.raises(StoppedError):
        do("watch", session="v1", when=[NEAR], until_s=600.0)


def test_a_watch_is_removed(begun: Do) -> None:
    begun("watch", session="v1", when=[NEAR])
    outcome = begun("watch", session="v1", watch="w1", stop=True)
    assert outcome.data["done"]
    begun("play", session="v1")
    assert begun("watch", session="v1", watch="w1").data["events"] == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "when is empty"),
        ({"when": [NEAR], "watch": "w1"}, "give one of the two"),
        ({"watch": "w99"}, 'there is no watch "w99" in v1; there are: '),
        ({"when": [{**NEAR, "mark": "9"}]}, 'there is no mark "9"'),
        ({"when": [{"kind": "near", "mark": "2"}]}, "near needs distance_px"),
        ({"when": [{"kind": "moves", "mark": "2", "factor": 2}]}, "moves has no factor"),
        ({"when": [{"kind": "enters", "zone": [0, 0, 9, 9, 9]}]}, "polygon must be three points"),
        ({"when": [{"kind": "changes_color", "to": "mauve"}]}, "to must be one of"),
        ({"when": [NEAR], "join": "then"}, None),
        ({"when": [NEAR] * 3, "join": "then"}, "then joins two conditions, got 3"),
        ({"when": [NEAR], "wait_s": 1.0}, "give until_s in place of wait_s"),
        ({"when": [NEAR], "wait_s": float("nan")}, "wait_s must be from 0 to 600, got nan"),
        ({"when": [NEAR], "since_s": -1.0}, "since_s must be seconds from 0 on"),
    ],
)
def test_what_cannot_be_waited_for(do: Do, fields: dict[str, Any], told: str | None) -> None:
    if told is None:  # one condition needs no joining
        assert do("watch", session="v1", **fields).data["condition"]["kind"] == "near"
        return
    with pytest.raises(InputError, match=told):
        do("watch", session="v1", **fields)


def test_watches_are_bounded(begun: Do) -> None:
    for _ in range(20):
        begun("watch", session="v1", when=[NEAR])
    with pytest.raises(InputError, match="20 watches wait in v1, the most allowed"):
        begun("watch", session="v1", when=[NEAR])
