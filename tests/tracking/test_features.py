import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.appearance import surface_colors
from som_agent.regions import Regions
from som_agent.tracking.features import Features, likeness


@given(st.integers(0, 9999), st.integers(1, 9), st.integers(1, 9), st.integers(0, 5))
def test_sets_of_atoms_have_the_colour_and_centre_of_their_pixels(seed, h, w, n):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
    masks = rng.random((n, h, w)) < 0.5
    masks[:, rng.integers(h), rng.integers(w)] = True
    regions = Regions.from_masks(masks)
    features = Features.measure(image, regions)
    looks, centers = features.looks(regions.members), features.centers(regions.members)
    assert len(looks) == n
    assert centers.shape == (n, 2)
    for i, mask in enumerate(masks):
        y, x = np.nonzero(mask)
        alone = Features.measure(image, Regions.from_masks(mask[None]))
        np.testing.assert_allclose(looks[i], alone.looks(np.array([[False, True]]))[0], atol=1e-5)
        np.testing.assert_allclose(looks[i].sum(), 2, atol=1e-4)  # two histograms, each of sum 1
        np.testing.assert_allclose(centers[i], [x.mean(), y.mean()], atol=1e-3)
    np.testing.assert_array_equal(features.area(regions.members), regions.areas)


def test_likeness():
    image = np.zeros((20, 60, 3), np.uint8)
    colors = [(200, 40, 40), (170, 34, 34), (60, 60, 200), (60, 160, 60)]
    labels = np.zeros((20, 60), np.int32)
    for k, color in enumerate(colors):
        labels[:, 15 * k : 15 * k + 15] = k + 1
        image[:, 15 * k : 15 * k + 15] = color
    regions = Regions.from_labels(labels)
    looks = Features.measure(image, regions).looks(regions.members)
    like = likeness(looks, looks)
    np.testing.assert_allclose(np.diag(like), 1, atol=1e-5)
    np.testing.assert_allclose(like, like.T, atol=1e-6)
    assert like[0, 1] > 0.5, "a surface in the shade"
    assert like[0, 2:].max() < 0.05, "other hues"
    assert likeness(looks[:0], looks).shape == (0, 4)


def test_stripes_look_otherwise_than_a_plain_thing_of_their_mean_colour():
    y = np.arange(40)[:, None] // 4 % 2 * 60 + np.zeros((1, 40), int)
    striped = np.repeat((100 + y)[..., None], 3, axis=2).astype(np.uint8)
    plain = np.full((40, 40, 3), 130, np.uint8)
    one = Regions.from_labels(np.ones((40, 40), np.int32))
    a, b, c = (Features.measure(i, one).whole() for i in (striped, plain, np.rot90(striped)))
    assert likeness(a, b)[0, 0] < 0.8
    assert likeness(a, c)[0, 0] < likeness(a, a)[0, 0] - 0.1, "texture has a direction"


@pytest.mark.parametrize("color", [(200, 40, 40), (40, 80, 215), (235, 205, 40), (150, 150, 150)])
def test_shading_moves_a_colour_less_than_another_hue_does(color):
    lit = np.array(color, float)
    shades = np.array([[lit, lit * 0.6, np.roll(lit, 1) if len(set(color)) > 1 else (60, 160, 60)]])
    a, b, c = surface_colors(shades.astype(np.uint8))[0]
    assert np.linalg.norm(a - b) < 0.5 * np.linalg.norm(a - c)
