from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from som_agent.marks import place, plate_box
from som_agent.marks.search import GAP


def cells(h, w, n, seed, ground=0.2):
    """A label map of `n` cells round random points, with holes of ground."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (max(n, 1), 2)) * (w, h)
    y, x = np.mgrid[:h, :w]
    far = (x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2
    labels = far.argmin(axis=-1).astype(np.int32) + 1
    labels[labels > n] = 0
    labels[rng.uniform(size=n + 1)[labels] < ground] = 0
    return labels


def overlap(a, b, gap=0):
    return a[0] < b[2] + gap and b[0] < a[2] + gap and a[1] < b[3] + gap and b[1] < a[3] + gap


def can_hold(own, w, h):
    """Whether a box of w × h fits into the mask, by looking at every position in the mask's own box."""
    rows, columns = np.nonzero(own)
    if not len(rows):
        return False
    own = own[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    if own.shape[0] < h or own.shape[1] < w:
        return False
    return np.lib.stride_tricks.sliding_window_view(own, (h, w)).all(axis=(2, 3)).any()


def check(labels, sizes, placement):
    """Everything that must hold of a placement; returns the plates drawn."""
    h, w = labels.shape
    plates = []
    for k, size in enumerate(sizes):
        own = labels == k + 1
        shown = placement.inside[k] or placement.leader[k]
        assert not (placement.inside[k] and placement.leader[k])
        assert np.isnan(placement.centers[k]).any() != shown
        if not own.any():
            assert not shown
            assert np.isnan(placement.anchors[k]).all()
            assert placement.reason(k) == "no part of it is visible"
            continue
        x, y = np.floor(placement.anchors[k]).astype(int)
        assert own[y, x]
        if not shown:
            assert placement.reason(k) == "no room for its label"
            continue
        x0, y0, x1, y1 = box = plate_box(placement.centers[k], size)
        assert (x1 - x0, y1 - y0) == tuple(size)
        assert x0 >= 0
        assert y0 >= 0
        assert x1 <= w
        assert y1 <= h
        if placement.inside[k]:
            assert own[y0:y1, x0:x1].all()
            assert placement.reason(k) is None
            np.testing.assert_array_equal(placement.anchors[k], placement.centers[k])
        else:
            assert "beside" in placement.reason(k)
        plates.append(box)
    for a, b in combinations(plates, 2):
        assert not overlap(a, b), (a, b)
    return plates


maps = st.builds(cells, st.integers(1, 70), st.integers(1, 90), st.integers(0, 30), st.integers(0, 10**6))


@settings(max_examples=100, deadline=None)
@given(maps, st.integers(2, 18), st.integers(2, 14), st.integers(0, 99))
def test_any_map(labels, w, h, seed):
    sizes = np.random.default_rng(seed).integers(2, (w + 1, h + 1), (int(labels.max()), 2))
    before = labels.copy()
    placement = place(labels, sizes)
    check(labels, sizes, placement)
    np.testing.assert_array_equal(labels, before)
    # Inside its region whenever the region can hold it.
    for k, size in enumerate(sizes):
        assert placement.inside[k] == can_hold(labels == k + 1, *size)
    # The same again: without a memory, and with one nothing moves.
    for again in (place(labels, sizes), place(labels, sizes, placement.anchors, placement.offsets)):
        np.testing.assert_array_equal(again.inside, placement.inside)
        np.testing.assert_array_equal(again.anchors, placement.anchors)
        np.testing.assert_allclose(again.centers, placement.centers, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(maps, st.integers(0, 99))
def test_any_memory_keeps_the_rules(labels, seed):
    rng = np.random.default_rng(seed)
    n, (h, w) = int(labels.max()), labels.shape
    sizes = rng.integers(3, 12, (n, 2))
    anchors = rng.uniform(-5, 5 + max(h, w), (n, 2))
    offsets = rng.normal(0, 20, (n, 2)) * rng.integers(0, 2, (n, 1))
    anchors[rng.uniform(size=n) < 0.3] = np.nan
    check(labels, sizes, place(labels, sizes, anchors, offsets))


def test_deepest_point_first_in_raster_order():
    labels = np.zeros((60, 100), np.int32)
    labels[10:51, 20:61] = 1  # a square: its middle
    labels[5:16, 70:99] = 2  # a bar: many points are as deep, the first is taken
    placement = place(labels, [(7, 7), (7, 7)])
    assert placement.anchors.tolist() == [[40.5, 30.5], [75.5, 10.5]]
    assert placement.inside.all()


def test_the_whole_label_counts_not_only_its_middle():
    labels = np.ones((80, 80), np.int32)
    labels[:, 30:] = 0
    labels[60:78, 30:78] = 1  # an L; the upright is deepest, but only the foot holds a wide label
    labels[10:40, 5:25] = 1
    placement = place(labels, [(36, 12)])
    assert placement.inside[0]
    check(labels, [(36, 12)], placement)
    assert placement.centers[0][1] > 60


def test_a_region_with_a_hole_is_marked_beside_the_hole():
    labels = np.ones((90, 90), np.int32)
    labels[25:65, 25:65] = 2
    sizes = [(9, 9), (9, 9)]
    placement = place(labels, sizes)
    assert placement.inside.all()
    check(labels, sizes, placement)


def test_labels_keep_a_gap_where_there_is_room():
    labels = np.zeros((100, 60), np.int32)
    for k in range(4):
        labels[:, 15 * k : 15 * k + 14] = k + 1  # side by side their labels would read as one number
    sizes = [(12, 12)] * 4
    plates = check(labels, sizes, place(labels, sizes))
    assert len(plates) == 4
    for a, b in combinations(plates, 2):
        assert not overlap(a, b, gap=round(GAP * 12))


def test_small_regions_get_their_label_beside_them_and_not_on_other_small_ones():
    labels = np.zeros((100, 160), np.int32)
    labels[45:53, 60:68] = 1
    labels[45:53, 72:80] = 2
    sizes = [(12, 12)] * 2
    placement = place(labels, sizes)
    assert placement.leader.all()
    for x0, y0, x1, y1 in check(labels, sizes, placement):
        assert not labels[y0:y1, x0:x1].any()
    assert np.abs(placement.offsets).max() < 24  # near


def test_a_label_beside_its_region_keeps_its_side():
    labels = np.zeros((100, 160), np.int32)
    labels[45:53, 60:68] = 1
    first = place(labels, [(12, 12)])
    other_side = -first.offsets
    second = place(labels, [(12, 12)], first.anchors, other_side)
    np.testing.assert_allclose(second.offsets, other_side, atol=1e-3)


def test_a_label_that_would_hide_its_object_is_smaller():
    labels = np.zeros((120, 200), np.int32)
    labels[10:100, 10:100] = 1  # room for the wanted size
    labels[40:64, 120:150] = 2  # holds it, but would be hidden
    labels[80:92, 120:134] = 3  # holds only the smallest
    sizes = np.array([[(24, 20), (18, 14), (12, 10)]] * 3)
    placement = place(labels, sizes)
    assert placement.inside.all()
    assert placement.choices.tolist() == [0, 2, 2]
    check(labels, sizes[np.arange(3), placement.choices], placement)


def test_a_label_keeps_its_size_until_it_must_change():
    sizes = np.array([[(24, 20), (12, 10)]])

    def choice(side, before):
        labels = np.zeros((120, 120), np.int32)
        labels[10 : 10 + side, 10 : 10 + side] = 1
        middle = np.full((1, 2), 10 + side / 2, np.float32)
        memory = (None, None, None) if before is None else (middle, np.zeros((1, 2)), [before])
        placement = place(labels, sizes, *memory)
        assert placement.inside[0]
        return int(placement.choices[0])

    border = next(side for side in range(20, 100) if choice(side, None) == 0)
    for side in range(border - 3, border + 4):
        assert choice(side, 0) == 0, "neither smaller at once"
        assert choice(side, 1) == 1, "nor larger"
    assert choice(border - 12, 0) == 1
    assert choice(border + 25, 1) == 0


def test_labels_do_not_read_as_one_number_even_where_it_is_tight():
    labels = np.zeros((16, 64), np.int32)
    for k in range(4):
        labels[:, 16 * k : 16 * k + 16] = k + 1
    sizes = [(12, 12)] * 4
    plates = check(labels, sizes, place(labels, sizes))
    for a, b in combinations(plates, 2):
        assert not overlap(a, b, gap=round(GAP * 12))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [(720, 1280), (700, 1283), (1400, 1990)])
def test_large_pictures_are_searched_coarsely_but_no_label_is_lost(shape, seed):
    """The grid is every second or third pixel there; what is narrow is looked at pixel by pixel."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    for k in range(30):  # bars and blocks, some of just a label's size, at odd places
        w, h = rng.integers(17, 90, 2) if k % 2 else (20 + k % 3, 14 + k % 4)
        y, x = rng.integers(0, (shape[0] - h, shape[1] - w))
        labels[y : y + h, x : x + w] = k + 1
    labels[::97] = 0  # thin lines that a coarse grid does not see
    sizes = [(20, 14)] * 30
    placement = place(labels, sizes)
    check(labels, sizes, placement)
    for k in range(30):
        rows, columns = np.nonzero(labels == k + 1)
        if len(rows):
            own = labels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] == k + 1
            assert placement.inside[k] == can_hold(own, 20, 14)


def test_marks_move_only_when_they_must():
    labels = np.zeros((120, 160), np.int32)
    labels[20:81, 20:81] = 1
    size = [(11, 11)]
    first = place(labels, size)
    assert first.anchors.tolist() == [[50.5, 50.5]]
    # The region moved by a fraction: the anchor that moved with it is kept as it is, not snapped.
    moved = first.anchors + np.float32([1.3, -0.4])
    assert place(labels, size, moved).anchors.tolist() == moved.tolist()
    # It shrank from one side: still deep enough.
    labels[20:81, 70:] = 0
    assert place(labels, size, first.anchors).anchors.tolist() == first.anchors.tolist()
    # Now it would stick out: it goes to a near point, not as far as the deepest.
    labels[20:81, 50:] = 0
    second = place(labels, size, first.anchors)
    check(labels, size, second)
    deepest = place(labels, size)
    assert np.linalg.norm(second.anchors - first.anchors) < np.linalg.norm(deepest.anchors - first.anchors)


def test_coming_back_needs_room_to_spare():
    labels = np.zeros((80, 80), np.int32)
    labels[30:42, 30:42] = 1
    offset = np.array([[0, -20]], np.float32)
    anchor = np.array([[36, 36]], np.float32)
    assert place(labels, [(12, 12)]).inside[0]
    assert place(labels, [(12, 12)], anchor, offset).leader[0]
    labels[27:45, 27:45] = 1
    assert place(labels, [(12, 12)], anchor, offset).inside[0]


def test_two_hundred_dense_regions():
    labels = cells(270, 480, 200, seed=3)
    sizes = np.array([(13 + 7 * (k >= 9) + 7 * (k >= 99), 15) for k in range(200)])
    placement = place(labels, sizes)
    plates = check(labels, sizes, placement)
    assert len(plates) > 100
    assert all(placement.inside[k] == can_hold(labels == k + 1, *sizes[k]) for k in range(200))


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (2, 2)])
def test_tiny_pictures(shape):
    labels = np.ones(shape, np.int32)
    placement = place(labels, [(9, 9)])
    check(labels, [(9, 9)], placement)
    assert not placement.inside[0]
    assert not placement.leader[0]


def test_no_marks():
    placement = place(np.zeros((20, 30), np.int32), np.zeros((0, 2)))
    assert len(placement) == 0
    assert placement.anchors.shape == placement.centers.shape == (0, 2)


def test_one_pixel_regions():
    labels = np.zeros((60, 90), np.int32)
    labels[0, 0], labels[59, 89], labels[30, 40] = 1, 2, 3
    sizes = [(12, 10)] * 3
    placement = place(labels, sizes)
    check(labels, sizes, placement)
    assert placement.leader.all()
    assert placement.anchors.tolist() == [[0.5, 0.5], [89.5, 59.5], [40.5, 30.5]]


def test_more_values_than_sizes():
    with pytest.raises(ValueError, match="up to `n`=2, got 3"):
        place(np.full((5, 5), 3, np.int32), [(2, 2)] * 2)


def test_scaled_to_another_picture():
    labels = np.zeros((40, 60), np.int32)
    labels[5:35, 5:35] = 1
    placement = place(labels, [(9, 9)])
    large = placement.scaled(3, 2)
    np.testing.assert_allclose(large.anchors, placement.anchors * [3, 2])
    np.testing.assert_allclose(large.centers, placement.centers * [3, 2])


def test_photos(shared_data):
    folder = shared_data / "images" / "coco" / "masks"
    for path in sorted(folder.glob("*.png"))[::4]:
        labels = np.array(Image.open(path)).astype(np.int32)[::2, ::2]
        sizes = np.array([(11 + 6 * (k >= 9), 13) for k in range(int(labels.max()))])
        placement = place(labels, sizes)
        check(labels, sizes, placement)
        assert all(placement.inside[k] == can_hold(labels == k + 1, *size) for k, size in enumerate(sizes))
