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
    colors, centers = features.colors(regions.members), features.centers(regions.members)
    assert colors.shape == (n, 3)
    assert centers.shape == (n, 2)
    surface = surface_colors(image)
    for i, mask in enumerate(masks):
        y, x = np.nonzero(mask)
        np.testing.assert_allclose(colors[i], surface[mask].mean(axis=0), atol=1e-2)
        np.testing.assert_allclose(centers[i], [x.mean(), y.mean()], atol=1e-3)
    np.testing.assert_array_equal(features.area(regions.members), regions.areas)


def test_likeness():
    image = np.array([[(200, 40, 40), (140, 28, 28), (60, 60, 200), (60, 160, 60)]], np.uint8)
    surface = surface_colors(image)[0]
    like = likeness(surface, surface)
    np.testing.assert_allclose(np.diag(like), 1)
    np.testing.assert_allclose(like, like.T)
    assert like[0, 1] > 0.5, "a surface in the shade"
    assert like[0, 2:].max() < 0.05, "other hues"
    assert likeness(surface[:0], surface).shape == (0, 4)


@pytest.mark.parametrize("color", [(200, 40, 40), (40, 80, 215), (235, 205, 40), (150, 150, 150)])
def test_shading_moves_a_colour_less_than_another_hue_does(color):
    lit = np.array(color, float)
    shades = np.array([[lit, lit * 0.6, np.roll(lit, 1) if len(set(color)) > 1 else (60, 160, 60)]])
    a, b, c = surface_colors(shades.astype(np.uint8))[0]
    assert np.linalg.norm(a - b) < 0.5 * np.linalg.norm(a - c)
