import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.errors import InputError
from som_agent.marks import label_of, number_of


def test_numbers_and_letters():
    assert [label_of(n) for n in (1, 9, 10, 120)] == ["1", "9", "10", "120"]
    assert [label_of(n, "letters") for n in (1, 2, 26, 27, 52, 53, 702, 703)] == [
        *("A", "B", "Z", "AA", "AZ", "BA", "ZZ", "AAA"),
    ]


@given(st.integers(1, 10**6), st.sampled_from(["numbers", "letters"]))
def test_round_trip(number, scheme):
    assert number_of(label_of(number, scheme)) == number
    assert number_of(f" {label_of(number, scheme).lower()} ") == number


def test_unknown_scheme_names_the_known_ones():
    with pytest.raises(InputError, match=r"'roman'.*numbers, letters"):
        label_of(1, "roman")


@pytest.mark.parametrize("label", ["", "0", "-3", "3a", "é", "1.5", "²"])
def test_what_is_no_label(label):
    with pytest.raises(InputError, match="not the label of a mark"):
        number_of(label)


def test_marks_count_from_one():
    with pytest.raises(InputError, match="from 1, got 0"):
        label_of(0)
