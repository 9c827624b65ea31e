"""Claims that must hold all the time or at several times, clear colours, and motion that is none."""

from __future__ import annotations

import pytest

from som_agent.grounding.attributes import answer

# pycocotools 2.0 under numpy 2: not ours to mend
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RED = {"red": 95, "pink": 5}
GREY = {"grey": 95, "black": 5}


def marks(question, history):
    found = answer(question, history)
    assert found.unsupported == []
    return [m.mark for m in found.marks]


THROUGHOUT = [
    ("Which marks are visible the whole time?", [1, 2, 5, 6]),
    ("Which marks are visible all the time?", [1, 2, 5, 6]),
    ("Which marks are always visible?", [1, 2, 5, 6]),
    ("Which red marks are always visible?", [1]),
    ("Which marks are red and always visible?", [1]),
    ("Which marks are there throughout the video?", [1, 2, 5, 6]),
    ("Which marks are visible the whole time between 3.5 and 6 s?", [1, 2, 3, 5, 6]),
    ("Which marks are not always visible?", [3, 4]),
    ("Which marks are always still?", [1, 3, 4, 5]),
    ("Which marks never move?", [1, 3, 4, 5]),
    ("Which marks are still all the time before 7 s?", [1, 3, 4, 5, 6]),
    ("Which red marks never move?", [1, 4]),
    ("Which marks are never red?", [2, 3, 5, 6]),
    ("Which marks always move?", [2]),
    ("Which marks are always on the left?", [1]),
    ("Which marks are never visible between 4.5 and 7.5 s?", [4]),
    ("Which marks are never visible?", []),
    ("Which marks never leave?", [1, 2, 5, 6]),
]


@pytest.mark.parametrize(("question", "expected"), THROUGHOUT, ids=[q for q, _ in THROUGHOUT])
def test_throughout(history, question, expected):
    assert marks(question, history) == expected


def test_throughout_in_words(history):
    assert (
        answer("Which red marks are always visible?", history).text == "Mark [1] is red and always visible."
    )
    assert answer("How many marks are visible the whole time?", history).text.startswith("4 marks are always")
    assert answer("Is any mark always visible?", history).text.startswith("Yes, marks [1], [2], [5] and [6]")
    assert answer("Does [1] never move?", history).text.startswith("Yes, mark [1] is always still")
    assert answer("Does [6] never move?", history).text.startswith("No, mark [6] is not always still")


@pytest.mark.parametrize(("gap", "always"), [(0.4, True), (0.9, False)])
def test_short_gaps_are_forgiven(scene, gap, always):
    def box(t):
        return None if 5 < t < 4.95 + gap else (10, 10, 60, 60)

    found = scene((box, RED), (lambda t: (200, 200, 260, 260), RED))
    assert marks("Which marks are always visible?", found) == ([1, 2] if always else [2])
    assert answer("Is [1] always visible?", found).text.startswith("Yes" if always else "No, not always")


TIMES = [
    ("Which marks are visible at 5 s but not at the end?", [3]),
    ("Which marks are visible at the start but not at 5 s?", [4]),
    ("Which marks are visible at 5 s but aren't visible at the end?", [3]),
    ("Which marks are visible at 5 s and not at 9 s?", [3]),
    ("Which marks are visible at 5 s but no longer at 9 s?", [3]),
    ("Which marks are visible but not at 5 s?", [4]),
    ("Which marks are visible at 5 s but not at 1 s and not at the end?", [3]),
    ("Which marks are visible at the start and at the end?", [1, 2, 4, 5, 6]),
    ("Which marks are visible at 1 s or at 5 s?", [1, 2, 3, 4, 5, 6]),
    ("Which marks are hidden at 6 s and visible at the end?", [4]),
    ("Which marks are still at 5 s but moving at the end?", [6]),
    ("Which red marks are visible at 1 s but not at 5 s?", [4]),
    ("Which red marks are there after 5 s and before 7 s?", [1]),
]


@pytest.mark.parametrize(("question", "expected"), TIMES, ids=[q for q, _ in TIMES])
def test_claims_about_several_times(history, question, expected):
    assert marks(question, history) == expected


