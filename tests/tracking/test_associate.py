import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from som_agent.regions import Regions
from som_agent.tracking.associate import atom_overlap, best_pairs, disentangle, iou_matrix, snap


@st.composite
def mask_pairs(draw):
    """Two stacks of masks of one size, either may have none."""
    h, w = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    stacks = []
    for _ in range(2):
        masks = np.zeros((draw(st.integers(0, 6)), h, w), bool)
        for i in range(len(masks)):
            y0, x0 = rng.integers(0, h), rng.integers(0, w)
            masks[i, y0 : y0 + rng.integers(1, h + 1), x0 : x0 + rng.integers(1, w + 1)] = True
        stacks.append(masks)
    return stacks


def pixel_masks(members, regions):
    return members[:, regions.atoms]


@given(mask_pairs())
def test_iou_matrix_counts_the_pixels_of_nested_and_overlapping_masks(pair):
    past, present = (Regions.from_masks(masks) for masks in pair)
    iou = iou_matrix(atom_overlap(past, present), past.areas, present.members, present.atom_areas)
    assert iou.shape == (len(past), len(present))
    for i, a in enumerate(pair[0]):
        for j, b in enumerate(pair[1]):
            assert iou[i, j] == pytest.approx((a & b).sum() / (a | b).sum())


@given(mask_pairs())
def test_atom_overlap_is_the_table_of_shared_pixels(pair):
    past, present = (Regions.from_masks(masks) for masks in pair)
    shared = atom_overlap(past, present)
    assert shared.shape == (len(past), present.members.shape[1])
    for i, mask in enumerate(pair[0]):
        for k in range(present.members.shape[1]):
            assert shared[i, k] == (mask & (present.atoms == k)).sum()


@given(mask_pairs())
def test_snapped_masks_are_one_piece_of_atoms_mostly_inside(pair):
    past, present = (Regions.from_masks(masks) for masks in pair)
    shared = atom_overlap(past, present)
    snapped = snap(shared, present)
    assert snapped.shape == shared.shape
    assert not snapped[:, 0].any(), "the ground belongs to nothing"
    inside = shared > 0.5 * present.atom_areas
    inside[:, 0] = False
    assert (snapped <= inside).all()
    # Atoms may be in pieces themselves, so connection is asked of the atoms, not of the pixels.
    for row, allowed, share in zip(snapped, inside, shared, strict=True):
        assert row.any() == allowed.any()
        if not row.any():
            continue
        assert share[row].max() == share[allowed].max(), "it holds the atom that shares most"
        reached = {int(np.flatnonzero(row)[0])}
        while True:
            region = np.isin(present.atoms, list(reached))
            grown = reached | (
                set(np.unique(present.atoms[scipy.ndimage.binary_dilation(region)]))
                & set(np.flatnonzero(row))
            )
            if grown == reached:
                break
            reached = grown
        assert reached == set(np.flatnonzero(row))


def test_a_torn_mask_keeps_its_larger_piece():
    atoms = np.zeros((10, 20), np.int32)
    atoms[2:8, 1:9], atoms[2:8, 13:18], atoms[0] = 1, 2, 3
    present = Regions.from_labels(atoms)
    past = Regions.from_masks((atoms > 0)[None] & (atoms < 3)[None])
    snapped = pixel_masks(snap(atom_overlap(past, present), present), present)
    np.testing.assert_array_equal(snapped[0], atoms == 1)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 9999), st.sampled_from([0.1, 0.35, 0.8]))
def test_best_pairs_are_one_to_one_and_no_worse_than_greedy(n, m, seed, least):
    score = np.random.default_rng(seed).random((n, m))
    pairs = best_pairs(score, least)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(score[i, j] >= least for i, j in pairs)
    greedy, rows, columns = 0.0, set(), set()
    for flat in np.argsort(-score, axis=None):
        i, j = divmod(int(flat), m)
        if score[i, j] >= least and i not in rows and j not in columns:
            greedy += score[i, j]
            rows.add(i)
            columns.add(j)
    assert sum(score[i, j] for i, j in pairs) >= greedy - 1e-9


def test_a_hopeless_pair_does_not_displace_a_possible_one():
    # Alone, 0.3 + 0.6 beats 0.5; but 0.3 is no match, and 0.6 is taken.
    assert best_pairs(np.array([[0.5, 0.6], [0.1, 0.3]]), 0.35) == [(0, 1)]


@given(mask_pairs())
def test_disentangled_masks_share_only_what_they_shared_before(pair):
    n = min(len(masks) for masks in pair)
    past, present = (Regions.from_masks(masks[:n]) for masks in pair)
    shared = atom_overlap(past, present)
    parted = disentangle(present.members, past.members, shared)
    assert (parted <= present.members).all(), "it only takes away"
    np.testing.assert_array_equal(
        parted.any(axis=0), present.members.any(axis=0), "every atom keeps an owner"
    )
    overlapped = (past.members[:, None] & past.members[None]).any(axis=2)
    for k in range(parted.shape[1]):
        owners = np.flatnonzero(parted[:, k])
        best = max(np.flatnonzero(present.members[:, k]), key=lambda i: shared[i, k], default=None)
        if len(owners) > 1:
            # Whoever still shares an atom overlapped before with the one it most likely came from.
            assert any(shared[o, k] == shared[best, k] and overlapped[o, owners].all() for o in owners)


def test_an_atom_goes_where_it_came_from():
    before = np.zeros((6, 12), np.int32)
    before[:, :6], before[:, 6:] = 1, 2
    past = Regions.from_labels(before)
    now = np.zeros((2, 6, 12), bool)
    now[0, :, :6] = True
    now[1, :, 5:] = True  # the right one leaks one column into the left one
    present = Regions.from_masks(now)
    parted = pixel_masks(disentangle(present.members, past.members, atom_overlap(past, present)), present)
    np.testing.assert_array_equal(parted[0], before == 1)
    np.testing.assert_array_equal(parted[1], before == 2)
