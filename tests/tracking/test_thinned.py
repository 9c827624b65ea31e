import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from som_agent.regions import Regions
from som_agent.tracking.thinned import thinned


@given(st.integers(0, 99_999), st.integers(1, 4))
def test_nothing_falls_between_the_pixels(seed, step):
    rng = np.random.default_rng(seed)
    h, w = rng.integers(step, 30, 2)
    labels = np.zeros((h, w), np.int32)
    for label in range(1, 5):  # a few single pixels, which mostly lie between those that are kept
        labels[rng.integers(0, h), rng.integers(0, w)] = label
    regions = Regions.from_labels(labels)
    small = thinned(regions, step)
    assert small.atoms.shape == (-(-h // step), -(-w // step))
    coarse = regions.atoms[::step, ::step]
    moved = small.atoms != coarse
    assert set(np.unique(small.atoms[moved])).isdisjoint(np.unique(coarse))  # only what was lost is put back
    for atom in np.unique(regions.atoms[regions.atoms > 0]):
        y, x = np.argwhere(regions.atoms == atom)[0] // step
        if not (coarse == atom).any() and not any(
            tuple(np.argwhere(regions.atoms == other)[0] // step) == (y, x)
            for other in np.unique(regions.atoms)
            if other > atom and not (coarse == other).any()
        ):
            assert small.atoms[y, x] == atom
