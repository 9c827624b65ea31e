import numpy as np
import pytest

from som_agent.keyframes import LOOK_PX, KeyframeStore, keyframe
from som_agent.regions import Regions
from som_agent.session import Session
from som_agent.video import Frame


class Boxes:
    """A segmenter of one moving box."""

    name = "boxes"

    def segment(self, frame):
        labels = np.zeros(frame.image.shape[:2], np.int32)
        labels[8:40, 8 + frame.index % 20 : 40 + frame.index % 20] = 1
        return Regions.from_labels(labels)


@pytest.fixture(scope="module")
def marked():
    session = Session(Boxes())
    image = np.full((64, 96, 3), 90, np.uint8)
    return [session.step(Frame(image, index, index / 10)) for index in range(70)]


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
    for frame in marked:
        store.add(frame)
    kept = [f.frame for f in store.pictures(range(70))]
    assert kept == sorted(set(kept))
    assert {0, 69} <= set(kept)
    assert len(kept) <= 4
    assert [f.frame for f in store.pictures([69, 68, 0, 1])] == [0, 69], "each only once, in order"
    assert store.pictures([]) == []


def test_before_the_first_frame_there_is_none():
    assert KeyframeStore(3).pictures([0, 1]) == []


def test_a_keyframe_shows_the_marks_large_enough_for_a_model(marked):
    shown = keyframe(marked[3])
    assert shown.image.shape == (round(64 * LOOK_PX / 96), LOOK_PX, 3)
    assert shown.frame == 3
    assert shown.time == pytest.approx(0.3)
    assert shown.marks == (1,)
