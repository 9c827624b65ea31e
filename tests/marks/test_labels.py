import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.errors import InputError
from som_agent.marks import label_of
from som_agent.marks.labels import child_label


def test_numbers_and_letters():
    assert [label_of(n) for n in (1, 9, 10, 120)] == ["1", "9", "10", "120"]
    assert [label_of(n, "letters") for n in (1, 2, 26, 27, 52, 53, 702, 703)] == [
        *("A", "B", "Z", "AA", "AZ", "BA", "ZZ", "AAA"),
    ]


@given(st.integers(1, 10**6), st.sampled_from(["numbers", "letters"]))
def test_every_number_has_a_label_of_its_own(number, scheme):
    label = label_of(number, scheme)
    digits, zero = ("0123456789", 0) if scheme == "numbers" else ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1)
    value = 0
    for digit in label:
        value = value * len(digits) + digits.index(digit) + zero
    assert value == number


def test_unknown_scheme_names_the_known_ones():
    with pytest.raises(InputError, match=r"'roman'.*numbers, letters"):
        label_of(1, "roman")


def test_marks_count_from_one():
    with pytest.raises(InputError, match="from 1, got 0"):
        label_of(0)


def test_parts():
    assert [child_label("3", k) for k in (1, 2, 26, 27)] == ["3a", "3b", "3z", "3aa"]
    assert [child_label("C", k) for k in (1, 2, 12)] == ["C1", "C2", "C12"]
    assert [child_label(label, 1) for label in ("3a", "3a1", "C1", "C1a")] == ["3a1", "3a1a", "C1a", "C1a1"]
    with pytest.raises(InputError, match="from 1, got 0"):
        child_label("3", 0)


paths = st.lists(st.integers(1, 800), min_size=1, max_size=5)


@given(paths, paths, st.sampled_from(["numbers", "letters"]))
def test_no_two_marks_have_one_label(one, other, scheme):
    labels = []
    for number, *parts in (one, other):
        label = label_of(number, scheme)
        for k in parts:
            label = child_label(label, k)
        labels.append(label)
    assert (labels[0].casefold() == labels[1].casefold()) == (one == other)
