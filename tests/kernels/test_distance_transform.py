import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from som_kernels import distance_transform, inscribed_circles

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


@settings(deadline=None, max_examples=80)
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


def test_large_regions_stay_exact():
    # OpenCV computes in float32, and a 1080p picture has large squares.
    labels = np.zeros((1080, 1920), np.int32)
    labels[np.random.default_rng(0).integers(0, 1080, 5), np.random.default_rng(1).integers(0, 1920, 5)] = 1
    ground = labels == 0
    exact = np.rint(ndimage.distance_transform_edt(np.pad(ground, 1))[1:-1, 1:-1][ground] ** 2)
    distance = distance_transform(torch.from_numpy(labels)).numpy()
    assert np.array_equal(distance[ground], np.sqrt(exact).astype(np.float32))


@pytest.mark.parametrize("exact", [0, 1400], ids=["scipy", "opencv"])
def test_thick_regions_take_another_way(label_map, monkeypatch, exact):
    from som_kernels.distance_transform import cpu

    n = int(label_map.max()) + 2
    expected = distance_transform(label_map), *inscribed_circles(label_map, n)
    monkeypatch.setattr(cpu, "THICK", 0)
    monkeypatch.setattr(cpu, "EXACT", exact)
    results = distance_transform(label_map), *inscribed_circles(label_map, n)
    assert all(torch.equal(one, other) for one, other in zip(results, expected, strict=True))


@pytest.mark.parametrize("thick", [0, 240], ids=["crops", "envelope"])
@pytest.mark.parametrize("height", [399, 478], ids=["200-steps", "239-steps"])
def test_thickest_regions_of_each_way(height, thick, monkeypatch):
    from som_kernels.distance_transform import cpu

    monkeypatch.setattr(cpu, "THICK", thick)
    monkeypatch.setattr(cpu, "LABEL_COST", 1e12)  # crops only where nothing else is possible
    labels = torch.zeros(height, 700, dtype=torch.int32)
    labels[9, 30], labels[height - 1, 650] = 1, 2
    exact = ndimage.distance_transform_edt(np.pad(labels == 0, 1))[1:-1, 1:-1]
    ground = labels == 0
    assert torch.equal(distance_transform(labels)[ground], torch.from_numpy(exact).float()[ground])


@pytest.mark.parametrize("spacing", [4, 6, 8, 10, 12])
def test_equal_distances_compare_equal(spacing, monkeypatch):
    from som_kernels.distance_transform import cpu

    monkeypatch.setattr(cpu, "THICK", 0)
    # OpenCV's square roots differ in the last bit between its vector loop and the columns left over.
    for width in range(5 * spacing, 6 * spacing):
        labels = torch.ones(4 * spacing + 1, width, dtype=torch.int32)
        labels[::spacing, ::spacing] = 0
        labels[:, : spacing // 2 + 1] = 0  # so that the first furthest pixel is not in the first column
        centres, radii = inscribed_circles(labels, 1)
        furthest = distance_transform(labels) == radii[0]
        y, x = (furthest & (labels == 1)).nonzero()[0].tolist()
        assert centres.tolist() == [[x, y]]
        expected_centres, expected_radii = inscribed_circles(labels, 1, backend="reference")
        assert torch.equal(centres, expected_centres)
        assert torch.equal(radii, expected_radii)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_circles_take_the_first_of_equals(backend):
    labels = torch.zeros(6, 8, dtype=torch.int32)
    labels[1:5, 1:7] = 2  # the middle two rows hold several pixels of distance 2
    labels[0, 7] = 1
    centres, radii = inscribed_circles(labels, 3, backend=backend)
    assert (centres.dtype, radii.dtype) == (torch.int32, torch.float32)
    assert centres.tolist() == [[7, 0], [2, 2], [-1, -1]]
    assert radii.tolist() == [1, 2, 0]


def test_cpu_circles_equal_reference(label_map):
    n = int(label_map.max()) + 2
    centres, radii = inscribed_circles(label_map, n)
    expected_centres, expected_radii = inscribed_circles(label_map, n, backend="reference")
    assert torch.equal(centres, expected_centres)
    assert torch.equal(radii, expected_radii)


@settings(deadline=None, max_examples=60)
@given(LABELS)
def test_circles_are_the_maxima_of_the_transform(labels):
    distance = by_hand(labels)
    for backend in ("reference", "cpu"):
        centres, radii = inscribed_circles(torch.from_numpy(labels), 3, backend=backend)
        for label, (x, y), radius in zip((1, 2, 3), centres.tolist(), radii.tolist(), strict=True):
            own = np.where(labels == label, distance, 0)
            assert radius == own.max()
            if radius:
                assert y * labels.shape[1] + x == own.argmax()
            else:
                assert (x, y) == (-1, -1)


def test_no_regions_no_circles():
    centres, radii = inscribed_circles(torch.zeros(4, 4, dtype=torch.int32), 0)
    assert (centres.shape, radii.shape) == ((0, 2), (0,))
