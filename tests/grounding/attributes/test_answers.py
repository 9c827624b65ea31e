"""Questions whose answers are known from the scene of conftest."""

from __future__ import annotations

import numpy as np
import pytest

from som_agent.colors import COLOR_TERMS
from som_agent.grounding.attributes import answer
from som_agent.history import History

# pycocotools 2.0 under numpy 2: not ours to mend
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WHICH = [
    # colour
    ("Which marks are red?", [1, 4]),
    ("which marks are RED", [1, 4]),
    ("red marks", [1, 4]),
    ("Show me all red things.", [1, 4]),
    ("What is yellow?", [3]),
    ("List the white objects", [5]),
    ("Which mark is bluish?", [2, 6]),
    ("Which marks are grey?", []),
    ("Which marks are gray?", []),
    ("Find the crimson ones", [1, 4]),
    ("Which marks are red or yellow?", [1, 3, 4]),
    ("the red and yellow marks", [1, 3, 4]),
    ("Which mark is green and blue?", [6]),
    ("Which marks are not red?", [2, 3, 5, 6]),
    ("Which marks aren't red?", [2, 3, 5, 6]),
    ("Which marks are neither red nor blue?", [3, 5]),
    ("Which marks are red, blue or yellow?", [1, 2, 3, 4, 6]),
    ("Which of 1, 2 and 3 are red?", [1]),
    ("Which marks have the same colour as [1]?", [4]),
    ("Which marks are the same color as mark 1?", [4]),
    # size
    ("Which is the largest mark?", [5]),
    ("What is the biggest?", [5]),
    ("Which mark is the smallest?", [3]),
    ("Which is the second largest mark?", [1]),
    ("What is the 2nd biggest one?", [1]),
    ("Show me the two largest marks", [1, 5]),
    ("Which red mark is the smallest?", [4]),
    ("Which marks are bigger than [2]?", [1, 5]),
    ("Which marks are smaller than the blue ones?", [3, 4]),
    ("Which is bigger, 2 or 3?", [2]),
    ("Which marks are big?", [5]),
    ("Which small marks are red?", [4]),
    # place
    ("Which marks are on the left at the start?", [1, 2]),
    ("What is at the top?", [3, 6]),
    ("Which marks are on the right-hand side at the start?", [4]),
    ("Which mark is leftmost at the end?", [1]),
    ("Which mark is the second from the left at the start?", [2]),
    ("Which mark is closest to the center at 1 s?", [6]),
    ("Which is further left, 4 or 1?", [1]),
    ("Which marks are further left than [6] at 9 s?", [1]),
    ("Which marks are red but not small?", [1]),
    ("Which marks are without colour?", [5]),
    ("What is in the picture?", [1, 2, 3, 4, 5, 6]),
    # motion
    ("Which marks move?", [2, 6]),
    ("What is moving?", [2, 6]),
    ("Which marks are still?", [1, 3, 4, 5]),
    ("Which marks do not move?", [1, 3, 4, 5]),
    ("Which marks stand still?", [1, 3, 4, 5]),
    ("What moves to the right?", [2]),
    ("Which marks are moving up?", [6]),
    ("Which marks move left?", []),
    ("Which mark is fastest?", [2]),
    ("Which blue marks move?", [2, 6]),
    ("Which marks disappear?", [3, 4]),
    ("Which mark leaves first?", [4]),
    ("Which marks come back?", [4]),
    ("Which marks leave and come back?", [4]),
    ("Which mark appears first?", [1, 2, 4, 5, 6]),
    ("Which mark appears last?", [3]),
    ("Which marks enter the scene?", [3, 4]),
    # relations
    ("What is left of [6] at 9 s?", [1]),
    ("Which marks are to the right of mark 6 at the beginning?", [4]),
    ("Which mark is above the green one at 5 s?", [3]),
    ("Which marks are below [3] at 5 s?", [1, 2, 5, 6]),
    ("Which mark is nearest to [3]?", [6]),
    ("What is the closest mark to the yellow one?", [6]),
    ("Which marks touch [5]?", [2]),
    ("Which marks touch each other?", [2, 5]),
    ("What is inside [5]?", [2]),
    ("Which mark surrounds the moving mark at 1 s?", [5]),
    ("Which mark is between 1 and 4 at 1 s?", [6]),
    # time
    ("What is moving at the end?", [2, 6]),
    ("What moves in the first second?", [2]),
    ("Which marks are visible at 3.2 s?", [1, 2, 3, 4, 5, 6]),
    ("Which marks are visible between 4.5 and 6 s?", [1, 2, 3, 5, 6]),
    ("Which marks are visible from 0:05 to 0:06?", [1, 2, 3, 5, 6]),
    ("Which marks are seen in the last 2 seconds?", [1, 2, 4, 5, 6]),
    ("Which red marks are there after 5 s and before 7 s?", [1]),
    ("Which marks are red at frame 60?", [1]),
    ("What is yellow right now?", []),
    ("Which marks are hidden at 6 s?", [4]),
    ("Which marks are gone at the end?", [3]),
    ("What moves before [3] appears?", [2]),
    ("While [6] is moving, which marks are red?", [1, 4]),
    ("What is red when 3 is visible?", [1, 4]),
    ("Which marks are visible in the second half?", [1, 2, 3, 4, 5, 6]),
]


