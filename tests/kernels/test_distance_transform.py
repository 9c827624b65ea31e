import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from som_kernels import distance_transform

LABELS = hnp.arrays(
    np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(0, 3)
)


def by_hand(labels):
    """Distance from every pixel to every pixel of the padded picture, the smallest to another label."""
    padded = np.pad(labels, 1, constant_values=-1)
    distance = np.zeros(labels.shape, np.float32)
    for y, x in np.ndindex(labels.shape):
        other_y, other_x = np.nonzero(padded != labels[y, x])
        distance[y, x] = np.sqrt(((other_y - y - 1) ** 2 + (other_x - x - 1) ** 2).min())
    return distance


def by_scipy(labels):
    """Each label's transform, its squares rounded to the whole numbers that they are."""
    padded = np.pad(labels.numpy(), 1, constant_values=-1)
    distance = np.zeros(labels.shape, np.float32)
    for label in labels.unique().tolist():
        own = padded == label
        squares = np.rint(ndimage.distance_transform_edt(own) ** 2)
        distance[own[1:-1, 1:-1]] = np.sqrt(squares[own])
    return torch.from_numpy(distance)


def discs(h, w, *placed):
    """Discs x, y, radius with the labels 1, 2, …, later ones on top."""
    labels = torch.zeros(h, w, dtype=torch.int32)
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    for label, (centre_x, centre_y, radius) in enumerate(placed, start=1):
        labels[(x - centre_x) ** 2 + (y - centre_y) ** 2 < radius**2] = label
    return labels


@given(LABELS)
def test_every_backend_equals_the_definition(labels):
    expected = by_hand(labels)
    for backend in ("reference", "cpu"):
        assert np.array_equal(distance_transform(torch.from_numpy(labels), backend=backend), expected)


def test_cpu_equals_reference(label_map):
    distance = distance_transform(label_map)
    assert distance.dtype == torch.float32
    assert torch.equal(distance, distance_transform(label_map, backend="reference"))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_the_picture_ends_like_another_label(backend):
    distance = distance_transform(torch.full((5, 6), 7, dtype=torch.int32), backend=backend)
    assert distance[2].tolist() == [1, 2, 3, 3, 2, 1]


def test_labels_need_not_be_consecutive():
    labels = torch.tensor([[0, 2_000_000_000, 2_000_000_000, 2_000_000_000]] * 3, dtype=torch.int32)
    assert distance_transform(labels)[1].tolist() == [1, 1, 2, 1]


def test_large_regions_stay_exact(threads):
    labels = torch.zeros(1080, 1920, dtype=torch.int32)
    generator = torch.Generator().manual_seed(threads)
    y, x = (
        torch.randint(0, 1080, (5,), generator=generator),
        torch.randint(0, 1920, (5,), generator=generator),
    )
    labels[y, x] = 1
    assert torch.equal(distance_transform(labels), by_scipy(labels))


@pytest.mark.parametrize("radius", [90, 96, 97, 98, 101, 150, 199, 200, 201, 250])
def test_thin_and_thick_runs_share_rows(radius, threads):
    labels = discs(400, 700, (radius, 199, radius), (520, 210, 60), (640, 205, 30), (520, 210, 9))
    labels[50:300:7, 600:700:5] = 5
    assert torch.equal(distance_transform(labels), by_scipy(labels))


@pytest.mark.parametrize("half", [95, 96, 97, 98, 199, 200, 201])
@pytest.mark.parametrize("lying", [False, True], ids=["standing", "lying"])
def test_strips_on_both_sides_of_the_limits(half, lying):
    labels = torch.zeros(2 * half + 40, 2 * half + 260, dtype=torch.int32)
    labels[20 : 2 * half + 19, 30:] = 1  # no pixel is further than `half` from its upper or lower end
    labels[half + 19, 40] = 0
    labels = labels.T if lying else labels
    distance = distance_transform(labels)
    assert distance[labels == 1].max() == half
    assert torch.equal(distance, by_scipy(labels))


def test_a_bound_that_is_far_where_the_nearest_pixel_is_not():
    labels = torch.ones(500, 640, dtype=torch.int32)
    labels[4::12, ::16] = 0  # rows and columns between the specks are free from end to end
    distance = distance_transform(labels)
    assert distance[labels == 1].max() == 10
    assert torch.equal(distance, by_scipy(labels))


@pytest.mark.parametrize("width", [1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 512, 513])
def test_rows_that_end_within_a_block(width, threads):
    generator = torch.Generator().manual_seed(width)
    labels = (torch.rand(65, width, generator=generator) < 0.02).to(torch.int32)
    assert torch.equal(distance_transform(labels), by_scipy(labels))
    assert torch.equal(distance_transform(labels.T), by_scipy(labels).T)


def test_sides_as_long_as_they_may_be():
    labels = torch.zeros(3, 65535, dtype=torch.int32)
    middle = distance_transform(labels)
    assert middle[1].tolist() == [1, *[2] * 65533, 1]
    assert torch.equal(distance_transform(labels.T), middle.T)


def test_envelopes_of_runs_that_differ_in_every_way():
    from som_kernels.distance_transform.cpu import _envelope

    for seed in range(30):
        rng = np.random.default_rng(seed)
        length, x0 = int(rng.integers(1, 40)), int(rng.integers(0, 9))
        x1 = x0 + length
        vertical = rng.integers(1, int(rng.choice([3, 20, 65536])), x1 + 5).astype(np.uint16)
        place, height = np.full((2, x1 + 7), -7, np.int64)
        found = np.zeros(x1 + 5, np.float32)
        _envelope(vertical, x0, x1, place, height, found)
        squares = vertical.astype(np.int64) ** 2
        for x in range(x0, x1):
            run = range(x0, x1)
            least = min((x - x0 + 1) ** 2, (x1 - x) ** 2, *(squares[r] + (r - x) ** 2 for r in run))
            assert found[x] == np.float32(np.sqrt(least))
        assert not found[:x0].any()
        assert not found[x1:].any()
