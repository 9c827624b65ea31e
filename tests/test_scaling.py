import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from som_agent.regions import Regions
from som_agent.scaling import fit, resize_labels, resized


def test_smooth_where_it_grows():
    y, x = np.mgrid[:60, :80]
    small = ((x - 40) ** 2 + (y - 30) ** 2 < 400).astype(np.int32)
    large = resize_labels(small, (320, 240))
    y, x = np.mgrid[:240, :320]
    disc = (x + 0.5 - 162) ** 2 + (y + 0.5 - 122) ** 2 < (4 * 20) ** 2
    stairs = np.kron(small, np.ones((4, 4), np.int32)) > 0
    assert ((large > 0) ^ disc).sum() < 0.9 * (stairs ^ disc).sum()
    assert abs(int(large.sum()) - int(stairs.sum())) < 0.02 * stairs.sum()


@pytest.mark.parametrize("offset", [0, 300])  # values that fit into a byte, and that do not
def test_lines_of_one_pixel_survive(offset):
    small = np.full((40, 50), offset, np.int32)
    small[20, 5:45] = offset + 1
    small[5:15, 30] = offset + 2
    small[30, 30] = offset + 3
    large = resize_labels(small, (150, 120))
    for value, pixels in ((1, 40), (2, 10), (3, 1)):
        assert (large == offset + value).sum() == 9 * pixels


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 90), st.integers(1, 90), st.integers(0, 999))
def test_any_size(h, w, new_h, new_w, seed):
    small = np.random.default_rng(seed).integers(0, 400, (h, w)).astype(np.int32)
    before = small.copy()
    large = resize_labels(small, (new_w, new_h))
    assert large.shape == (new_h, new_w)
    assert large.dtype == np.int32
    assert np.isin(large, small).all()
    np.testing.assert_array_equal(small, before)


def test_the_same_size_is_the_same_map():
    small = np.arange(12, dtype=np.int32).reshape(3, 4)
    np.testing.assert_array_equal(resize_labels(small, (4, 3)), small)


@given(
    st.integers(1, 24),
    st.integers(1, 24),
    st.sampled_from([1.01, 1.3, 2.0, 2.7]),
    st.integers(1, 2),
    st.sampled_from([5, 300]),
    st.integers(0, 9999),
)
def test_no_region_vanishes_where_the_picture_grows(h, w, scale, cell, most, seed):
    """Squares of two pixels too, which a median of nine would eat whole."""
    small = np.random.default_rng(seed).integers(0, most, (h, w)).astype(np.int32)
    small = np.kron(small, np.ones((cell, cell), np.int32))
    size = (int(np.ceil(small.shape[1] * scale)), int(np.ceil(small.shape[0] * scale)))
    np.testing.assert_array_equal(np.unique(resize_labels(small, size)), np.unique(small))


@pytest.mark.parametrize(
    ("size", "expected"), [((640, 360), (480, 270)), ((200, 961), (100, 480)), ((5000, 2), (480, 1))]
)
def test_fit_shrinks_to_the_long_side(size, expected):
    image = np.full((size[1], size[0], 3), 77, np.uint8)
    small = fit(image, 480)
    assert small.shape == (expected[1], expected[0], 3)
    assert small.dtype == np.uint8
    assert (small == 77).all()


def test_fit_never_enlarges():
    image = np.zeros((30, 40, 3), np.uint8)
    assert fit(image, 480) is image
    assert fit(image, 40) is image


def test_resized_regions_keep_everything_but_the_pixels():
    masks = np.zeros((3, 20, 30), bool)
    masks[0, 2:18, 2:20] = True
    masks[1, 5:10, 5:10] = True
    masks[2, 0:20, 24:30] = True
    regions = Regions.from_masks(
        masks,
        scores=np.array([0.1, 0.2, 0.3], np.float32),
        levels=np.array([0, 1, 0], np.int32),
        parents=np.array([-1, 0, -1], np.int32),
        proposed=np.array([True, False, True]),
    )
    large = resized(regions, (90, 60))
    assert large.atoms.shape == (60, 90)
    for field in ("members", "scores", "levels", "parents", "proposed"):
        np.testing.assert_array_equal(getattr(large, field), getattr(regions, field))
    for i, mask in enumerate(masks):
        true = np.kron(mask, np.ones((3, 3), bool))
        assert (large.mask(i) ^ true).sum() <= 0.1 * true.sum()  # corners are rounded
    assert (large.mask(1) <= large.mask(0)).all(), "a part stays inside its whole"
