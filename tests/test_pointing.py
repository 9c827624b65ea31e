"""Marks by pointing and by naming, in a session over drawn things."""

import numpy as np
import pytest

from som_agent.errors import InputError, SegmenterError
from som_agent.regions import Regions
from som_agent.segmenters.text import Found
from som_agent.session import Session
from som_agent.settings import Settings

SIZE = (120, 80)
BOXES = {1: (6, 8, 34, 36), 2: (80, 44, 110, 72)}


class Blind:
    """Puts the first thing forward only, sees the second as an alternative, and can be pointed at both."""

    name = "blind"

    def __init__(self, labels):
        self.labels = labels

    def segment(self, frame):
        return Regions.from_labels(self.labels, proposed=np.array([True, False]))

    def prompted(self, frame, prompt):
        if prompt.box is not None:
            x, y = (prompt.box[0] + prompt.box[2]) / 2, (prompt.box[1] + prompt.box[3]) / 2
        else:
            x, y = prompt.on[0]
        label = self.labels[int(y), int(x)]
        return (self.labels == label) & (label > 0)


class ByColor:
    """Finds the things by their numbers."""

    name = "numbers"

    def __init__(self, labels):
        self.labels = labels

    def find(self, frame, phrases):
        masks = np.array([self.labels == int(p) for p in phrases])
        return Found(Regions.from_masks(masks), tuple(phrases))


@pytest.fixture
def scene(make):
    labels = make.labels(BOXES, SIZE)
    grain = np.random.default_rng(0).integers(-10, 11, (*labels.shape, 3))
    return labels, np.clip(make.paint(labels).astype(int) + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("propagator", ["", "flow"])
def test_a_thing_that_is_pointed_at_gets_a_mark_that_stays(scene, propagator):
    labels, image = scene
    session = Session(Blind(labels), Settings(propagator=propagator))
    assert [info.mark for info in session.step(image, time=0.0).infos] == [1]
    info = session.point([(95, 60)])
    assert info.mark == 2
    row = [known.mark for known in session.newest.infos].index(2)
    np.testing.assert_array_equal(session.newest.regions.mask(row), labels == 2)
    for i in range(1, 4):
        marked = session.step(image, time=i / 10)
        assert [known.mark for known in marked.infos] == [1, 2]
        own = marked.regions.mask(1)
        assert (own & (labels == 2)).sum() > 0.8 * (own | (labels == 2)).sum()


def test_a_mark_on_the_wrong_thing_is_corrected_and_keeps_its_number(scene):
    labels, image = scene
    session = Session(Blind(labels))
    session.step(image, time=0.0)
    info = session.point(box=(78, 40, 112, 76), mark=1)
    assert info.mark == 1
    assert [known.mark for known in session.newest.infos] == [1]
    np.testing.assert_array_equal(session.newest.regions.mask(0), labels == 2)
    with pytest.raises(InputError, match="no mark 7 in frame 0"):
        session.point([(95, 60)], mark=7)


def test_what_a_phrase_names_keeps_its_mark_or_gets_one(scene):
    labels, image = scene
    session = Session(Blind(labels))
    session.step(image, time=0.0)
    named = session.find("1", "2", finder=ByColor(labels))
    assert [(n.mark.mark, n.phrase) for n in named] == [(1, "1"), (2, "2")]
    assert [n.mark.mark for n in session.find("2", finder=ByColor(labels))] == [2]


def test_pointing_at_nothing(scene):
    labels, image = scene
    session = Session(Blind(labels))
    with pytest.raises(InputError, match="step comes first"):
        session.point([(3, 3)])
    session.step(image, time=0.0)
    with pytest.raises(InputError, match="finds nothing there"):
        session.point([(60, 4)])
    with pytest.raises(InputError, match="outside the 120x80"):
        session.point([(500, 4)])
    with pytest.raises(InputError, match="needs a box"):
        session.point()
    with pytest.raises(SegmenterError, match="takes no points"):
        session.point(
            [(3, 3)], segmenter=type("Other", (), {"name": "other", "segment": lambda s, f: None})()
        )
