import numpy as np

from som_agent.marks import color_of
from som_agent.marks.palette import oklab


def _distances(numbers):
    lab = oklab([color_of(n) for n in numbers])
    return np.linalg.norm(lab[:, None] - lab[None], axis=-1)


def test_oklab_of_known_colours():
    # Values from the publication of OKLab, for white and the primaries of sRGB.
    known = {
        (255, 255, 255): (1, 0, 0),
        (255, 0, 0): (0.62796, 0.22486, 0.12585),
        (0, 255, 0): (0.86644, -0.23389, 0.17950),
        (0, 0, 255): (0.45201, -0.03246, -0.31153),
    }
    np.testing.assert_allclose(oklab(list(known)), list(known.values()), atol=2e-4)


def test_colours_are_fixed():
    assert [color_of(n) for n in (1, 2, 3)] == [color_of(n) for n in (1, 2, 3)]
    red, green, blue = color_of(1)
    assert red > 200
    assert max(green, blue) < 90  # the first is red on every machine


def test_neighbours_in_number_are_far_apart():
    distance = _distances(range(1, 302))  # goes round the end of the list
    for step in range(1, 4):
        assert np.diagonal(distance, step).min() > 0.06, step
        assert np.diagonal(distance[:50, :50], step).min() > 0.1, step
    few = _distances(range(1, 9))
    assert few[np.triu_indices(8, 1)].min() > 0.15


def test_the_first_hundred_are_all_different():
    assert len({color_of(n) for n in range(1, 101)}) == 100


def test_colours_are_strong_and_light_enough_for_black_text():
    lab = oklab([color_of(n) for n in range(1, 201)])
    assert np.hypot(lab[:, 1], lab[:, 2]).min() > 0.1
    assert lab[:, 0].min() > 0.58


def test_numbers_never_run_out():
    color = color_of(10**9)
    assert all(0 <= value <= 255 for value in color)
