"""Of two that look alike, which one a piece is, when only one of them was found."""

import numpy as np
import pytest

from som_agent.regions import Regions
from som_agent.tracking.features import Features
from som_agent.tracking.lives import Track
from som_agent.tracking.recognition import claimed
from som_agent.tracking.shapes import shape_of

RED, BLUE = (200, 40, 40), (40, 60, 200)


def regions_of(*boxes):
    labels = np.zeros((40, 80), np.int32)
    for k, (x0, y0, x1, y1) in enumerate(boxes, 1):
        labels[y0:y1, x0:x1] = k
    return Regions.from_labels(labels)


def track(number, box, color, velocity=(0.0, 0.0)):
    """A track that was seen whole at time 0."""
    regions = regions_of(box)
    image = np.zeros((40, 80, 3), np.uint8)
    image[regions.atoms > 0] = color
    members = regions.members[0]
    center = np.array([(box[0] + box[2] - 1) / 2, (box[1] + box[3] - 1) / 2], np.float32)
    made = Track(number, 0.0, confirmed=True)
    made.look(Features.measure(image, regions).looks(members[None])[0], float(regions.areas[0]))
    made.see(center, 0.0)
    made.outline = made.seen = shape_of(regions, members, center)
    made.velocity, made.motion_error = np.array(velocity, np.float32), 0.5
    return made


@pytest.mark.parametrize(("color", "taken"), [(RED, True), (BLUE, False)])
def test_an_alike_one_that_is_expected_there_has_it(color, taken):
    front, behind = track(1, (30, 10, 50, 30), RED), track(2, (44, 10, 64, 30), color)
    # The one in front has moved on by itself; what comes out on the right was behind it.
    now = regions_of((26, 10, 46, 30), (46, 10, 64, 30))
    front.velocity = np.array([-100.0, 0.0], np.float32)
    result = claimed(front, [behind], now, 0.04)
    assert result.tolist() == [False, False, taken]


def test_where_both_fit_it_stays_with_the_one_that_was_found():
    front, behind = track(1, (30, 10, 50, 30), RED), track(2, (30, 10, 50, 30), RED)
    now = regions_of((30, 10, 40, 30), (40, 10, 50, 30))
    assert not claimed(front, [behind], now, 0.04).any()


def test_one_that_moves_is_expected_where_it_moved():
    found, hidden = track(1, (60, 10, 70, 30), RED), track(2, (0, 10, 20, 30), RED, velocity=(200.0, 0.0))
    now = regions_of((60, 10, 70, 30), (20, 10, 40, 30))
    assert claimed(found, [hidden], now, 0.1).tolist() == [False, False, True]
    assert not claimed(found, [hidden], now, 0.0).any()


def test_nobody():
    now, one = regions_of((0, 0, 5, 5)), track(1, (0, 0, 5, 5), RED)
    assert claimed(one, [], now, 0.0).tolist() == [False, False]
