import numpy as np
import pytest

from som_kernels.distance_transform import lanes


@pytest.mark.parametrize("length", [0, 1, 2, 15, 16, 17, 32, 33, 100])
@pytest.mark.parametrize("begin", [0, 1, 20])
def test_largest(length, begin):
    values = np.random.default_rng(length).integers(0, 65536, 150).astype(np.uint16)
    values[begin + length :], values[:begin] = 65535, 65535
    inside = values[begin : begin + length]
    assert lanes.largest(values, begin, begin + length) == (inside.max() if length else 0)
