"""What holds of any question."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from som_agent.colors import COLOR_TERMS
from som_agent.errors import InputError
from som_agent.grounding.attributes import answer
from som_agent.grounding.attributes.lexicon import lexicon
from som_agent.grounding.attributes.times import take_times

# pycocotools 2.0 under numpy 2: not ours to mend
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PHRASES = sorted({" ".join(words) for words in lexicon()})
EXTRA = [
    "[1]",
    "mark 2",
    "#3",
    "99",
    "dog",
    "at 3.2 s",
    "between 2 and 4 s",
    "in the first second",
    "at the end",
    "?",
]

questions = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PHRASES + EXTRA * 20), min_size=1, max_size=9).map(" ".join),
)


@settings(max_examples=400, deadline=None)
@given(question=questions)
@example(question="[" * 50)
@example(question="1:99999999999999999999999999999999999999")
@example(question="mark " + "9" * 400)
@example(question="at " + "9" * 400 + " s")
@example(question="not")
@example(question="left of")
@example(question="and or not and or")
def test_any_text(history, question):
    try:
        found = answer(question, history)
    except InputError:
        assert not question.strip()
        return
    cited = set(re.findall(r"\[(\w+)\]", "".join(_unquoted(found.text, question))))
    marks = {m.label for m in found.marks}
    known = {info.label for info in history.marks.values()}
    assert cited <= marks | {u.text.strip("[]#") for u in found.unsupported} | _named(question)
    assert marks <= known
    assert len(marks) == len(found.marks)
    for mark in found.marks:
        assert mark.intervals
        assert mark.intervals[0][0] >= 0
        assert mark.intervals[-1][1] <= 10.0
        assert all(a <= b for a, b in mark.intervals)
        assert all(
            first[1] < second[0] for first, second in zip(mark.intervals, mark.intervals[1:], strict=False)
        )
        assert 1 <= len(mark.evidence) <= 3
        for evidence in mark.evidence:
            assert any(a <= evidence.time <= b for a, b in mark.intervals)


def _unquoted(text: str, question: str) -> str:
    return re.sub(r'"[^"]*"', "", text.replace(question.strip(), ""))


def _named(question: str) -> set[str]:
    """Marks that the question itself writes in brackets: times such as "while [3] moves" repeat them."""
    return set(re.findall(r"\[\s*(\w+)\s*\]", question))


@pytest.mark.parametrize(
    "term", [*COLOR_TERMS, "moving", "big", "small", "on the left", "at the top", "touching [5]"]
)
@pytest.mark.parametrize("when", ["", " at the end", " between 2 and 4 s"])
def test_not_is_the_complement(history, term, when):
    yes = {m.mark for m in answer(f"Which marks are {term}{when}?", history).marks}
    no = {m.mark for m in answer(f"Which marks are not {term}{when}?", history).marks}
    everything = {m.mark for m in answer(f"Which marks are visible{when}?", history).marks}
    assert yes | no == everything
    assert not yes & no


@settings(max_examples=60, deadline=None)
@given(first=st.sampled_from(COLOR_TERMS), second=st.sampled_from(COLOR_TERMS))
def test_or_is_the_union(history, first, second):
    either = {m.mark for m in answer(f"Which marks are {first} or {second}?", history).marks}
    one, other = ({m.mark for m in answer(f"Which marks are {c}?", history).marks} for c in (first, second))
    assert either == one | other


@settings(max_examples=60, deadline=None)
@given(start=st.floats(0, 9), length=st.floats(0, 5))
def test_intervals_lie_in_the_window(history, start, length):
    text = f"Which marks are red between {start:.2f} and {start + length:.2f} s?"
    for mark in answer(text, history).marks:
        for a, b in mark.intervals:
            assert a >= float(f"{start:.2f}") - 0.1  # the nearest frame stands for a time between two
            assert b <= float(f"{start + length:.2f}") + 0.1


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=80))
def test_times_keep_the_length(text):
    rest, windows, _ = take_times(text)
    assert len(rest) == len(text)
    assert all(window.text for window in windows)


@settings(max_examples=100, deadline=None)
@given(word=st.text("bcdfghjklmnpqrstvwxz", min_size=5, max_size=9))
def test_unknown_words_are_always_reported(history, word):
    found = answer(f"Which {word} marks are red?", history)
    assert word in [u.text for u in found.unsupported]
    assert [m.mark for m in found.marks] == [1, 4]
