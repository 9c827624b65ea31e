import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.errors import InputError
from som_agent.marks import MarkStyle, View
from som_agent.regions import Regions
from som_agent.session import Session
from som_agent.settings import Settings


class Fixed:
    """A segmenter that finds the same label map in every picture, at whatever size it is asked for."""

    name = "fixed"

    def __init__(self, labels):
        self.labels = labels

    def segment(self, frame):
        h, w = frame.image.shape[:2]
        height, width = self.labels.shape
        rows, columns = np.arange(h) * height // h, np.arange(w) * width // w
        return Regions.from_labels(self.labels[rows[:, None], columns])


def marked(labels, size=None, /, **settings):
    w, h = size or labels.shape[::-1]
    return Session(Fixed(labels), Settings(**settings)).step(np.full((h, w, 3), 120, np.uint8), time=0.5)


@pytest.fixture(scope="module")
def labels(make):
    return make.labels(
        {1: (10, 10, 110, 80), 2: (130, 10, 230, 70), 3: (20, 100, 90, 150), 4: (150, 90, 154, 94)},
        (240, 160),
    )


def inside(point, mask):
    return mask[int(np.floor(point[1])), int(np.floor(point[0]))]


def apart(plates, gap=0):
    for i, a in enumerate(plates):
        for b in plates[:i]:
            if a[0] < b[2] + gap and b[0] < a[2] + gap and a[1] < b[3] + gap and b[1] < a[3] + gap:
                return False
    return True


@pytest.mark.parametrize("scale", [1, 3, 5.3])  # as it is processed, and sources larger than that
def test_places_are_in_source_pixels(labels, scale):
    size = (round(240 * scale), round(160 * scale))
    frame = marked(labels, size)
    assert frame.size == size
    assert frame.time == 0.5
    assert frame.image.shape == (size[1], size[0], 3)
    assert frame.regions.atoms.shape[1] <= 480
    assert [mark.mark for mark in frame.marks] == [1, 2, 3, 4], "the largest first"
    for mark in frame.marks:
        mask = frame.mask(mark.mark)
        assert mask.shape == (size[1], size[0])
        y, x = np.nonzero(mask)
        box = [x.min(), y.min(), x.max() + 1, y.max() + 1]
        np.testing.assert_allclose(mark.box, box, atol=scale)
        assert mark.area == pytest.approx(mask.sum(), rel=0.08)
        assert inside(mark.anchor, mask)
        assert mark.shown
        x0, y0, x1, y1 = mark.plate
        assert 0 <= x0 < x1 <= size[0]
        assert 0 <= y0 < y1 <= size[1]
    assert [mark.reason for mark in frame.marks[:3]] == [None] * 3
    assert "too small" in frame.marks[3].reason
    assert apart([mark.plate for mark in frame.marks])


def test_the_plate_is_where_the_label_is_drawn(labels):
    plain = marked(labels, style=MarkStyle(draw=("mask",))).image
    frame = marked(labels, style=MarkStyle(draw=("mark", "mask")))
    changed = (frame.image != plain).any(axis=2)
    plates = np.zeros_like(changed)
    for mark in frame.marks:
        x0, y0, x1, y1 = mark.plate
        assert changed[y0:y1, x0:x1].mean() > 0.8
        plates[y0:y1, x0:x1] = True
    assert (changed & ~plates).sum() < 60, "nothing but a leader line is drawn beside the plates"


def test_marks_lie_inside_their_own_object(labels):
    frame = marked(labels)
    for mark in frame.marks[:3]:
        x0, y0, x1, y1 = mark.plate
        assert frame.mask(mark.mark)[y0:y1, x0:x1].all()


def test_the_budget(labels):
    frame = marked(labels, max_marks=2)
    assert [mark.shown for mark in frame.marks] == [True, True, False, False]
    assert [mark.reason for mark in frame.marks[2:]] == ["over the budget of marks"] * 2
    for mark in frame.marks[2:]:
        assert mark.plate is None
        assert inside(mark.anchor, frame.mask(mark.mark))
    untouched = frame.mask(3)
    assert (frame.image[untouched] == 120).all(), "what is over the budget is not tinted either"


