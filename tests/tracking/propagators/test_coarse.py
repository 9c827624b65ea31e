"""Half-size shares of objects, brought to full size and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.tracking.propagators.flow.coarse import pooled, refined


def halved(image):
    h, w = (-(-side // 2) for side in image.shape[:2])
    even = np.pad(image, ((0, 2 * h - image.shape[0]), (0, 2 * w - image.shape[1]), (0, 0)), "edge")
    return even.reshape(h, 2, w, 2, 3).mean(axis=(1, 3)).astype(np.uint8)


@given(st.integers(0, 99_999), st.floats(0, 1, width=32))
def test_what_is_the_same_everywhere_stays_so(seed, share):
    rng = np.random.default_rng(seed)
    h, w = rng.integers(4, 20, 2)
    fine = rng.integers(0, 256, (h, w, 3), np.uint8)
    m, n = -(-h // 2), -(-w // 2)
    y, x = rng.integers(0, m), rng.integers(0, n)
    soft = np.full((m - y, n - x), share, np.float32)
    full = refined(soft, (int(x), int(y)), fine, halved(fine))
    assert full.shape == (h - 2 * y, w - 2 * x)
    np.testing.assert_allclose(full, share, atol=1e-6)
    np.testing.assert_allclose(pooled(full, *soft.shape), share, atol=1e-6)


@given(st.integers(0, 99_999))
def test_shares_stay_between_those_around_and_pool_to_means(seed):
    rng = np.random.default_rng(seed)
    fine = rng.integers(0, 256, (11, 9, 3), np.uint8)
    soft = rng.random((6, 5)).astype(np.float32)
    full = refined(soft, (0, 0), fine, halved(fine))
    wide = np.pad(soft, 1, "edge")
    for y in range(11):
        for x in range(9):
            near = wide[y // 2 : y // 2 + 3, x // 2 : x // 2 + 3]
            assert near.min() - 1e-6 <= full[y, x] <= near.max() + 1e-6
    small = pooled(full, 6, 5)
    np.testing.assert_allclose(small[:5, :4], full[:10, :8].reshape(5, 2, 4, 2).mean(axis=(1, 3)), atol=1e-6)
    np.testing.assert_allclose(small[5, :4], full[10, :8].reshape(4, 2).mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("edge", [9, 10])
def test_an_edge_follows_the_colours_to_the_pixel(edge):
    fine = np.full((12, 20, 3), 60, np.uint8)
    fine[:, edge:] = 180
    truth = (np.arange(20) >= edge).astype(np.float32)[None].repeat(12, 0)
    soft = pooled(truth, 6, 10)  # where the edge runs through a coarse pixel, a half
    found = refined(soft, (0, 0), fine, halved(fine)) > 0.5
    inside = (truth > 0.5) == found
    assert inside[:, [*range(edge - 1), *range(edge + 1, 20)]].all()
    assert inside.mean() > 0.94
