import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from som_kernels import distance_transform, inscribed_circles

LABELS = hnp.arrays(
    np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(0, 3)
)


def of_transform(labels, n, distance=None):
    """The first maximum of each label's distances."""
    distance = distance_transform(labels) if distance is None else distance
    centres, radii = torch.full((n, 2), -1, dtype=torch.int32), torch.zeros(n)
    for label in range(1, n + 1):
        own = torch.where(labels == label, distance, 0)
        if own.any():
            y, x = (own == own.max()).nonzero()[0].tolist()
            centres[label - 1] = torch.tensor([x, y])
            radii[label - 1] = own.max()
    return centres, radii


def assert_same(circles, expected):
    for one, other in zip(circles, expected, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


@given(LABELS)
def test_every_backend_takes_the_first_maximum_of_the_transform(labels):
    labels = torch.from_numpy(labels)
    expected = of_transform(labels, 4, distance_transform(labels, backend="reference"))
    for backend in ("reference", "cpu"):
        assert_same(inscribed_circles(labels, 4, backend=backend), expected)


def test_cpu_equals_reference(label_map):
    n = int(label_map.max()) + 2
    assert_same(inscribed_circles(label_map, n), inscribed_circles(label_map, n, backend="reference"))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_the_first_of_equals_is_taken(backend):
    labels = torch.zeros(6, 8, dtype=torch.int32)
    labels[1:5, 1:7] = 2  # the middle two rows hold several pixels of distance 2
    labels[0, 7] = 1
    centres, radii = inscribed_circles(labels, 3, backend=backend)
    assert (centres.dtype, radii.dtype) == (torch.int32, torch.float32)
    assert centres.tolist() == [[7, 0], [2, 2], [-1, -1]]
    assert radii.tolist() == [1, 2, 0]


@pytest.mark.parametrize("side", [9, 65, 191, 193, 194, 221, 401, 405])
def test_equals_across_bands_of_rows(side, threads):
    gap = 40
    labels = torch.zeros(2 * side + gap, 3 * side + gap, dtype=torch.int32)
    for y, x in [(gap, side + gap), (side + gap, gap), (side + gap, 2 * side + gap)]:
        labels[y : y + side, x : x + side] = 1  # they touch at corners only
    circles = inscribed_circles(labels, 1)
    middle = (side + 1) // 2
    assert circles[0].tolist() == [[side + gap + middle - 1, gap + middle - 1]]
    assert circles[1].tolist() == [middle]
    assert_same(inscribed_circles(labels.flip(0), 1), of_transform(labels.flip(0), 1))


@pytest.mark.parametrize("spacing", [4, 6, 8, 10, 12])
def test_many_equals(spacing):
    for width in range(5 * spacing, 6 * spacing):
        labels = torch.ones(4 * spacing + 1, width, dtype=torch.int32)
        labels[::spacing, ::spacing] = 0
        labels[:, : spacing // 2 + 1] = 0  # so that the first furthest pixel is not in the first column
        assert_same(inscribed_circles(labels, 1), inscribed_circles(labels, 1, backend="reference"))


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_thin_and_a_thick_run_of_a_row_with_equal_circles(mirrored, threads):
    labels = torch.zeros(300, 500, dtype=torch.int32)
    labels[:, 40:] = 1
    # In row 150 the nearest specks are 6 rows and 8 columns away, in the others at most 5 and 8.
    labels[[*range(4, 145, 10), *range(156, 300, 10)], 40::16] = 0
    labels[141:160, 5:24] = 1
    labels = labels.flip(1) if mirrored else labels
    expected = of_transform(labels, 1)
    assert expected[1].tolist() == [10]
    assert_same(inscribed_circles(labels, 1), expected)


@pytest.mark.parametrize("seed", range(5))
def test_regions_of_all_sizes(seed, threads):
    rng = np.random.default_rng(seed)
    h, w = rng.integers(200, 560, 2)
    y, x = np.mgrid[:h, :w]
    labels = np.full((h, w), seed % 2, np.int32)
    for label in range(1, 8):
        far = (y - rng.uniform(0, h)) ** 2 + (x - rng.uniform(0, w)) ** 2
        labels[far < rng.uniform(4, 240) ** 2] = label * (label != 3)
    labels[rng.integers(0, h, 3), rng.integers(0, w, 3)] = 9
    labels = torch.from_numpy(labels)
    assert_same(inscribed_circles(labels, 12), of_transform(labels, 12))


@pytest.mark.parametrize("radius", [96, 97, 200, 201, 330])
def test_one_region_fills_the_picture(radius, threads):
    labels = torch.ones(2 * radius - 1, 2 * radius + 300, dtype=torch.int32)
    centres, radii = inscribed_circles(labels, 1)
    assert centres.tolist() == [[radius - 1, radius - 1]]
    assert radii.tolist() == [radius]
    assert inscribed_circles(labels.T, 1)[0].tolist() == [[radius - 1, radius - 1]]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_the_background_gets_no_circle(backend):
    labels = torch.zeros(40, 40, dtype=torch.int32)
    labels[20, 30] = 3
    centres, radii = inscribed_circles(labels, 3, backend=backend)
    assert centres.tolist() == [[-1, -1], [-1, -1], [30, 20]]
    assert radii.tolist() == [0, 0, 1]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_no_regions_no_circles(backend):
    centres, radii = inscribed_circles(torch.zeros(4, 4, dtype=torch.int32), 0, backend=backend)
    assert (centres.shape, radii.shape) == ((0, 2), (0,))
