import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from som_agent.regions import Regions
from som_agent.segmenters.parents import parents_of, with_parents
from tests.test_regions import mask_stacks


def plain(masks, contained):
    """The definition, one pair after the other."""
    areas, parents = masks.sum(axis=(1, 2)), []
    for i, mask in enumerate(masks):
        holders = [
            (areas[k], -(mask & other).sum(), k)
            for k, other in enumerate(masks)
            if areas[k] > areas[i] and (mask & other).sum() >= contained * areas[i] - 1e-6
        ]
        parents.append(min(holders)[2] if holders else -1)
    return parents


@given(mask_stacks(most=20), st.sampled_from([0.5, 0.9, 1.0]))
def test_each_region_is_linked_to_the_smallest_larger_one_that_holds_it(masks, contained):
    assert parents_of(Regions.from_masks(masks), contained=contained).tolist() == plain(masks, contained)


@given(mask_stacks(most=20))
def test_links_lead_to_larger_regions_and_change_nothing_else(masks):
    n = len(masks)
    levels, scores = np.arange(n, dtype=np.int32), np.linspace(0, 1, n, dtype=np.float32)
    regions = Regions.from_masks(masks, levels=levels, scores=scores, proposed=levels % 2 == 0)
    before = regions.areas.copy()
    linked = with_parents(regions)
    child = np.flatnonzero(linked.parents >= 0)
    assert (before[linked.parents[child]] > before[child]).all()
    assert linked.parents.dtype == np.int32
    assert linked.atoms is regions.atoms
    assert linked.members is regions.members
    for name in ("levels", "scores", "proposed", "areas", "boxes"):
        np.testing.assert_array_equal(getattr(linked, name), getattr(regions, name))


def test_a_cup_on_a_table_and_its_frayed_handle():
    table, cup, handle = np.zeros((3, 40, 60), bool)
    table[10:40] = True
    cup[15:30, 20:40] = True
    handle[20:25, 36:42] = True  # a third of it sticks out of the cup, and lies on the table
    regions = Regions.from_masks(np.array([handle, cup, table, cup]))
    assert parents_of(regions).tolist() == [2, 2, -1, 2]
    assert parents_of(regions, contained=0.6).tolist() == [1, 2, -1, 2]
