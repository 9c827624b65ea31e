"""Conditions that make sense, as JSON and back."""

import json

import pytest

from som_agent.colors import COLOR_TERMS
from som_agent.errors import InputError
from som_agent.watches import (
    And,
    Appears,
    Enters,
    Leaves,
    Near,
    Or,
    Stops,
    Then,
    Zone,
    condition_from_json,
    condition_to_json,
)
from som_agent.watches.conditions import COLORS, KINDS

WRITTEN = [
    {"kind": "appears"},
    {"kind": "leaves", "mark": 3, "how": "gone"},
    {"kind": "comes_back", "mark": "3a"},
    {"kind": "moves", "mark": 3},
    {"kind": "stops", "mark": 3, "seconds": 2.0},
    {"kind": "faster", "speed_px_s": 40.0, "mark": 3},
    {"kind": "slower", "speed_px_s": 40.0},
    {"kind": "enters", "zone": {"box": [0.0, 1.0, 20.0, 30.0], "name": "the door"}, "mark": 3},
    {"kind": "exits", "zone": {"polygon": [[0.0, 1.0], [20.0, 1.0], [20.0, 30.0]]}},
    {"kind": "near", "mark": 3, "distance_px": 40.0, "other": 4},
    {"kind": "touches", "mark": 3},
    {"kind": "beside", "mark": 3, "side": "left_of", "other": 4},
    {"kind": "changes_color", "mark": 3, "to": "red"},
    {"kind": "changes_size", "factor": 2.0, "mark": 3},
    {"kind": "and", "conditions": [{"kind": "appears"}, {"kind": "moves", "mark": 1}]},
    {"kind": "or", "conditions": [{"kind": "leaves"}, {"kind": "stops", "seconds": 1.0}]},
    {
        "kind": "then",
        "first": {"kind": "and", "conditions": [{"kind": "appears"}, {"kind": "leaves"}]},
        "second": {"kind": "comes_back"},
        "within_s": 4.0,
    },
]


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: written["kind"])
def test_json_both_ways(written):
    condition = condition_from_json(json.loads(json.dumps(written)))
    assert condition_to_json(condition) == written


def test_every_kind_is_tried_and_colours_are_the_same():
    assert {written["kind"] for written in WRITTEN} == set(KINDS)
    assert COLORS == COLOR_TERMS


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"kind": "flies"}, "no kind of condition 'flies'; there are appears, leaves"),
        ({"mark": 3}, "a condition is an object with a kind, one of appears"),
        ([], "a condition is an object"),
        ({"kind": "near", "mark": 3}, "near needs distance_px"),
        ({"kind": "moves", "speed": 3}, "moves has no speed; it has mark"),
        ({"kind": "near", "mark": 3, "other": 3, "distance_px": 4}, "both 3; it takes two marks"),
        ({"kind": "near", "mark": None, "distance_px": 4}, "near: mark must be the number or label"),
        ({"kind": "near", "mark": True, "distance_px": 4}, "got True"),
        ({"kind": "moves", "mark": 0}, "got 0"),
        ({"kind": "near", "mark": 3, "distance_px": -1}, "distance_px must be at least 0, got -1"),
        ({"kind": "near", "mark": 3, "distance_px": float("nan")}, "must be a number, got nan"),
        ({"kind": "faster", "speed_px_s": 0}, "speed_px_s must be above 0, got 0"),
        ({"kind": "leaves", "how": "flown"}, "how must be one of gone, hidden, got 'flown'"),
        ({"kind": "beside", "mark": 1, "side": None}, "side must be one of left_of"),
        ({"kind": "changes_color", "to": "teal"}, "to must be one of black"),
        ({"kind": "changes_size", "factor": 1.0}, "factor must be 1.1 or more, or 0.9 or less, got 1.0"),
        ({"kind": "enters", "zone": [1, 2, 3, 4]}, "a zone is an object"),
        ({"kind": "enters", "zone": {"circle": 3}}, "a zone has no circle; it has box, polygon, name"),
        ({"kind": "enters", "zone": {}}, "either a box or a polygon"),
        ({"kind": "enters", "zone": {"box": [4, 0, 2, 9]}}, "box must be x0, y0, x1, y1"),
        ({"kind": "enters", "zone": {"polygon": [[0, 0], [1, 1], [2, 2]]}}, "three points"),
        ({"kind": "and", "conditions": [{"kind": "leaves"}]}, "and joins 2 to 20 conditions"),
        ({"kind": "or", "conditions": "leaves"}, "conditions must be a list"),
    ],
)
def test_nonsense_is_refused_by_name(written, message):
    with pytest.raises(InputError) as error:
        condition_from_json(written)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_too_deep_is_refused():
    condition = Appears()
    for _ in range(3):
        condition = Or((condition, Leaves()))
    with pytest.raises(InputError, match="4 deep in one another, not 5"):
        Or((condition, Leaves()))


def test_joined_conditions_are_given_as_conditions():
    for wrong in (lambda: And((Leaves(), 3)), lambda: Then(Leaves(), "moves")):
        with pytest.raises(InputError, match="joins"):
            wrong()
    with pytest.raises(InputError, match="zone must be a zone"):
        Enters(zone=(0, 0, 1, 1))
    assert Stops(mark=3).seconds == 1.0
    assert Near(mark=1, distance_px=2).other is None
    assert Zone(box=(0, 0, 1, 2)).corners == ((0, 0), (1, 0), (1, 2), (0, 2))
