import numpy as np
import pytest

from som_kernels import _runs


@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, 34, 63, 64, 65, 66, 97, 200])
@pytest.mark.parametrize("begin", [0, 1, 40])
def test_run_ends(length, begin):
    for seed, n in enumerate([1, 2, 3, 100]):
        labels = np.random.default_rng(seed).integers(0, n, begin + length + 40, dtype=np.int32)
        row = labels[begin : begin + length]
        ends = np.full(length + 1, -7, np.int32)
        count = _runs.run_ends(labels, begin, begin + length, ends)
        assert ends[:count].tolist() == [*(np.flatnonzero(np.diff(row)) + 1), length]
        assert (ends[length:] == -7).all()


def test_run_ends_at_the_very_end_of_an_array():
    labels = np.repeat(np.arange(9, dtype=np.int32), 11)
    ends = np.empty(99, np.int32)
    assert ends[: _runs.run_ends(labels, 50, 99, ends)].tolist() == [5, 16, 27, 38, 49]


@pytest.mark.parametrize("length", [1, 31, 32, 33, 100])
def test_extremes(length):
    labels = np.random.default_rng(length).integers(-(2**31), 2**31, length, dtype=np.int32)
    assert _runs.extremes(labels) == (labels.min(), labels.max())
