import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.errors import InputError
from som_agent.marks.rank import groups, rank, weights

SHARE = st.floats(0, 1)


def order(areas, speeds=None, ages=None, question=None):
    n = len(areas)
    zeros = np.zeros(n)
    return rank(
        range(1, n + 1),
        areas,
        zeros if speeds is None else speeds,
        np.full(n, 60.0) if ages is None else ages,
        zeros if question is None else question,
    )


def test_each_measure_counts_alone():
    assert order([0.01, 0.2, 0.05]) == [2, 3, 1]
    assert order([0.1] * 3, speeds=[0, 0.02, 0.5]) == [3, 2, 1]
    assert order([0.1] * 3, ages=[9, 0.5, 3]) == [2, 3, 1]
    assert order([0.1] * 3, question=[0, 0.5, 0.2]) == [2, 3, 1]
    assert order([0.1] * 3) == [1, 2, 3], "of equals the lower number"


def test_the_documented_formula():
    got = weights([0.25, 0, 1], [0.1, 0, np.inf], [0, 2, np.inf])
    assert got == pytest.approx([0.5 + 0.25 + 0.3, 0.3 / np.e, 1.5])
    assert weights([0.1], [np.nan], [5]) == weights([0.1], [0], [5])


def test_speed_saturates():
    one, two, three = weights([0] * 3, [0.1, 1, 10], [99] * 3)
    assert two - one > 4 * (three - two) > 0


@given(st.lists(st.tuples(SHARE, st.floats(0, 5), st.floats(0, 100), SHARE | st.just(1.0)), max_size=20))
def test_a_ranking_is_a_permutation_with_the_named_in_front(rows):
    columns = np.array(rows, float).reshape(-1, 4).T
    marks = list(range(5, 5 + len(rows)))
    got = rank(marks, *columns)
    assert sorted(got) == marks
    named = [columns[3][mark - 5] >= 1 for mark in got]
    assert named == sorted(named, reverse=True)
    shuffled = np.random.default_rng(1).permutation(len(rows))
    assert got == rank([marks[i] for i in shuffled], *columns[:, shuffled]), "whatever the order they come in"


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=30), st.integers(1, 9), st.randoms()
)
def test_every_mark_is_in_one_group(points, k, random):
    marks = list(range(1, len(points) + 1))
    random.shuffle(marks)
    got = groups(marks, points, k)
    assert sorted(mark for group in got for mark in group) == sorted(marks)
    assert len(got) == -(-len(marks) // k)
    sizes = [len(group) for group in got]
    assert max(sizes, default=0) <= k
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    for group in got:
        assert [marks.index(mark) for mark in group] == sorted(marks.index(mark) for mark in group)
    assert got == groups(marks, points, k)


def test_neighbours_go_to_different_pictures():
    pairs = [(x, y) for x in (10, 90) for y in (10, 90)]
    points = [p for x, y in pairs for p in ((x, y), (x + 3, y))]
    first, second = groups(range(1, 9), points, 4)
    for one in (1, 3, 5, 7):
        assert (one in first) != (one + 1 in first)
        assert (one in second) != (one + 1 in second)


def test_what_fits_stays_together():
    assert groups([3, 1, 2], np.zeros((3, 2)), 3) == [[3, 1, 2]]
    assert groups([], [], 3) == []
    with pytest.raises(InputError, match="at least 1 mark, got 0"):
        groups([1], [(0, 0)], 0)