@pytest.mark.parametrize(("question", "marks"), WHICH, ids=[q for q, _ in WHICH])
def test_which(history, question, marks):
    found = answer(question, history)
    assert [m.mark for m in found.marks] == marks, found.text
    assert found.unsupported == []
    assert found.segmenter == "labels:scene"
    if not marks:
        assert "no mark" in found.text.lower()


SAYS = [
    ("How many marks are red?", "2 marks are red: [1] and [4]."),
    ("How many marks are red at 6 s?", "At 6 s: 1 mark is red: [1]."),
    ("how many marks are there", "There are 6 marks: [1], [2], [3], [4], [5] and [6]."),
    ("What is the number of marks?", "There are 6 marks: [1], [2], [3], [4], [5] and [6]."),
    ("Is there a purple mark?", "No, no mark is purple."),
    ("Are there any red marks?", "Yes, marks [1] and [4] are red."),
    ("Are there three red marks?", "No, 2 marks are red: [1] and [4]."),
    ("Are there two red marks?", "Yes, 2 marks are red: [1] and [4]."),
    ("Which mark is red?", "Mark [1] is red; less clearly, mark 4 is red too."),
    ("What colour is [3]?", "Mark [3] is yellow (70 %) and orange (30 %)."),
    ("What color is mark 2?", "Mark [2] is blue (90 %)."),
    ("What's the colour of #2?", "Mark [2] is blue (90 %)."),
    ("Where is number 3?", "Mark [3] is at the top (centre at x 310, y 70 px at 6.9 s)."),
    (
        "Where is [2] at the start?",
        "At the start: mark [2] is at the bottom left (centre at x 150, y 300 px at 0.5 s).",
    ),
    ("When does [3] first appear?", "Mark [3] first appears at 3 s."),
    ("When does mark 3 leave?", "Mark [3] goes out of view at 6.9 s."),
    ("When was 3 last seen?", "Mark [3] is last seen at 6.9 s."),
    ("When does [2] disappear?", "Mark 2 never goes out of view."),
    ("When is [6] moving?", "Mark [6] is moving from 8 to 10 s."),
    ("When is the yellow mark visible?", "Mark [3] is visible from 3 to 6.9 s."),
    ("When is [4] hidden?", "Mark [4] is out of sight from 4.1 to 7.9 s."),
    ("When do 2 and 5 touch?", "Marks [2] and [5] are touching each other from 0 to 10 s."),
    ("How often does [4] disappear?", "Mark [4] goes out of view once, at 4 s."),
    ("How many times does [4] appear?", "Mark [4] comes into view 2 times, at 0 s and at 8 s."),
    ("How long is [3] visible?", "Mark [3] is visible for 4.0 s, from 3 to 6.9 s."),
    ("Is [1] moving?", "No, mark [1] is not moving."),
    ("Is [2] moving right?", "Yes, mark [2] is moving right."),
    ("Is [6] moving?", "In part: mark [6] is moving from 8 to 10 s."),
    ("Is [1] left of [2]?", "Yes, mark [1] is left of mark 2."),
    ("Is the largest mark red?", "No, mark [5] is not red."),
    ("Is the largest red?", "No, mark [5] is not red."),
    ("Are 1 and 4 red?", "Yes, marks [1] and [4] are red."),
    ("Are 1 and 2 red?", "Not all: mark [1] is red; mark [2] is not red."),
    ("Are all marks red?", "Not all: marks [1] and [4] are red; marks [2], [3], [5] and [6] are not red."),
    ("Do [2] and [5] touch?", "Yes, marks [2] and [5] are touching each other."),
    ("Does [4] come back?", "Yes, mark [4] comes back (at 8 s)."),
    ("Does [2] leave?", "No, mark [2] does not go out of view."),
    ("Is [3] always visible?", "No, not always: mark [3] is visible from 3 to 6.9 s."),
    ("Is [3] moving at 1 s?", "At 1 s: mark 3 is not in view then."),
    ("Is [2] inside the white mark?", "Yes, mark [2] is inside the white mark (mark 5)."),
    ("How big is [1]?", "Mark [1] has 6400 px (2.8 % of the picture), 80 x 80 px."),
    (
        "What is the order of the marks from left to right?",
        "At the end, from left to right: [1], [5], [6], [2], [4].",
    ),
    ("Order the red marks by size", "From largest to smallest: [1], [4]."),
    ("How far is [1] from [6]?", "Marks [1] and [6] are 2"),
    ("How fast does [2] move?", "Mark [2] moves at 40 px/s on average (5.4 % of"),
    (
        "What is mark 2?",
        "Mark [2] is blue, covers 1.6 % of the picture, is first at the bottom left, last at the ",
    ),
    (
        "Which mark is nearest to 3 at the end?",
        "At the end: no mark is nearest to mark 3; mark 3 is not in view then.",
    ),
    ("Which mark is above the purple one?", "No mark is above the purple mark; no mark is purple."),
]