def test_the_difference_is_told(history):
    found = answer("How many marks are visible at 5 s but not at the end?", history)
    assert found.text == "At 5 s, but not at the end: 1 mark is visible: [3]."


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ("Is [3] visible at 5 s but not at the end?", "but not at the end"),
        (
            "Which marks are visible at 5 s but not holding a cup at the end?",
            "but not holding a cup at the end",
        ),
        ("Which marks are visible at 5 s but not at the end and are red?", "but not at the end and are red"),
        ("Which marks are red at 1 s and how many at 5 s?", "and how many at 5 s"),
    ],
)
def test_a_second_claim_that_is_not_understood_leaves_all_open(history, question, part):
    found = answer(question, history)
    assert part in [u.text for u in found.unsupported]
    assert found.marks == []
    assert found.text.startswith("I cannot answer")


def test_very_many_claims(history):
    found = answer("Which marks are visible at 1 s" + " but not at 2 s" * 900, history)
    assert found.marks == []
    assert len(found.unsupported) == 1


def test_a_second_time_outside_the_video(history):
    found = answer("Which marks are visible at 5 s but not at 50 s?", history)
    assert [u.text for u in found.unsupported] == ["at 50 s"]
    assert found.marks == []


@pytest.fixture(scope="module")
def yellows(scene):
    """1: a large stripe, a third of it yellow, all the time; 2: a small ball, all yellow, for a moment."""
    return scene(
        (lambda t: (0, 40, 640, 120), {"yellow": 36, "grey": 35, "brown": 29}),
        (lambda t: (200, 200, 230, 230) if t < 0.85 or t > 9.45 else None, {"yellow": 95, "brown": 5}),
    )


def test_a_clear_colour_wins(yellows):
    text = "Mark [2] is yellow; less clearly, mark 1 is yellow too."
    for question in ("Which is the yellow mark?", "What is the yellow thing?", "Which mark is yellow?"):
        found = answer(question, yellows)
        assert [m.mark for m in found.marks] == [2], found.text
    assert answer("Which mark is yellow?", yellows).text in (text, "Mark [2] is yellow.")
    assert (
        answer("When does the yellow mark disappear?", yellows).text == "Mark [2] goes out of view at 0.8 s."
    )
    assert answer("How long is the yellow mark visible?", yellows).text.startswith(
        "Mark [2] is visible for 1.5"
    )
    assert answer("Which marks are yellow?", yellows).text.startswith("Mark")


def test_superlative_colours(yellows, history):
    assert marks("Which mark is the most yellow?", yellows) == [2]
    assert marks("Which mark is the yellowest?", yellows) == [2]
    assert marks("Which is the reddest mark?", history) == [1]
    assert marks("Which mark is the second reddest?", history) == [4]
    assert marks("Which mark is the least red?", history) == [4]
    assert marks("Which marks are redder than [4]?", history) == [1]
    assert answer("Is [1] redder than [4]?", history).text == "Yes, mark [1] is more red than mark 4."


def hidden_behind(t):
    """A thing at the left border, behind an arm that covers and uncovers its right part."""
    return (0, 100, 300 - 110 * abs((t % 4) - 2), 200)


def entering(t):
    """A long thing that comes in from the left border."""
    return (max(0, 60 * t - 300), 220, 60 * t + 10, 260) if t < 9 else (240, 220, 550, 260)


def test_what_is_covered_does_not_move(scene):
    found = scene((hidden_behind, GREY), (entering, RED), (lambda t: (400, 20, 450, 70), GREY))
    assert answer("Does [1] move?", found).text == "No, mark [1] is not moving."
    assert answer("Does [2] move?", found).text.startswith("Yes")
    assert marks("Which marks never move?", found) == [1, 3]
    assert marks("Which marks move?", found) == [2]


def test_one_side_that_moves_much_more_is_no_motion(scene):
    """A mask that frays a little at one side while a hand covers it from the other."""
    found = scene((lambda t: (100 + 2 * t, 100, 160 + 20 * t, 160), GREY))
    assert answer("Does [1] move?", found).text == "No, mark [1] is not moving."


def test_moved_while_out_of_sight(scene):
    def ball(t):
        return (100, 200, 130, 230) if t < 2 else (400, 200, 430, 230) if t > 6 else None

    def lamp(t):
        return (100, 20, 130, 50) if t < 2 else (110, 20, 140, 50) if t > 6 else None

    found = scene((ball, RED), (lamp, RED))
    assert marks("Which marks never move?", found) == [2]
    assert "moved while out of sight: it came back elsewhere at 6.1 s" in answer("Does [1] move?", found).text
    assert answer("Does [2] move?", found).text == "No, mark [2] is not moving."


