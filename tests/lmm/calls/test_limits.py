import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.errors import InputError, LimitError
from som_agent.lmm.calls.limits import Cost, Ledger, Limits, Usage
from som_agent.lmm.profiles import Price


@pytest.mark.parametrize("field", ["pictures", "tokens", "usd", "seconds"])
@pytest.mark.parametrize("value", [0, -1, math.nan, "12", True])
def test_limits_that_make_no_sense(field, value):
    with pytest.raises(InputError, match=field):
        Limits(**{field: value})


def test_no_limit_is_none():
    limits = Limits(seconds=None)
    assert (limits.pictures, limits.tokens, limits.usd, limits.seconds) == (None, None, None, None)
    assert Limits().seconds == 120


def test_usage_as_json():
    assert Usage(calls=2, usd=0.5).to_json() == {
        "calls": 2,
        "retries": 0,
        "cached": 0,
        "pictures": 0,
        "tokens_in": 0,
        "tokens_out": 0,
        "usd": 0.5,
        "seconds": 0.0,
    }


def test_a_limit_that_is_met_exactly_is_kept():
    price = Price(0.1, 0.1)
    ledger = Ledger("m", Limits(pictures=3, tokens=30, usd=price(30, 0)), price)
    for _ in range(3):
        cost = Cost(1, 5, 5)
        ledger.hold(cost)
        ledger.settle(cost, cost)
    assert ledger.spent == Cost(3, 15, 15)
    with pytest.raises(LimitError, match="nothing was sent"):
        ledger.hold(Cost(0, 1, 0))
    assert ledger.spent == Cost(3, 15, 15)


def test_a_refused_call_sets_nothing_aside():
    ledger = Ledger("m", Limits(tokens=10), None)
    with pytest.raises(LimitError):
        ledger.hold(Cost(0, 11, 0))
    ledger.hold(Cost(0, 10, 0))
    assert ledger.usd() is None


@given(
    limit=st.integers(1, 200),
    calls=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.booleans()), max_size=30),
)
def test_calls_that_cost_what_they_were_thought_to_cost_never_pass_a_limit(limit, calls):
    ledger = Ledger("m", Limits(tokens=limit), None)
    held = []
    for tokens_in, tokens_out, end in calls:
        cost = Cost(0, tokens_in, tokens_out)
        under_way = sum(c.tokens_in + c.tokens_out for c in held)
        spent = ledger.spent.tokens_in + ledger.spent.tokens_out
        if spent + under_way + tokens_in + tokens_out > limit:
            with pytest.raises(LimitError):
                ledger.hold(cost)
        else:
            ledger.hold(cost)
            held.append(cost)
        if end and held:
            done = held.pop(0)
            ledger.settle(done, done)
        assert ledger.spent.tokens_in + ledger.spent.tokens_out <= limit