@pytest.mark.parametrize(("question", "text"), SAYS, ids=[q for q, _ in SAYS])
def test_says(history, question, text):
    found = answer(question, history)
    assert found.text.startswith(text), found.text
    assert found.unsupported == []


def test_order_of_appearance(history):
    found = answer("In which order do the marks appear?", history)
    assert [m.mark for m in found.marks] == [1, 2, 4, 5, 6, 3]
    assert found.text.endswith("[3] (3 s).")


def test_intervals_and_evidence(history):
    (first, second) = answer("Which marks are red?", history).marks
    assert first.intervals == [(0.0, 10.0)]
    assert second.intervals == [(0.0, pytest.approx(4.0)), (pytest.approx(8.0), 10.0)]
    assert len(second.evidence) == 3
    for evidence in second.evidence:
        assert evidence.box == (560, 150, 590, 180)
        assert evidence.anchor == (575, 165)
        assert evidence.time == pytest.approx(evidence.frame / 10)
        assert any(a <= evidence.time <= b for a, b in second.intervals)


def test_intervals_are_cut_to_the_time_asked(history):
    (mark,) = answer("What moves right between 2 and 4 s?", history).marks
    assert mark.intervals == [(2.0, 4.0)]
    (mark,) = answer("Which mark is yellow at 3.2 s?", history).marks
    assert mark.intervals == [(pytest.approx(3.2), pytest.approx(3.2))]