def test_without_labels_nothing_has_a_plate(labels):
    frame = marked(labels, style=MarkStyle(draw=("box",)))
    assert [mark.plate for mark in frame.marks] == [None] * 4
    assert all(mark.shown for mark in frame.marks)


@pytest.mark.parametrize("px", [336, 160, 1024])
@pytest.mark.parametrize("size", [(240, 160), (1280, 853)])
def test_look_draws_at_the_size_that_is_asked_for(labels, px, size):
    frame = marked(labels, size)
    look = frame.look(px)
    picture, marks = look.image, look.marks
    assert look.plain.shape == picture.shape
    assert max(picture.shape[:2]) == px
    assert picture.shape[0] == round(px * size[1] / size[0])
    assert picture.dtype == np.uint8
    plates = [mark.plate for mark in marks if mark.plate]
    assert len(plates) >= 3
    assert apart(plates)
    for mark, own in zip(marks, frame.marks, strict=True):
        assert (mark.mark, mark.box, mark.area) == (own.mark, own.box, own.area)
        assert inside(mark.anchor, frame.mask(mark.mark)), "anchors stay in source pixels"
        if mark.plate:
            x0, y0, x1, y1 = mark.plate
            assert 0 <= x0 < x1 <= picture.shape[1]
            assert 0 <= y0 < y1 <= picture.shape[0]
            assert y1 - y0 >= 13, "large enough to be read"


def test_look_draws_only_the_marks_that_are_asked_for(labels):
    frame = marked(labels, max_marks=2)
    look = frame.look(View("model", 200), marks=[2, 3, 77])
    assert [mark.mark for mark in look.marks if mark.shown] == [2, 3], "one of them is over the budget"
    assert [mark.reason for mark in look.marks if not mark.shown] == ["not drawn in this picture"] * 2
    assert [mark.shown for mark in frame.marks] == [True, True, False, False], "the frame stays as it is"
    own = cv2.resize(frame.mask(1).view(np.uint8), look.plain.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    inner = cv2.erode(own, np.ones((9, 9), np.uint8)) > 0
    np.testing.assert_array_equal(look.image[inner], look.plain[inner])
    assert (look.plain == 120).all()


def test_look_refuses_what_is_too_small(labels):
    with pytest.raises(InputError, match="15 px"):
        marked(labels).look(15)


def test_unknown_marks_are_named(labels):
    frame = marked(labels)
    with pytest.raises(InputError, match=r"mark 9 .* visible marks: 1, 2, 3, 4"):
        frame.mask(9)


def test_it_says_what_it_is(labels):
    assert (
        repr(marked(labels, max_marks=2, labels="letters"))
        == "MarkedFrame(Frame(0, 0.500 s, 240x160 px), marks A B)"
    )
    assert (
        repr(marked(np.zeros((16, 20), np.int32))) == "MarkedFrame(Frame(0, 0.500 s, 20x16 px), marks none)"
    )


@given(
    st.integers(0, 9999),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 40),
    st.sampled_from([1, 1.7, 3]),
    st.integers(1, 6),
)
def test_any_picture(seed, h, w, cell, scale, budget):
    """Down to one pixel: nothing is drawn outside of the picture, no two labels lie on each other."""
    cells = np.random.default_rng(seed).integers(0, 5, (h, w)).astype(np.int32)
    labels = np.kron(cells, np.ones((cell, cell), np.int32))
    size = (int(labels.shape[1] * scale), int(labels.shape[0] * scale))
    frame = marked(labels, size, size=max(labels.shape[0], labels.shape[1], 16), max_marks=budget)
    assert frame.image.shape == (size[1], size[0], 3)
    assert len(frame.marks) == len(np.unique(cells[cells > 0]))
    plates = [mark.plate for mark in frame.marks if mark.plate]
    assert len(plates) <= budget
    assert apart(plates)
    for mark in frame.marks:
        assert mark.area >= 1
        x, y = mark.anchor
        assert mark.box[0] <= x <= mark.box[2]
        assert mark.box[1] <= y <= mark.box[3]
        assert mark.shown == (mark.plate is not None)
        assert mark.shown or mark.reason
        if mark.plate:
            assert 0 <= mark.plate[0] < mark.plate[2] <= size[0]
            assert 0 <= mark.plate[1] < mark.plate[3] <= size[1]
