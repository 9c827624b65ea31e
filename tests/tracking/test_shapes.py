import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from som_agent.regions import Regions
from som_agent.tracking.shapes import around, seen_under, shape_of, under

H, W = 14, 19


@st.composite
def things(draw):
    """Regions, a set of their atoms that is seen, and what hides."""
    rng = np.random.default_rng(draw(st.integers(0, 99_999)))
    regions = Regions.from_labels(rng.integers(0, draw(st.integers(2, 7)), (H, W)))
    n = regions.members.shape[1]
    members, hiding = rng.random(n) < 0.5, rng.random(n) < 0.3
    members[0], members[1 + rng.integers(0, n - 1)] = False, True
    return regions, members, hiding & ~members, rng


def moved(mask: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """A mask elsewhere; what falls out of the picture is gone."""
    result = np.zeros_like(mask)
    y, x = np.nonzero(mask)
    inside = (y + dy >= 0) & (y + dy < H) & (x + dx >= 0) & (x + dx < W)
    result[y[inside] + dy, x[inside] + dx] = True
    return result


def outline(regions, members):
    y, x = np.nonzero(members[regions.atoms])
    return shape_of(regions, members, np.array([x.mean(), y.mean()], np.float32))


@given(things())
def test_an_outline_is_its_mask_in_its_box(thing):
    regions, members, _, _ = thing
    mask = members[regions.atoms]
    shape = outline(regions, members)
    x, y = shape.corner
    h, w = shape.mask.shape
    np.testing.assert_array_equal(mask[y : y + h, x : x + w], shape.mask)
    assert shape.area == mask.sum() == shape.mask.sum()
    assert shape.mask.any(axis=0)[[0, -1]].all()
    assert shape.mask.any(axis=1)[[0, -1]].all()


@given(things(), st.integers(-25, 25), st.integers(-25, 25))
def test_what_lies_under_an_outline_is_counted_inside_the_picture(thing, dx, dy):
    regions, members, hiding, _ = thing
    shape = outline(regions, members)
    there = moved(members[regions.atoms], dx, dy)
    corner = (shape.corner[0] + dx, shape.corner[1] + dy)
    counts = under([shape, shape], [corner, shape.corner], regions)
    for atom in range(regions.members.shape[1]):
        assert counts[0, atom] == (there & (regions.atoms == atom)).sum()
    np.testing.assert_array_equal(counts[1], np.where(members, regions.atom_areas, 0))
    place = np.array(shape.center, np.float32) + np.array([dx, dy], np.float32)
    ((shared, bare, ground),) = seen_under(shape, place[None], members, hiding, regions)
    assert shared == (there & members[regions.atoms]).sum()
    assert bare == (there & ~(members | hiding)[regions.atoms]).sum()
    assert ground == (0 if hiding[0] else (there & (regions.atoms == 0)).sum())


@given(things(), things())
def test_places_around_bring_edges_onto_edges(first, second):
    shape = outline(*first[:2])
    regions, members, _, _ = second
    y, x = np.nonzero(members[regions.atoms])
    h, w = shape.mask.shape
    corners = [shape.at(place) for place in around(shape, members, regions)]
    assert len(corners) == 9
    # Rounded to whole pixels, halves either way.
    for at, low, high, side in ((0, x.min(), x.max() + 1, w), (1, y.min(), y.max() + 1, h)):
        places = {corner[at] for corner in corners}
        for wanted in (low, high - side):
            assert min(abs(place - wanted) for place in places) <= 1


def test_atoms_that_are_not_there_have_no_place():
    labels = np.zeros((6, 6), np.int32)
    labels[2:4, 1:5] = 1
    regions = Regions.from_atoms(labels, np.eye(3, dtype=bool)[1:])  # atom 2 has no pixel
    shape = shape_of(regions, np.array([False, True, True]), np.array([2.5, 2.5]))
    assert (shape.corner, shape.mask.shape) == ((1, 2), (2, 4))
