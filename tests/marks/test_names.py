"""Marks by names in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.grounding.citations import cited_marks
from som_agent.history import MarkInfo
from som_agent.marks.names import given_names, with_numbers


def table(*labels):
    return {k: MarkInfo(k, label, (0, 0, 0)) for k, label in enumerate(labels, start=1)}


MARKS = table("1", "left cup", "cup", "4a", "Ann")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("When does [left cup] move?", "When does [2] move?"),
        ("Is the left cup red?", "Is [2] red?"),
        ("Is left cup red?", "Is [2] red?"),
        ("Is the Cup red?", "Is [3] red?"),
        ("Which cups are red?", "Which cups are red?"),
        ("Is there a cup?", "Is there a cup?"),
        ("Where are the cups?", "Where are the cups?"),
        ("marks [left cup, 4a, cup]", "marks [2, 4a, 3]"),
        ('Is "cup" left of mark Ann?', "Is [3] left of [5]?"),
        ("[Left  Cup: the red one] and [1]", "[2: the red one] and [1]"),
        ("#cup", "[3]"),
        ("[the cupboard]", "[the cupboard]"),
        ("", ""),
    ],
)
def test_names_in_text(text, meant):
    assert with_numbers(text, MARKS) == meant


def test_what_is_a_name():
    drawn = ["7", "3a", "3a1", "C", "AB", "C1", "C1b"]
    assert given_names(table(*drawn)) == {}
    assert given_names(table("a", "cup", "left cup", "Ann", "2 cups")) == {
        "left cup": 3,
        "2 cups": 5,
        "cup": 2,
        "Ann": 4,
        "a": 1,
    }


@given(st.text("abcC123 []#\"'theup,", max_size=60))
def test_text_without_names_stays(text):
    assert with_numbers(text, table("1", "2", "3b", "C")) == text


def test_a_reply_cites_by_name():
    told = cited_marks("[left cup] stands beside mark Ann, [1] and [2]; [right cup] is not seen.", MARKS)
    assert told.marks == (2, 5, 1)
    assert told.unknown == ()
    assert cited_marks("Here are [3] and [cup].", MARKS).marks == (3,)