def test_short_gaps_are_closed(history):
    trace = history.traces[1]
    states = trace.states.copy()
    states[30:34] = 1  # 0.4 s of occlusion between sights 0.5 s apart
    states[60:80] = 1
    gapped = {**history.traces, 1: type(trace)(**{**vars(trace), "states": states})}
    seen = History(history.size, history.frames, history.times, history.marks, gapped)
    (mark,) = answer("Which of [1] is red?", seen).marks
    assert mark.intervals == [(0.0, pytest.approx(5.9)), (pytest.approx(8.0), 10.0)]


UNKNOWN = [
    ("Which cups are red?", ["cups"], [1, 4], "whether they are cups cannot be told without a model"),
    ("Which cup is yellow?", ["cup"], [3], "whether it is a cup cannot be told without a model"),
    ("Which shiny marks are red?", ["shiny"], [1, 4], '"shiny" could not be used'),
    ("Which red mark is left of the cat?", ["cat"], [1], '"cat" could not be used'),
    ("Is there a dog?", ["dog"], [], '"dog" cannot be computed'),
    ("How many cups are there?", ["cups"], [], "I cannot answer"),
    ("Is the dog moving?", ["dog"], [], "I cannot answer"),
    ("Is mark 3 a dog?", ["dog"], [], "I cannot answer"),
    ("Which mark is holding [2]?", ["holding"], [], "I cannot answer"),
    ("Is [1] holding [2]?", ["holding"], [], "I cannot answer"),
    ("Which dog is left of the cat?", ["dog", "cat"], [], "I cannot answer"),
    ("When does the cup appear?", ["cup"], [], "I cannot answer"),
    ("Where is the cup?", ["cup"], [], "I cannot answer"),
    ("Where is the red cup?", ["cup"], [1], "cup"),
    ("Which marks are on [2]?", ["on"], [], "not a relation"),
    ("Is it red?", ["it"], [], "say which mark"),
    ("Which marks read?", ["read"], [], "I cannot answer"),
    ("Which marks are red for two seconds?", ["for two seconds"], [1, 4], "could not be used"),
    ("Which is the second mark?", ["second"], [], "say in what order"),
    ("Is [99] red?", ["[99]"], [], "there are marks 1, 2, 3, 4, 5 and 6"),
    ("Which of [1] and [99] is red?", ["[99]"], [1], '"[99]" does not exist'),
    ("Which marks are red at 99 s?", ["at 99 s"], [], "from 0 to 10 s"),
    ("What is red while [1] is moving?", ["while [1] is moving"], [], "does not happen"),
    ("Which mark is the ball under?", ["ball", "under"], [], "I cannot answer"),
    ("Which cup has the ball under it?", ["cup", "ball", "under"], [], "I cannot answer"),
    ("Which marks were on the left but are on the right at the end?", ["but"], [], "one claim at a time"),
    ("Which mark is red and then moves?", ["and then"], [], "one claim at a time"),
    ("What's beyond [2]?", ["beyond"], [], "not a relation"),
    ("Which mark covers the picture?", ["covers"], [], "say to which mark"),
    ("What is left of?", ["left of"], [], "say to which mark"),
    ("???", ["???"], [], "I cannot answer"),
]


@pytest.mark.parametrize(("question", "words", "marks", "text"), UNKNOWN, ids=[q for q, *_ in UNKNOWN])
def test_says_what_it_cannot_ground(history, question, words, marks, text):
    found = answer(question, history)
    assert [u.text for u in found.unsupported] == words
    assert [m.mark for m in found.marks] == marks
    assert text in found.text
    assert all(u.reason for u in found.unsupported)


def test_unknown_words_come_with_the_way_out(history):
    found = answer("Is there a dog?", history)
    assert "--lmm openai:gpt-4o" in found.unsupported[0].reason
    assert "--lmm openai:gpt-4o" in found.text


