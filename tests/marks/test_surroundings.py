import numpy as np

from som_agent.marks.palette import choose_color, oklab
from som_agent.marks.surroundings import surroundings
from som_agent.regions import Regions

RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 180, 60), (40, 60, 210), (120, 120, 120)


def scene():
    """Red beside green, blue apart from them on grey."""
    labels = np.zeros((40, 60), np.int32)
    labels[5:25, 5:20] = 1
    labels[5:25, 20:30] = 2
    labels[30:38, 45:55] = 3
    image = np.array([GREY, RED, GREEN, BLUE], np.uint8)[labels]
    return image, Regions.from_labels(labels)


def test_colours_and_neighbours_of_a_scene():
    image, regions = scene()
    red, blue = surroundings(image, regions, [0, 2])
    assert red.ground[0] == RED
    assert set(red.ground[1:]) == {GREY, GREEN}
    assert red.neighbours == [1]
    assert blue.ground == [BLUE, GREY]
    assert blue.neighbours == []
    assert surroundings(image, regions, []) == []


def test_overlapping_regions_are_neighbours():
    masks = np.zeros((3, 20, 20), bool)
    masks[0, 2:18, 2:18] = True
    masks[1, 6:10, 6:10] = True  # on the first
    masks[2, :, 19] = True
    image = np.full((20, 20, 3), 50, np.uint8)
    image[masks[1]] = 250
    whole, part, edge = surroundings(image, Regions.from_masks(masks), [0, 1, 2])
    assert whole.neighbours == [1]
    assert part.neighbours == [0]
    assert edge.neighbours == []
    assert part.ground == [(250, 250, 250), (50, 50, 50)]
    assert whole.ground[0] == (62, 62, 62), "the mean of all its pixels"
    twins = Regions.from_masks(np.ones((2, 20, 20), bool))
    assert surroundings(image, twins, [1])[0].neighbours == [0]


def test_a_picture_without_ground():
    labels = np.repeat([[1, 2]], 4, axis=0).repeat(3, axis=1)
    regions = Regions.from_labels(labels)
    image = np.array([GREY, RED, GREEN], np.uint8)[labels]
    first, second = surroundings(image, regions, [0, 1])
    assert first.ground == [RED, GREEN]
    assert second.ground == [GREEN, RED]


def test_the_colour_stands_out_from_what_was_found():
    image, regions = scene()
    (red,) = surroundings(image, regions, [0])
    color = choose_color(1, red.ground)
    away = np.linalg.norm(oklab(red.ground) - oklab(color), axis=1)
    assert away.min() >= 0.18
