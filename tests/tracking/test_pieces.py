import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from som_agent.regions import Regions
from som_agent.tracking.features import Features
from som_agent.tracking.pieces import divided, inside_wholes, unexplained


@given(st.integers(0, 99999), st.integers(0, 3))
def test_dividing_changes_no_region(seed, count):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 4, (3, 4)).repeat(5, 0).repeat(5, 1)
    regions = Regions.from_labels(
        coarse, levels=np.arange(len(np.unique(coarse[coarse > 0])), dtype=np.int32)
    )
    masks = np.zeros((count, 15, 20), bool)
    for mask in masks:
        y, x, h, w = rng.integers(0, 12, 4)
        mask[y : y + h + 1, x : x + w + 1] = True
    result = divided(regions, Regions.from_masks(masks))
    assert len(result) == len(regions)
    for k in range(len(regions)):
        np.testing.assert_array_equal(result.mask(k), regions.mask(k))
    assert not result.members[:, 0].any()
    assert result.atoms.max() < result.members.shape[1]
    np.testing.assert_array_equal(result.atoms == 0, regions.atoms == 0)


def test_a_part_has_atoms_of_its_own_unless_an_edge_is_near():
    labels = np.zeros((10, 40), np.int32)
    labels[:, :20], labels[:, 20:] = 1, 2
    regions = Regions.from_labels(labels)
    part = np.zeros((1, 10, 40), bool)
    part[:, 2:8, 5:15] = True
    result = divided(regions, Regions.from_masks(part))
    inside = np.unique(result.atoms[part[0]])
    assert len(inside) == 1
    np.testing.assert_array_equal(result.atoms == inside[0], part[0])
    part[:] = False
    part[:, :, :19] = True  # nearly the whole of the left: its edge is the part's
    np.testing.assert_array_equal(divided(regions, Regions.from_masks(part)).atoms, regions.atoms)


def test_parts_keep_to_their_wholes():
    labels = np.arange(1, 7).reshape(1, 6).repeat(4, 1)
    regions = Regions.from_labels(labels)
    features = Features.measure(np.zeros((1, 24, 3), np.uint8), regions)
    masks = np.zeros((4, 7), bool)
    masks[0, 1:5] = True  # the whole
    masks[1, 3:6] = True  # a third of it lies beside
    masks[2, 4:7] = True  # two thirds of it do
    masks[3, 5:7] = True  # of another whole, which is not seen
    kept = inside_wholes(masks, [-1, 0, 0, -1], features)
    assert np.flatnonzero(kept[1]).tolist() == [3, 4]
    np.testing.assert_array_equal(kept[[0, 2, 3]], masks[[0, 2, 3]])
    np.testing.assert_array_equal(inside_wholes(masks[:0], [], features), masks[:0])


def test_parts_do_not_explain_their_whole():
    """A whole that was lost is found again although its parts never were."""
    regions = Regions.from_labels(np.array([[1] * 8 + [2] * 8]))
    thirds = np.zeros((3, 1, 16), bool)
    for k, span in enumerate(((0, 3), (3, 6), (6, 8))):
        thirds[k, :, slice(*span)] = True
    regions = divided(regions, Regions.from_masks(thirds))
    members = [np.isin(np.arange(regions.members.shape[1]), regions.atoms[third]) for third in thirds]
    assert unexplained(regions, members, [True] * 3) == [0, 1]
    assert unexplained(regions, members, [False] * 3) == [1]
    assert unexplained(regions, [regions.members[0]], [True]) == [1], "but a part of just these pixels does"
