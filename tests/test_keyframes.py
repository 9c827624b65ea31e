import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.keyframes import KeyframeStore, Wanted, keyframes
from som_agent.lmm.profiles import profile_named
from som_agent.marks.view import View
from som_agent.regions import Regions
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video import Frame

VIEW = View("test", 512, marks=5)


class Boxes:
    """A segmenter of one moving box."""

    name = "boxes"

    def segment(self, frame):
        labels = np.zeros(frame.image.shape[:2], np.int32)
        labels[8:40, 8 + frame.index % 20 : 40 + frame.index % 20] = 1
        return Regions.from_labels(labels)


class Tiles:
    """A segmenter of 12 tiles, in four columns."""

    name = "tiles"

    def segment(self, frame):
        labels = np.arange(1, 13, dtype=np.int32).reshape(3, 4)
        return Regions.from_labels(np.kron(labels, np.ones((60, 60), np.int32)))


@pytest.fixture(scope="module")
def marked():
    session = Session(Boxes())
    image = np.full((64, 96, 3), 90, np.uint8)
    return [session.step(Frame(image, index, index / 10)) for index in range(70)]


@pytest.fixture(scope="module")
def tiled():
    session = Session(Tiles(), Settings(max_marks=3))
    return session.step(np.full((180, 240, 3), 120, np.uint8), time=0.5)


@pytest.mark.parametrize("capacity", [1, 2, 3, 5, 12])
def test_few_and_even(marked, capacity):
    store = KeyframeStore(capacity)
    for count, frame in enumerate(marked, 1):
        store.add(frame)
        kept = sorted({f.index for f in (*store._kept, store._newest)})
        assert len(kept) <= max(capacity, 2)
        assert kept[0] == 0
        assert kept[-1] == count - 1
        gaps = np.diff(kept)[:-1]
        assert len(set(gaps)) <= 1, "even distances, but for the newest"
    assert len(kept) >= capacity / 2


def test_the_nearest_kept_frame_stands_for_a_wanted_one(marked):
    store = KeyframeStore(4)
    wanted = Wanted(VIEW, [1])
    for frame in marked:
        store.add(frame)
    kept = [f.frame for f in store.pictures(range(70), wanted)]
    assert kept == sorted(set(kept))
    assert {0, 69} <= set(kept)
    assert len(kept) <= 4
    assert [f.frame for f in store.pictures([69, 68, 0, 1], wanted)] == [0, 69], "each only once, in order"
    assert store.pictures([], wanted) == []


def test_before_the_first_frame_there_is_none():
    assert KeyframeStore(3).pictures([0, 1], Wanted(VIEW, [])) == []


def test_a_keyframe_is_as_large_as_the_model_sees_it(marked):
    for name in ("openai:gpt-4o", "llava:x", "unknown"):
        view = profile_named(name).view
        (shown,) = keyframes([marked[3]], Wanted(view, [1]))
        assert shown.image.shape[1::-1] == view.size((96, 64))
        assert shown.plain.shape == shown.image.shape
        assert (shown.plain == 90).all()
        assert (shown.image != 90).any()
    assert shown.frame == 3
    assert shown.time == pytest.approx(0.3)
    assert (shown.marks, shown.part, shown.parts, shown.left_out) == ((1,), 1, 1, ())


def test_more_marks_than_the_model_reads_are_shown_in_several_pictures(tiled):
    shown = keyframes([tiled], Wanted(VIEW, range(1, 13)))
    assert [(f.part, f.parts) for f in shown] == [(1, 3), (2, 3), (3, 3)]
    assert sorted(m for f in shown for m in f.marks) == list(range(1, 13)), "beyond the session's budget, too"
    assert all(len(f.marks) == 4 for f in shown)
    assert all(f.left_out == () for f in shown)
    boxes = {mark.mark: mark.box for mark in tiled.marks}
    for one in shown:
        for mark, (x0, y0, x1, y1) in boxes.items():
            differs = (one.image != one.plain).any(axis=2)[
                2 * int(y0) : 2 * int(y1), 2 * int(x0) : 2 * int(x1)
            ]
            assert (differs[20:-20, 20:-20].mean() > 0.5) == (mark in one.marks), "only these are drawn"


def test_what_finds_no_room_is_told(tiled):
    first, second = keyframes([tiled], Wanted(VIEW, [*range(12, 0, -1)], budget=2))
    assert sorted(first.marks + second.marks) == list(range(3, 13))
    assert first.left_out == second.left_out == (1, 2)


def test_named_marks_are_in_every_picture(tiled):
    shown = keyframes([tiled], Wanted(VIEW, [7, 2, *(m for m in range(1, 13) if m not in (2, 7))], [7, 2]))
    assert len(shown) == 4
    assert all({2, 7} <= set(f.marks) for f in shown)
    assert {m for f in shown for m in f.marks} == set(range(1, 13))
    many = keyframes([tiled], Wanted(VIEW, range(1, 13), [1, 2, 3, 4]))
    assert sorted(m for f in many for m in f.marks) == list(range(1, 13)), "no room beside so many"


def test_a_union_is_drawn_in_place_of_its_parts():
    session = Session(Tiles())
    session.step(np.full((180, 240, 3), 120, np.uint8), time=0.5)
    one = session.union(1, 2)
    two = session.union(one.mark, 3)
    order = sorted(session.history.marks)
    (shown,) = keyframes([session.newest], Wanted(profile_named("gpt").view, order))
    assert set(shown.marks) == set(order) - {1, 2, 3, one.mark}
    assert shown.left_out == (1, 2, 3, one.mark), "which is told"
    (shown,) = keyframes([session.newest], Wanted(profile_named("gpt").view, order, [2]))
    assert {2, two.mark} <= set(shown.marks), "but what is asked about is drawn"


def test_frames_share_the_budget(tiled, marked):
    shown = keyframes([tiled, marked[0], tiled], Wanted(VIEW, range(1, 13), budget=6))
    assert [f.parts for f in shown] == [3, 3, 3, 1, 2, 2]
    assert len(keyframes([tiled] * 3, Wanted(VIEW, range(1, 13), budget=1))) == 3, "each has one at least"


def test_marks_that_nobody_wants_are_not_drawn(tiled):
    (shown,) = keyframes([tiled], Wanted(VIEW, [5, 99]))
    assert (shown.marks, shown.left_out) == ((5,), ())
    (bare,) = keyframes([tiled], Wanted(VIEW, []))
    assert bare.marks == ()
    assert (bare.image == bare.plain).all()


def test_it_says_what_it_is(tiled):
    shown = keyframes([tiled], Wanted(VIEW, range(1, 9)))
    assert repr(shown[1]).startswith("Keyframe(0, 2 of 2, 0.500 s, 480x360 px, marks [")


@given(
    order=st.permutations(range(1, 13)), n=st.integers(0, 12), k=st.integers(1, 6), budget=st.integers(1, 6)
)
def test_the_budget_holds_and_no_mark_is_lost(tiled, order, n, k, budget):
    wanted = Wanted(View("test", 336, marks=k), order[:n], order[: min(n, 2)], budget)
    shown = keyframes([tiled], wanted)
    assert 1 <= len(shown) <= budget
    assert all(len(f.marks) <= k for f in shown)
    drawn = {m for f in shown for m in f.marks}
    assert drawn | set(shown[0].left_out) == set(order[:n])
    assert not drawn & set(shown[0].left_out)
    assert n == 0 or order[0] in drawn, "the first is in"
