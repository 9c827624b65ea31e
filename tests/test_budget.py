"""The controller of quality, on made-up machines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.budget import Budget
from som_agent.errors import InputError


def run(budget, costs, steps, noise=0.0):
    """Levels over the steps on a machine on which level k costs `costs[k]` ms."""
    rng = np.random.default_rng(0)
    levels = []
    for _ in range(steps):
        levels.append(budget.level)
        budget.update(costs[budget.level] * (1 + noise * rng.standard_normal()))
    return levels


def test_full_quality_stays_where_it_fits():
    assert set(run(Budget(100, 4), [80, 50, 30, 20], 500, noise=0.1)) == {0}


def test_it_steps_down_one_by_one_until_it_fits():
    levels = run(Budget(100, 4), [300, 180, 80, 40], 40)
    assert levels == sorted(levels)
    assert set(levels) == {0, 1, 2}
    assert levels.index(2) < 25


def test_the_last_level_is_the_last():
    assert run(Budget(10, 3), [300, 180, 80], 100)[-1] == 2


def test_it_comes_back_when_there_is_room():
    budget = Budget(100, 4)
    assert run(budget, [300, 180, 80, 40], 40)[-1] == 2
    levels = run(budget, [30, 20, 10, 5], 200)
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] == 0


def test_one_slow_step_is_no_reason():
    budget = Budget(100, 4)
    run(budget, [50] * 4, 20)
    assert budget.update(200) == 0
    assert run(budget, [50] * 4, 20)[-1] == 0


def test_what_fails_is_tried_less_and_less_often():
    levels = run(Budget(100, 2), [150, 20], 4000, noise=0.05)
    tries = [i for i in range(1, len(levels)) if levels[i] == 0 and levels[i - 1] == 1]
    assert 3 <= len(tries) <= 12
    gaps = np.diff(tries)
    assert (gaps[1:] > 1.5 * gaps[:-1]).all()
    assert levels.count(0) < 0.05 * len(levels)


@given(st.lists(st.floats(0, 1e5), max_size=300), st.integers(1, 5), st.floats(0.1, 1e4))
def test_levels_are_levels(steps_ms, levels, budget_ms):
    budget = Budget(budget_ms, levels)
    before = 0
    for step_ms in steps_ms:
        now = budget.update(step_ms)
        assert 0 <= now < levels
        assert abs(now - before) <= 1
        assert now == budget.level
        before = now


@pytest.mark.parametrize("budget_ms", [0, -3, float("nan")])
def test_budgets_that_make_no_sense(budget_ms):
    with pytest.raises(InputError, match="makes no sense"):
        Budget(budget_ms, 2)
