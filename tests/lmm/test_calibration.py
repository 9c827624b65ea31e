"""Scenes whose truth is checked by other means than they are drawn with, replies of all kinds, whole runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from som_agent.colors import COLOR_TERMS, name_pixels
from som_agent.errors import AnswererError, InputError
from som_agent.lmm.calibration import measure as measure_module
from som_agent.lmm.calibration.choose import choose, reads_as_well
from som_agent.lmm.calibration.measure import DRAWS, QUICK, Plan, cost, measure, smaller_view
from som_agent.lmm.calibration.scenes import draw_scene
from som_agent.lmm.calibration.trial import Shown, listed, score, shown
from som_agent.lmm.pictures import image_block, read_image_block
from som_agent.lmm.profiles import DEFAULT_PROFILE, Price, profile_named
from som_agent.lmm.stored import Cell
from som_agent.marks.view import View

PLAN = Plan(densities=(4, 8, 12))
PROFILE = replace(DEFAULT_PROFILE, view=View("small eyes", 480))
"""Small pictures, for quick tests."""


# --- scenes


@pytest.mark.parametrize(("n", "index"), [(4, 0), (4, 1), (30, 0), (36, 2)])
def test_every_thing_has_the_colour_and_the_shape_that_it_is_said_to_have(n, index):
    scene = draw_scene(n, seed=3, index=index)
    assert len(scene.things) == len(scene.regions) == n
    names = name_pixels(scene.image)
    for k, thing in enumerate(scene.things):
        mask = scene.regions.mask(k)
        inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        counts = np.bincount(names[inner], minlength=len(COLOR_TERMS))
        assert COLOR_TERMS[counts.argmax()] == thing.color
        assert counts.max() > 0.98 * counts.sum()
        assert shape_of(mask) == thing.shape


def shape_of(mask: np.ndarray) -> str:
    lines, levels = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if (levels[0, :, 3] >= 0).any():
        return "ring"
    (line,) = lines
    area = cv2.contourArea(line)
    solid = area / cv2.contourArea(cv2.convexHull(line))
    if solid < 0.9:
        return "star" if solid < 0.62 else "cross"
    filled = area / (np.pi * cv2.minEnclosingCircle(line)[1] ** 2)  # of squares 0.64, of triangles 0.41
    return "circle" if filled > 0.85 else "square" if filled > 0.52 else "triangle"


def test_grounds_have_the_colour_of_no_thing():
    for index in range(4):
        scene = draw_scene(8, seed=1, index=index)
        names = name_pixels(cv2.GaussianBlur(scene.image, (0, 0), 2))
        ground = cv2.dilate((scene.regions.atoms > 0).astype(np.uint8), np.ones((15, 15), np.uint8)) == 0
        dull = [COLOR_TERMS.index(name) for name in ("grey", "brown", "green")]
        assert np.isin(names[ground], dull[:2]).mean() > 0.95


def test_scenes_come_back_by_their_seed_and_differ_by_it():
    scene, again, other = draw_scene(8, 5), draw_scene(8, 5), draw_scene(8, 6)
    np.testing.assert_array_equal(scene.image, again.image)
    np.testing.assert_array_equal(scene.regions.atoms, again.regions.atoms)
    assert scene.things == again.things
    assert scene.marks == again.marks
    assert scene.things != other.things
    assert scene.things != draw_scene(8, 5, index=1).things


def test_numbers_cannot_be_guessed():
    """They have gaps, and follow no direction of the picture."""
    scenes = [draw_scene(8, seed) for seed in range(4)]
    for scene in scenes:
        numbers = [thing.number for thing in scene.things]
        assert numbers == sorted(set(numbers))
        assert numbers != list(range(1, 9))
        boxes = scene.regions.boxes
        for key in (boxes[:, 0], boxes[:, 1], scene.regions.areas):
            assert sorted(key.tolist()) != key.tolist() != sorted(key.tolist(), reverse=True)
    assert len({scene.things[0].number for scene in scenes}) > 1


@pytest.mark.parametrize("family", ["llava-1.5", "gpt-4o"])
def test_all_marks_find_room(family):
    scene = draw_scene(30, 0)
    picture = shown(scene, ("mark", "contour"), profile_named(family).view)
    assert picture.truth == {thing.number: (thing.color, thing.shape) for thing in scene.things}


# --- replies


@pytest.mark.parametrize(
    "text",
    [
        "3: red circle\n12: blue star",
        "3. a red circle\n12. a blue star",
        "3) Red Circle.\n12) BLUE STAR!",
        "[3] red circle\n[12] blue star",
        "mark 3 is the red circle\nmark 12 is the blue star",
        "Mark [3]: red circle\nMark [12]: blue star",
        "**3**: red circle\n**12**: blue star",
        "- 3: red circle\n- 12: blue star",
        "| 3 | red | circle |\n| 12 | blue | star |",
        "3: red circle, 12: blue star",
        "3 - red circle; 12 - blue star",
        '{"3": "red circle", "12": "blue star"}',
        '```json\n[{"number": 3, "item": "red circle"}, {"number": 12, "item": "blue star"}]\n```',
        "Here are the 2 items:\n\n3: red disc\n\n12: blue star\n",
        "1. Mark 3: red circle\n2. Mark 12: blue star",
        "1. 3: red circle\n2. 12: blue star",
        "The red circle is (3)\nThe blue star is (12)",
        "#3 red circle\n#12 blue star",
        "NUMBER 3: red circle\nNUMBER 12: blue star",
        "3: red circle\n12: blue star\n3: green ring",
        "3: the circle, which is red\n12: the star, which is blue",
    ],
)
def test_lists_however_they_are_written(text):
    assert listed(text) == {3: ("red", "circle"), 12: ("blue", "star")}


@pytest.mark.parametrize(
    "text", ["", "I cannot see any marks.", "There are 8 items.", "red circle\nblue star"]
)
def test_nothing_listed(text):
    assert listed(text) == {}


@pytest.mark.parametrize(
    ("words", "shape"),
    [
        ("donut", "ring"),
        ("hollow circle", "ring"),
        ("circle outline", "ring"),
        ("plus sign", "cross"),
        ("disk", "circle"),
        ("triangles", "triangle"),
        ("squarely", None),
    ],
)
def test_other_words_for_shapes(words, shape):
    assert listed(f"7: green {words}") == {7: ("green", shape)}


def test_score():
    truth = {1: ("red", "circle"), 4: ("red", "circle"), 6: ("blue", "star"), 9: ("green", "ring")}
    counted = score(
        Shown(np.zeros((2, 2, 3), np.uint8), truth), "1: red circle\n4: red star\n6: green star\n7: red ring"
    )
    assert (counted.marks, counted.right, counted.right_color, counted.right_shape) == (4, 1, 2, 2)
    assert counted.invented == 1
    assert counted.guessing == 2  # "red circle" for every number


# --- choosing


def cell(draw, density, read, long_px=1024, guessing=0.1, marks=None):
    marks = marks or max(density, 8)
    right = round(read * marks)
    return Cell(draw, long_px, density, 1, marks, right, right, right, 0, guessing)


def test_of_ways_that_read_alike_the_one_that_draws_least():
    cells = [cell(draw, density, 1.0) for draw in reversed(DRAWS) for density in (4, 16)]
    chosen = choose(cells)
    assert (chosen.draw, chosen.marks, chosen.marks_read, chosen.reads) == (("mark",), 16, 1.0, True)
    # one more mark of 16 is no difference
    again = [replace(one, right=one.right - (len(one.draw) == 1 and one.density == 16)) for one in cells]
    assert choose(again).draw == ("mark",)


def test_the_best_way_where_it_is_clearly_better():
    cells = [
        cell(draw, density, 0.95 if "box" in draw else 0.4, marks=40) for draw in DRAWS for density in (4, 16)
    ]
    assert choose(cells).draw == ("mark", "box")


@pytest.mark.parametrize(
    ("reads", "marks"),
    [
        ((1, 1, 1, 1), 30),
        ((1, 1, 0.91, 0.5), 16),
        ((1, 0.89, 0.95, 0.5), 16),  # a dip is chance
        ((1, 0.5, 0.4, 0.3), 4),
        ((0.6, 0.6, 0.56, 0.5), 16),
    ],
)
def test_as_many_marks_as_are_read_about_as_well_as_the_fewest(reads, marks):
    cells = [cell(("mark",), d, read, marks=100) for d, read in zip((4, 8, 16, 30), reads, strict=True)]
    assert choose(cells).marks == marks


def test_reading_like_a_guesser_is_no_reading():
    assert not choose([cell(("mark",), 4, 0.25, guessing=0.25), cell(("mark",), 16, 0.1)]).reads
    assert not choose([cell(("mark",), 4, 0.0, guessing=0.25), cell(("mark",), 16, 0.0)]).reads
    assert choose([cell(("mark",), 4, 1.0, guessing=0.25), cell(("mark",), 16, 0.1)]).reads


def simulated(reads: float, runs: int = 1000) -> list:
    """Choices for a model that reads this share of the marks, at any number of them and however drawn, and
    pairs the other numbers with the things of the picture by chance.
    """
    rng = np.random.default_rng(0)
    chosen = []
    for _ in range(runs):
        cells = []
        for density in Plan().densities:
            pictures = Plan().pictures(density)
            for draw in DRAWS:
                right = 0
                for _ in range(pictures):
                    paired = rng.permutation(density) == np.arange(density)
                    right += int((paired | (rng.uniform(size=density) < reads)).sum())
                marks = density * pictures
                cells.append(Cell(draw, 1024, density, pictures, marks, right, right, right, 0, 1 / density))
        chosen.append(choose(cells))
    return chosen


def test_chance_seldom_passes_for_reading():
    assert np.mean([choice.reads for choice in simulated(0.0)]) < 0.02


def test_a_good_reader_seldom_gets_few_marks():
    chosen = simulated(0.9)
    assert all(choice.reads for choice in chosen)
    assert np.mean([choice.marks == 30 for choice in chosen]) > 0.8
    assert np.mean([choice.marks >= 16 for choice in chosen]) > 0.95


def test_smaller_pictures_must_be_read_as_well_to_the_last():
    larger = [cell(("mark",), 4, 1, marks=100), cell(("mark",), 16, 1, marks=100)]
    assert reads_as_well([replace(one, long_px=683) for one in larger], larger)
    assert not reads_as_well([larger[0], cell(("mark",), 16, 0.8, marks=100)], larger)
    assert not reads_as_well([cell(("mark",), 4, 0.8, marks=100), larger[1]], larger)


# --- whole runs


Reply = Callable[[tuple[str, ...], int, dict[int, tuple[str, str]]], str]


def told(truth) -> str:
    return "\n".join(f"{number}: {color} {shape}" for number, (color, shape) in truth.items())


class Reader(BaseChatModel):
    """Gets real pictures in messages and knows them by their bytes; `reply` says what it makes of them."""

    known: dict[str, Any]
    reply: Any
    seen: list[tuple[int, int]]

    @property
    def _llm_type(self) -> str:
        return "reader"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        (message,) = messages
        picture, text = message.content
        assert "one by one" in text["text"]
        self.seen.append(read_image_block(picture).shape[1::-1])
        said = self.reply(*self.known[picture["image_url"]["url"]])
        return ChatResult(generations=[ChatGeneration(message=AIMessage(said))])


@pytest.fixture(scope="module", autouse=True)
def _drawn_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure_module, "draw_scene", cache(draw_scene))
        yield


@pytest.fixture(scope="module")
def known(_drawn_once):
    pictures = {}
    for view in (PROFILE.view, smaller_view(PROFILE)):
        for density in PLAN.densities:
            for scene in PLAN.drawn(density):
                for draw in DRAWS:
                    picture = shown(scene, draw, view)
                    url = image_block(picture.image)["image_url"]["url"]
                    pictures[url] = (draw, max(picture.image.shape), dict(picture.truth))
    return pictures


def calibrated(known, reply, profile=PROFILE):
    reader = Reader(known=known, reply=reply, seen=[])
    return measure(reader, "eyes", profile, PLAN), reader


def test_a_perfect_reader(known):
    done, reader = calibrated(known, lambda draw, px, truth: told(truth))
    assert done.draw == ("mark",)
    assert (done.view.marks, done.marks_read) == (12, 1.0)
    # Two thirds are enough for it, and cost less; those are asked last, of the way chosen.
    assert done.view == replace(smaller_view(PROFILE), marks=12)
    assert reader.seen == [(480, 360)] * 16 + [(320, 240)] * 4
    assert [(c.draw, c.long_px) for c in done.measured[-3:]] == [(("mark",), 320)] * 3
    assert {c.density: (c.pictures, c.marks) for c in done.measured} == {4: (2, 8), 8: (1, 8), 12: (1, 12)}
    assert all(c.right == c.right_color == c.right_shape == c.marks and not c.invented for c in done.measured)
    assert 0.05 < done.guessing < 0.4


def test_a_reader_that_needs_large_pictures(known):
    done, _ = calibrated(known, lambda draw, px, truth: told(truth) if px == 480 else "too small")
    assert done.view == replace(PROFILE.view, marks=12)
    assert done.marks_read == 1.0


def test_a_reader_that_fails_above_eight_marks(known):
    done, reader = calibrated(known, lambda draw, px, truth: told(truth) if len(truth) <= 8 else "so many!")
    assert (done.draw, done.view.marks, done.marks_read) == (("mark",), 8, 1.0)
    assert len(reader.seen) == 16 + 3  # twelve marks are not tried again


def test_a_reader_that_reads_boxes_only(known):
    done, _ = calibrated(known, lambda draw, px, truth: told(truth) if "box" in draw else "1: red circle")
    assert (done.draw, done.view.marks) == (("mark", "box"), 12)


def swapped(draw, px, truth):
    """Sees all things and all numbers, and gives each number the thing of the next one."""
    numbers = list(truth)
    return told(dict(zip(numbers[1:] + numbers[:1], truth.values(), strict=True)))


@pytest.mark.parametrize(
    ("reply", "asked"),
    [
        (lambda *_: "Lorem ipsum 3 dolor: red circle", 16),
        (lambda *_: "", 32),  # a reply without a word is asked for once more
        (swapped, 16),
    ],
    ids=["noise", "none", "swapped"],
)
def test_a_reader_that_reads_nothing(known, reply, asked):
    done, reader = calibrated(known, reply)
    assert (done.view, done.draw, done.reads) == (None, None, False)
    assert done.marks_read < 0.2
    assert len(reader.seen) == asked  # smaller pictures are not tried


def test_smaller_pictures_are_not_tried_where_they_save_nothing():
    assert smaller_view(profile_named("llava-1.5")) is None
    assert smaller_view(profile_named("gpt-4o")).size((1280, 960)) == (683, 512)


def test_a_model_that_fails_is_one_clear_line(known):
    calls = []

    def reply(draw, px, truth):
        calls.append(draw)
        if len(calls) == 3:
            raise ValueError("no more\nsecond line")
        return told(truth)

    with pytest.raises(AnswererError, match=r"^model 'eyes' failed to answer: no more$"):
        calibrated(known, reply)
    assert len(calls) == 3


def test_an_error_of_our_own_stays_as_it_is(known):
    def reply(*_):
        raise InputError("as it is")

    with pytest.raises(InputError, match=r"^as it is$"):
        calibrated(known, reply)


def test_cost_is_what_is_asked_at_most(known):
    expected = cost(replace(PROFILE, price=Price(2.0, 10.0)), PLAN)
    _, reader = calibrated(known, lambda draw, px, truth: told(truth))
    assert expected.pictures == len(reader.seen)
    assert expected.usd == pytest.approx((2 * expected.tokens_in + 10 * expected.tokens_out) / 1e6)
    assert cost(PROFILE, PLAN).usd is None
    gpt = profile_named("gpt-4o")
    assert cost(gpt, QUICK).pictures == 8
    assert 8 * 765 < cost(gpt, QUICK).tokens_in < 8 * 1000  # four tiles a picture, and the words
