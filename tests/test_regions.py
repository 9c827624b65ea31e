import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from som_agent.regions import Regions


@st.composite
def mask_stacks(draw, most=40):
    """`[N, h, w] bool`, none empty; overlapping, nested and equal ones among them."""
    h, w = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    n = draw(st.integers(0, most))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    masks = np.zeros((n, h, w), bool)
    for mask in masks:
        y0, x0 = rng.integers(0, h), rng.integers(0, w)
        mask[y0 : rng.integers(y0, h) + 1, x0 : rng.integers(x0, w) + 1] = True
        mask[rng.random((h, w)) > rng.choice([0.6, 1.0])] = False
        mask[y0, x0] = True
    if n > 2 and draw(st.booleans()):
        masks[1] = masks[0]
        masks[2] = True
    return masks


def box_of(mask):
    y, x = np.nonzero(mask)
    return [x.min(), y.min(), x.max() + 1, y.max() + 1]


@given(mask_stacks())
def test_from_masks_says_what_the_masks_say(masks):
    regions = Regions.from_masks(masks)
    assert len(regions) == len(masks)
    assert regions.atoms.dtype == np.int32
    assert not regions.members[:, 0].any()
    for i, mask in enumerate(masks):
        np.testing.assert_array_equal(regions.mask(i), mask)
        x0, y0, x1, y1 = regions.boxes[i]
        np.testing.assert_array_equal(regions.crop(i), mask[y0:y1, x0:x1])
    assert regions.areas.tolist() == masks.sum(axis=(1, 2)).tolist()
    assert regions.boxes.tolist() == [box_of(mask) for mask in masks]


@given(mask_stacks())
def test_atoms_are_the_largest_pieces_that_no_mask_divides(masks):
    regions = Regions.from_masks(masks)
    pixels = {tuple(column) for column in masks.reshape(len(masks), regions.atoms.size).T.tolist()}
    ground = (False,) * len(masks)
    assert regions.members.shape[1] == len(pixels - {ground}) + 1
    assert regions.atom_areas.sum() == regions.atoms.size
    assert (regions.atom_areas[1:] > 0).all()
    np.testing.assert_array_equal(regions.atoms == 0, ~masks.any(axis=0))


@given(mask_stacks())
def test_visible_shows_the_smallest_of_each_pixel(masks):
    visible = Regions.from_masks(masks).visible()
    areas = masks.sum(axis=(1, 2))
    for (y, x), shown in np.ndenumerate(visible):
        owners = np.flatnonzero(masks[:, y, x])
        # Of equally large ones the later lies on top.
        expected = 1 + min(owners, key=lambda i: (areas[i], -i)) if len(owners) else 0
        assert shown == expected


@given(
    hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 300))
)
def test_from_labels_keeps_the_order_of_the_labels(labels):
    regions = Regions.from_labels(labels)
    ids = [i for i in np.unique(labels) if i > 0]
    assert len(regions) == len(ids)
    for i, label in enumerate(ids):
        np.testing.assert_array_equal(regions.mask(i), labels == label)
        assert regions.boxes[i].tolist() == box_of(labels == label)


@given(mask_stacks(most=8), st.data())
def test_select_keeps_masks_and_leads_parents_on(masks, data):
    n = len(masks)
    parents = np.array([data.draw(st.integers(-1, n - 1)) for _ in range(n)], np.int32).reshape(n)
    scores = np.linspace(0, 1, n, dtype=np.float32)
    whole = Regions.from_masks(masks, parents=parents, scores=scores, levels=np.arange(n, dtype=np.int32))
    chosen = data.draw(st.permutations(range(n)))[: data.draw(st.integers(0, n))]
    part = whole.select(chosen)
    assert len(part) == len(chosen)
    assert part.levels.tolist() == list(chosen)
    assert part.scores.tolist() == scores[chosen].tolist()
    for new, old in enumerate(chosen):
        np.testing.assert_array_equal(part.mask(new), masks[old])
        parent = parents[old]
        assert part.parents[new] == (chosen.index(parent) if parent in chosen else -1)


def test_many_masks_need_more_than_one_code():
    rng = np.random.default_rng(3)
    masks = rng.random((150, 30, 40)) < 0.3
    regions = Regions.from_masks(masks)
    for i in (0, 15, 16, 17, 31, 32, 149):
        np.testing.assert_array_equal(regions.mask(i), masks[i])


def test_defaults_and_fields():
    labels = np.array([[1, 2], [2, 0]])
    regions = Regions.from_labels(labels, scores=np.array([0.25, 0.5], np.float32))
    assert regions.scores.tolist() == [0.25, 0.5]
    assert regions.proposed.all()
    assert regions.parents.tolist() == [-1, -1]
    assert repr(regions) == "Regions(2 regions of 2 atoms, 2x2 px)"
    with pytest.raises(TypeError, match="colour"):
        Regions.from_labels(labels, colour=1)


@pytest.mark.parametrize(
    "empty", [Regions.from_masks(np.zeros((0, 4, 5), bool)), Regions.from_labels(np.zeros((4, 5)))]
)
def test_no_regions_at_all(empty):
    assert len(empty) == 0
    assert empty.areas.shape == (0,)
    assert empty.boxes.shape == (0, 4)
    assert not empty.visible().any()
    assert empty.visible().shape == (4, 5)
    assert len(empty.select([])) == 0


@given(mask_stacks())
def test_atoms_touch_where_they_share_a_side_of_a_pixel(masks):
    regions = Regions.from_masks(masks)
    expected = np.zeros(2 * (regions.members.shape[1],), bool)
    for first, second in (
        (regions.atoms[:, :-1], regions.atoms[:, 1:]),
        (regions.atoms[:-1], regions.atoms[1:]),
    ):
        expected[first, second] = expected[second, first] = True
    np.fill_diagonal(expected, False)
    np.testing.assert_array_equal(regions.touching, expected)
