import numpy as np

from som_agent.history import MarkInfo
from som_agent.marks import MarkStyle
from som_agent.marks.steady import SteadyPlacer
from som_agent.regions import Regions

SIZE = (240, 160)


def scene(boxes):
    """Marks, regions and centres of boxes: mark → x0, y0, x1, y1."""
    masks = np.zeros((len(boxes), SIZE[1], SIZE[0]), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.values(), strict=True):
        mask[y0:y1, x0:x1] = True
    centers = [[(x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2] for x0, y0, x1, y1 in boxes.values()]
    infos = [MarkInfo(mark, str(mark), (200, 30, 30)) for mark in boxes]
    return infos, Regions.from_masks(masks), np.array(centers, np.float32).reshape(-1, 2)


def test_a_mark_rides_along_with_its_object():
    placer = SteadyPlacer(MarkStyle())
    spots = []
    for i in range(20):
        placed = placer.place(*scene({1: (10 + 4 * i, 20 + i, 90 + 4 * i, 90 + i)}), SIZE)
        assert placed.inside[0]
        spots.append(placed.anchors[0] - [4 * i, i])
    np.testing.assert_allclose(spots, spots[:1] * 20, atol=1e-3)


def test_a_mark_does_not_jump_when_its_object_changes_a_little():
    """A shape whose deepest point wanders: without memory the mark would follow it."""
    placer = SteadyPlacer(MarkStyle())
    rng = np.random.default_rng(0)
    spots, restless = [], []
    for _ in range(25):
        x0, y0, x1, y1 = np.array([40, 40, 200, 120]) + rng.integers(-4, 5, 4)
        marks, regions, centers = scene({1: (x0, y0, x1, y1)})
        spots.append(placer.place(marks, regions, np.array([[120, 80]], np.float32), SIZE).anchors[0])
        restless.append(SteadyPlacer(MarkStyle()).place(marks, regions, centers, SIZE).anchors[0])
    assert np.ptp(spots, axis=0).max() <= 1
    assert np.ptp(restless, axis=0).max() > 3, "so there was something to resist"


def test_a_mark_moves_when_it_must():
    placer = SteadyPlacer(MarkStyle())
    placer.place(*scene({1: (20, 20, 220, 140)}), SIZE)
    marks, regions, _ = scene({1: (20, 20, 70, 140)})  # the right part is hidden now
    after = placer.place(marks, regions, np.array([[120, 80]], np.float32), SIZE)
    x, y = after.anchors[0]
    assert after.inside[0]
    assert 20 <= x < 70
    assert 20 <= y < 140


def test_each_mark_keeps_its_own_place_whatever_the_order():
    placer = SteadyPlacer(MarkStyle())
    boxes = {1: (10, 10, 90, 70), 2: (120, 20, 230, 70), 3: (30, 90, 200, 150)}
    first = dict(zip(boxes, placer.place(*scene(boxes), SIZE).anchors, strict=True))
    turned = {mark: boxes[mark] for mark in (3, 1, 2)}
    second = dict(zip(turned, placer.place(*scene(turned), SIZE).anchors, strict=True))
    for mark in boxes:
        np.testing.assert_array_equal(first[mark], second[mark])


def test_a_mark_that_was_away_starts_anew():
    placer = SteadyPlacer(MarkStyle())
    boxes = {1: (10, 10, 90, 70), 2: (120, 20, 230, 70)}
    placer.place(*scene(boxes), SIZE)
    placer.place(*scene({1: boxes[1]}), SIZE)
    moved = {1: boxes[1], 2: (10, 90, 120, 150)}
    placed = placer.place(*scene(moved), SIZE)
    fresh = SteadyPlacer(MarkStyle()).place(*scene(moved), SIZE)
    np.testing.assert_array_equal(placed.anchors[1], fresh.anchors[1])


def test_a_label_beside_its_object_stays_on_its_side():
    placer = SteadyPlacer(MarkStyle())
    offsets = []
    for i in range(15):
        placed = placer.place(*scene({1: (60 + 5 * i, 70 + i, 65 + 5 * i, 75 + i)}), SIZE)
        assert placed.leader[0]
        offsets.append(placed.offsets[0])
    np.testing.assert_allclose(offsets, offsets[:1] * 15, atol=1.01)


def test_nothing_to_place():
    placer = SteadyPlacer(MarkStyle())
    assert len(placer.place(*scene({}), SIZE)) == 0
    assert len(placer.place(*scene({1: (10, 10, 90, 70)}), SIZE)) == 1
