import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from segment_anything.utils.amg import remove_small_regions as by_sam

from som_kernels import pack_masks, remove_small_regions

STACKS = st.tuples(
    st.integers(0, 3), st.integers(1, 6), st.sampled_from([1, 2, 5, 31, 32, 33, 63, 64, 65])
).flatmap(lambda shape: hnp.arrays(bool, shape) | hnp.arrays(bool, shape).map(np.logical_not))


def pieces(mask):
    """Connected pieces, corners too, each a set of pixels, in raster order of their first ones."""
    left = set(zip(*map(np.ndarray.tolist, np.nonzero(mask)), strict=True))
    found = []
    for pixel in sorted(left):
        if pixel in left:
            piece, border = set(), {pixel}
            while border:
                left -= border
                piece |= border
                border = left & {(y + a, x + b) for y, x in border for a in (-1, 0, 1) for b in (-1, 0, 1)}
            found.append(piece)
    return found


def by_hand(mask, min_area, what):
    found = pieces(mask ^ (what == "holes"))
    small = [piece for piece in found if len(piece) < min_area]
    changed = bool(small)
    if what == "islands" and small and len(small) == len(found):
        small.remove(max(found, key=len))
    mask = mask.copy()
    for piece in small:
        for pixel in piece:
            mask[pixel] = what == "holes"
    return mask, changed


def assert_same(found, expected):
    for name in ("words", "boxes", "areas"):
        one, other = getattr(found[0], name), getattr(expected[0], name)
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    assert found[1].dtype == torch.bool
    assert torch.equal(found[1], expected[1])


@given(STACKS, st.sampled_from([0, 1, 2, 3, 5, 9, 40, 10**6]), st.sampled_from(["holes", "islands"]))
def test_every_backend_equals_the_definition(masks, min_area, what):
    expected = [by_hand(mask, min_area, what) for mask in masks]
    for backend in ("reference", "cpu"):
        cleaned, changed = remove_small_regions(torch.from_numpy(masks), min_area, what, backend=backend)
        assert changed.tolist() == [each for _, each in expected]
        for mask, (other, _) in zip(cleaned.unpack().numpy(), expected, strict=True):
            assert np.array_equal(mask, other)
        assert torch.equal(cleaned.areas, cleaned.unpack().sum(dim=(1, 2)))
        assert torch.equal(cleaned.boxes, pack_masks(cleaned.unpack()).boxes)


@pytest.mark.parametrize("what", ["holes", "islands"])
@pytest.mark.parametrize("min_area", [2, 30, 10**6])
def test_cpu_equals_reference(mask_stack, min_area, what):
    expected = remove_small_regions(mask_stack, min_area, what, backend="reference")
    packed = pack_masks(mask_stack)
    assert_same(remove_small_regions(mask_stack, min_area, what), expected)
    assert_same(remove_small_regions(packed, min_area, what), expected)
    assert torch.equal(packed.unpack(), mask_stack)  # what was given stays as it was


@pytest.mark.parametrize("what", ["holes", "islands"])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("size", [(40, 97), (97, 64), (1, 200), (200, 1)])
def test_segment_anything_does_the_same(size, share, what, threads):
    masks = torch.rand(5, *size, generator=torch.Generator().manual_seed(42)) < share
    masks[3] = False
    masks[4] = True
    for min_area in (0, 1, 2, 7):
        cleaned, changed = remove_small_regions(masks, min_area, what)
        for mask, now, did in zip(masks, cleaned.unpack(), changed, strict=True):
            sizes = sorted(map(len, pieces(mask.numpy() ^ (what == "holes"))))
            if what == "islands" and sizes and sizes[-1] < min_area and sizes[-2:-1] == sizes[-1:]:
                continue  # which of equals stays is open there
            expected, expected_did = by_sam(mask.numpy(), min_area, what)
            assert np.array_equal(now, expected)
            assert bool(did) == expected_did


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_of_equal_islands_the_first_in_raster_order_stays(backend):
    mask = torch.zeros(1, 4, 40, dtype=torch.bool)
    mask[0, 1, 33] = mask[0, 2, 33] = mask[0, 1, 35] = mask[0, 1, 36] = mask[0, 0, 39] = True
    cleaned, changed = remove_small_regions(mask, 3, "islands", backend=backend)
    assert cleaned.unpack()[0].nonzero().tolist() == [[1, 33], [2, 33]]
    assert changed.tolist() == [True]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_corners_connect(backend):
    masks = torch.stack([torch.eye(70, dtype=torch.bool), torch.eye(70, dtype=torch.bool).flip(1)])
    for stack, what in [(masks, "islands"), (~masks, "holes")]:
        assert not remove_small_regions(stack, 70, what, backend=backend)[1].any()
        assert remove_small_regions(stack, 71, what, backend=backend)[1].all()


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_hole_at_the_border_is_filled_too(backend):
    mask = torch.ones(1, 5, 33, dtype=torch.bool)
    mask[0, 4, 31:] = mask[0, 0, 0] = False
    cleaned, _ = remove_small_regions(mask, 3, "holes", backend=backend)
    assert cleaned.unpack().all()
    assert remove_small_regions(mask, 2, "holes", backend=backend)[0].areas.tolist() == [163]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_one_island_below_the_limit_stays_and_counts_as_changed(backend):
    mask = torch.zeros(1, 3, 3, dtype=torch.bool)
    mask[0, 1, 1] = True
    cleaned, changed = remove_small_regions(mask, 5, "islands", backend=backend)
    assert torch.equal(cleaned.unpack(), mask)
    assert changed.tolist() == [True]


def test_spirals_and_combs_join_late(threads):
    comb = torch.zeros(64, 129, dtype=torch.bool)
    comb[:, ::2] = comb[-1] = True
    spiral = torch.zeros(65, 65, dtype=torch.bool)
    y = x = 0
    spiral[0, 0] = True
    for i, length in enumerate([64, 64, 64, *(n for n in range(62, 0, -2) for _ in range(2))]):
        dy, dx = [(0, 1), (1, 0), (0, -1), (-1, 0)][i % 4]
        for _ in range(length):
            y, x = y + dy, x + dx
            spiral[y, x] = True
    for mask in (comb, comb.flip(0), comb.T, comb.T.flip(1), spiral, spiral.flip(0), spiral.flip(1)):
        area = int(mask.sum())
        masks = torch.stack([mask, mask])
        assert remove_small_regions(masks, area, "islands")[1].tolist() == [False, False]
        assert remove_small_regions(~masks, area, "holes")[1].tolist() == [False, False]
        assert remove_small_regions(~masks, area + 1, "holes")[0].unpack().all()
