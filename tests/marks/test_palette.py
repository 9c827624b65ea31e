import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from som_agent.marks import color_of
from som_agent.marks.palette import choose_color, oklab


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


def _away(color, others):
    return np.linalg.norm(oklab(np.array(others, float).reshape(-1, 3)) - oklab(color), axis=1)


def test_without_context_a_colour_is_that_of_its_number():
    for number in (1, 2, 17, 150, 1000):
        assert choose_color(number) == color_of(number)
    grey = [(128, 128, 128)]
    kept = [choose_color(number, grey) == color_of(number) for number in range(1, 41)]
    assert np.mean(kept) > 0.5, "the list is left only where it must be"


RGB = st.tuples(*[st.integers(0, 255)] * 3)
NUMBER = st.integers(1, 300)


@given(NUMBER, st.lists(RGB, max_size=3), st.lists(NUMBER, max_size=4), st.lists(NUMBER, max_size=9))
def test_a_chosen_colour_stands_out_wherever_one_can(number, ground, beside, before):
    neighbours, used = [color_of(k) for k in beside], [color_of(k) for k in before]
    color = choose_color(number, ground, neighbours, used)
    assert color == choose_color(number, ground, neighbours, used)

    table = sorted({color_of(k) for k in range(1, 301)})
    assert color in table, "strong and light as all are"
    others = oklab(np.array([*ground, *neighbours, *used], float).reshape(-1, 3))
    away = np.linalg.norm(oklab(table)[:, None] - others, axis=-1)
    enough = np.repeat([0.18 - 1e-4, 0.1 - 1e-4], [len(ground) + len(neighbours), len(used)])
    if (away >= enough).all(axis=1).any():
        assert _away(color, [*ground, *neighbours]).min(initial=1) >= 0.18 - 1e-4
        assert color not in used


def test_random_scenes_find_a_colour():
    rng = np.random.default_rng(4)
    for number in range(1, 60):
        ground = [tuple(int(v) for v in rng.integers(0, 256, 3)) for _ in range(2)]
        neighbours = [color_of(int(k)) for k in rng.integers(1, 200, 3)]
        color = choose_color(number, ground, neighbours)
        assert _away(color, [*ground, *neighbours]).min() >= 0.15


def test_colours_used_long_ago_come_again():
    used = [color_of(k) for k in range(1, 200)]
    assert choose_color(200, used=used) not in used[-24:]
    fresh = []
    for number in range(1, 60):
        fresh.append(choose_color(number, [(120, 90, 60)], used=fresh))
    for i, color in enumerate(fresh):
        assert color not in fresh[max(0, i - 24) : i]
