import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from som_agent.regions import Regions
from som_agent.rle import decode
from som_kernels import encode_rle


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 10_000))
def test_what_was_encoded_is_read_back(h, w, seed):
    rng = np.random.default_rng(seed)
    masks = rng.random((3, h, w)) < rng.random((3, 1, 1))
    masks[:, rng.integers(h), rng.integers(w)] = True
    for rle, mask in zip(encode_rle(Regions.from_masks(masks).packed()), masks, strict=True):
        np.testing.assert_array_equal(decode(rle, (w, h)), mask)


def test_nothing_is_an_empty_mask():
    assert not decode("", (5, 3)).any()
    assert decode("", (5, 3)).shape == (3, 5)
    assert decode("", (5, 3)).dtype == bool
