import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from som_agent.evaluation.match import Match
from som_agent.regions import Regions

SHAPE = (6, 8)
labels = arrays.arrays(np.int32, SHAPE, elements=st.integers(0, 4))


def box(x0: int, x1: int, label: int = 1) -> np.ndarray:
    """A label map with one object between two columns."""
    picture = np.zeros(SHAPE, np.int32)
    picture[:, x0:x1] = label
    return picture


def regions(*boxes: tuple[int, int]) -> Regions:
    return Regions.from_masks(np.array([box(*ends) > 0 for ends in boxes]).reshape(len(boxes), *SHAPE))


@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=4))
def test_overlaps_are_those_of_the_masks(frames: list[tuple[np.ndarray, np.ndarray]]) -> None:
    match = Match([1, 2, 4])
    for time, (ours, truth) in enumerate(frames):
        marks = [int(v) + 10 for v in np.unique(ours) if v]
        match.add(float(time), marks, Regions.from_labels(ours), truth)
    for mark in range(11, 15):
        for obj in match.objects:
            pairs = [(ours == mark - 10, truth == obj) for ours, truth in frames]
            js = [(a & b).sum() / (a | b).sum() for a, b in pairs if (a | b).any()]
            expected = float(np.mean(js)) if js else 0.0
            if any(a.any() for a, _ in pairs):
                assert match.iou(mark, obj) == pytest.approx(expected)
            else:
                assert match.iou(mark, obj) == 0


@given(labels)
def test_true_regions_fit_exactly(truth: np.ndarray) -> None:
    objects = [int(v) for v in np.unique(truth) if v]
    match = Match(objects)
    match.add(0.0, objects, Regions.from_labels(truth), truth)
    for found in match.found():
        assert (found.mark, found.jaccard, found.any_mark, found.marks) == (found.object, 1, 1, 1)
        assert match.object_of(found.object) == found.object


def test_regions_may_overlap() -> None:
    match = Match([1])
    match.add(0.0, [1, 2], regions((0, 8), (2, 6)), box(2, 6))
    assert match.iou(1, 1) == pytest.approx(0.5)
    assert match.iou(2, 1) == 1


def test_a_mark_counts_where_the_object_is_not() -> None:
    match = Match([1])
    match.add(0.0, [1], regions((0, 4)), box(0, 4))
    match.add(1.0, [1], regions((0, 4)), box(0, 0))
    match.add(2.0, [], regions(), box(0, 0))
    assert match.iou(1, 1) == 0.5
    assert match.iou(1, 1, within=[(0, 0)]) == 1
    assert match.iou(1, 1, within=[(2, 2)]) == 0


def test_every_number_of_an_object_lies_on_it() -> None:
    match = Match([1])
    for time, mark in enumerate([1, 1, 1, 7]):
        match.add(float(time), [mark], regions((0, 4)), box(0, 4))
    assert match.object_of(1) == match.object_of(7) == 1
    assert match.iou(7, 1) == 0.25
    (found,) = match.found()
    assert (found.frames, found.mark, found.jaccard, found.any_mark, found.marks) == (4, 1, 0.75, 1.0, 2)


def test_a_mark_that_slips_lies_on_what_it_covers_then() -> None:
    match = Match([1, 2])
    both = box(0, 3) + box(5, 8, label=2)
    match.add(0.0, [1], regions((0, 3)), both)
    match.add(1.0, [1], regions((5, 8)), both)
    assert match.object_of(1, [(0.0, 0.5)]) == 1
    assert match.object_of(1, [(0.9, 1.0)]) == 2
    assert match.object_of(1, [(4.0, 5.0)]) == match.object_of(1)  # not seen then: all its frames count


def test_too_little_overlap_is_none() -> None:
    match = Match([1])
    match.add(0.0, [1], regions((0, 8)), box(0, 3))
    assert match.object_of(1) == 0
    assert match.object_of(99) == 0
    assert match.iou(99, 1) == 0


def test_nothing_seen() -> None:
    assert Match([]).found() == []
    (found,) = Match([3]).found()
    assert (found.object, found.frames, found.mark, found.jaccard) == (3, 0, 0, 0)
    match = Match([1])
    match.add(0.0, [5], regions((6, 8)), box(0, 3))
    (found,) = match.found()
    assert (found.mark, found.jaccard, found.any_mark, found.marks) == (0, 0, 0, 0)


def test_labels_that_are_no_objects_are_background() -> None:
    match = Match([1])
    match.add(0.0, [1], regions((0, 4)), box(0, 4) + box(4, 8, label=200))
    assert match.iou(1, 1) == 1