def test_letters(lettered):
    assert answer("Which marks are red?", lettered).text == "Marks [A] and [D] are red."
    assert answer("What colour is mark C?", lettered).text.startswith("Mark [C] is yellow")
    assert answer("Is B left of D?", lettered).text.startswith("Yes, mark [B] is left of mark D")
    assert [m.label for m in answer("Are [a] and [d] red?", lettered).marks] == ["A", "D"]
    assert [u.text for u in answer("Is [Z] red?", lettered).unsupported] == ["[Z]"]
    assert answer("Is a mark red?", lettered).text.startswith("Yes, marks [A] and [D]")


def test_no_marks():
    nothing = History((64, 48), np.arange(3, dtype=np.int32), np.arange(3) / 10.0)
    assert answer("Which marks are red?", nothing).marks == []
    assert "no marks" in answer("Which marks are red?", nothing).text
    assert "no marks" in answer("Is [1] red?", nothing).text
    empty = History((64, 48), np.zeros(0, np.int32), np.zeros(0))
    assert "no marks" in answer("Where is the red mark at the end?", empty).text


def test_one_picture(history):
    traces = {
        mark: type(t)(**{name: value[:1] for name, value in vars(t).items()})
        for mark, t in history.traces.items()
        if t.frames[0] == 0
    }
    marks = {mark: history.marks[mark] for mark in traces}
    still = History(history.size, history.frames[:1], history.times[:1], marks, traces)
    assert [m.mark for m in answer("Which marks are red?", still).marks] == [1, 4]
    assert [m.mark for m in answer("Which mark is leftmost?", still).marks] == [1]
    assert answer("Is anything moving?", still).text == "No, no mark is moving."
    assert answer("Which marks are red?", still).marks[0].intervals == [(0.0, 0.0)]


def test_masks_at_another_size_than_the_source(history):
    wide = History((1280, 720), history.frames, history.times, history.marks, {}, mask_size=history.size)
    for mark, t in history.traces.items():
        wide.traces[mark] = type(t)(**{**vars(t), "boxes": t.boxes * 2, "areas": t.areas * 4})
    assert [m.mark for m in answer("Which marks touch [5]?", wide).marks] == [2]
    assert [m.mark for m in answer("What is inside [5]?", wide).marks] == [2]


def test_what_was_there_first_came_together(history):
    found = answer("Which mark appears first?", history)
    assert found.text == "Marks [1], [2], [4], [5] and [6] are the first to appear (at 0 s)."


@pytest.mark.parametrize(
    ("white", "grey", "black", "is_white"), [(20, 74, 6, True), (5, 90, 5, False), (20, 60, 20, False)]
)
def test_white_in_its_own_shade(history, white, grey, black, is_white):
    trace = history.traces[1]
    colors = np.zeros_like(trace.colors)
    for term, share in (("white", white), ("grey", grey), ("black", black)):
        colors[:, COLOR_TERMS.index(term)] = share
    shaded = {**history.traces, 1: type(trace)(**{**vars(trace), "colors": colors})}
    seen = History(history.size, history.frames, history.times, history.marks, shaded)
    assert [m.mark for m in answer("Which marks are white?", seen).marks] == ([1, 5] if is_white else [5])
    assert 1 in [m.mark for m in answer("Which marks are grey?", seen).marks]


def test_occlusion_is_not_motion(history):
    """A hand that slides over a still thing moves one side of its box only."""
    trace = history.traces[1]
    boxes = trace.boxes.copy()
    boxes[:, 2] -= np.linspace(0, 60, len(boxes))
    covered = {**history.traces, 1: type(trace)(**{**vars(trace), "boxes": boxes})}
    seen = History(history.size, history.frames, history.times, history.marks, covered)
    assert answer("Is [1] moving?", seen).text == "No, mark [1] is not moving."