@pytest.fixture(scope="module")
def movers(scene):
    """1: red, 40 px/s to the right; 2: red, up and back down; 3: red, still; 4: blue, faster than all."""
    return scene(
        (lambda t: (50 + 40 * t, 100, 90 + 40 * t, 140), RED),
        (lambda t: (50, 300 - 20 * min(t, 10 - t), 90, 340 - 20 * min(t, 10 - t)), RED),
        (lambda t: (300, 200, 340, 240), RED),
        (lambda t: (600 - 40 * t, 20 + 30 * t, 630 - 40 * t, 50 + 30 * t), {"blue": 95}),
    )


WAYS = [
    ("How far does [1] move?", "Mark [1] moves about 400 px in all while in view and ends about 400 px from"),
    ("What distance does mark 1 travel?", "Mark [1] moves about 400 px in all"),
    ("How far did the largest mark go between 2 and 4 s?", "Between 2 and 4 s: mark [1] moves about 80 px"),
    ("How far does [3] move?", "Mark [3] does not move."),
    ("Which way does [1] move?", "Mark [1] moves right, by about 400 px."),
    (
        "Which direction does [2] move between 1 and 4 s?",
        "Between 1 and 4 s: mark [2] moves up, by about 60 px.",
    ),
    ("In which direction is [2] moving after 6 s?", "After 6 s: mark [2] moves down"),
    ("Which way does [2] go?", "Mark [2] moves about 190 px to and fro and ends about where it started."),
    ("What direction does the blue mark move?", "Mark [4] moves left and down"),
    ("Which way does [3] move between 3 and 4 s?", "Between 3 and 4 s: mark [3] does not move."),
    ("Is [1] moving left or right?", "Mark [1] is moving right."),
]


@pytest.mark.parametrize(("question", "text"), WAYS, ids=[q for q, _ in WAYS])
def test_ways(movers, question, text):
    found = answer(question, movers)
    assert found.text.startswith(text), found.text
    assert found.unsupported == []
    assert len(found.marks) == 1


def test_superlatives_among_the_marks_that_are_left(movers):
    assert marks("Which red mark moves the least?", movers) == [3]
    assert marks("Which red mark moves the most?", movers) == [1]
    assert marks("Which red mark is fastest?", movers) == [1]
    assert marks("Which mark moves the most?", movers) == [4]


def test_a_flicker_of_a_colour_is_not_ranked(scene):
    found = scene(
        (lambda t: (50 + 40 * t, 100, 90 + 40 * t, 140), RED),
        (lambda t: (300, 200, 340, 240) if 5 < t < 5.25 else None, RED),
    )
    assert marks("Which red mark moves the least?", found) == [1]


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ("Which marks are red at -1 s?", "at -1 s"),
        ("Which marks are red at -1?", "at -1"),
        ("Which marks are red before -2 s?", "before -2 s"),
        ("Which marks are red at frame -3?", "at frame -3"),
    ],
)
def test_times_before_the_video(history, question, part):
    found = answer(question, history)
    assert [u.text for u in found.unsupported] == [part]
    assert found.marks == []


def test_times_the_wrong_way_round(history):
    text = answer("Which marks are yellow between 4 and 2 s?", history).text
    assert text.startswith("Between 4 and 2 s (read as from 2 to 4 s): mark [3] is yellow")


OR = [
    ("Is [1] red or green?", "Mark [1] is red."),
    ("Is [5] red or green?", "Mark [5] is neither red nor green."),
    ("Is [6] green or blue?", "Mark [6] is both green and blue."),
    ("Are 1 and 2 red or blue?", "Mark [1] is red; mark [2] is blue."),
]


@pytest.mark.parametrize(("question", "text"), OR, ids=[q for q, _ in OR])
def test_or_says_which(history, question, text):
    found = answer(question, history)
    assert found.text == text
    assert found.unsupported == []


def test_what_a_thing_is_used_for(history):
    found = answer("What is [3] used for?", history)
    assert [u.text for u in found.unsupported] == ["used for"]
    assert found.marks == []
    assert '"used for" cannot be computed' in found.text
    found = answer("What is the yellow thing used for?", history)
    assert found.text == 'Mark [3] is yellow; "used for" cannot be told without a model.'
