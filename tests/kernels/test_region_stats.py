import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from som_kernels import region_stats

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
PICTURES = SHAPES.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int32, shape, elements=st.integers(0, 4)), hnp.arrays(np.uint8, (*shape, 3))
    )
)


def image_for(labels, seed=42):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (*labels.shape, 3), dtype=torch.uint8, generator=generator)


@settings(deadline=None, max_examples=60)
@given(PICTURES)
def test_every_backend_equals_the_definition(picture):
    labels, image = picture
    for backend in ("reference", "cpu"):
        stats = region_stats(torch.from_numpy(labels), torch.from_numpy(image), 5, backend=backend)
        for i in range(5):
            y, x = np.nonzero(labels == i + 1)
            assert stats.areas[i] == len(x)
            if len(x) == 0:
                assert stats.boxes[i].tolist() == [0, 0, 0, 0]
                assert stats.centroids[i].tolist() == [-1, -1]
                assert stats.colours[i].tolist() == [0, 0, 0]
                continue
            assert stats.boxes[i].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
            np.testing.assert_allclose(stats.centroids[i], [x.mean(), y.mean()], rtol=1e-6)
            np.testing.assert_allclose(stats.colours[i], image[y, x].mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("color", [[0, 0, 0], [7, 200, 31]])
def test_a_picture_of_one_colour_that_is_not_spelt_out(color):
    labels = torch.tensor([[1, 1, 0], [3, 0, 1]], dtype=torch.int32)
    image = torch.tensor(color, dtype=torch.uint8).expand(2, 3, 3).as_strided((2, 3, 3), (0, 0, 1))
    one = torch.tensor(9, dtype=torch.uint8).expand(2, 3, 3)
    for picture in (image, one):
        stats = region_stats(labels, picture, 3, backend="cpu")
        expected = region_stats(labels, picture.contiguous(), 3, backend="reference")
        for found, true in zip(stats, expected, strict=True):
            assert torch.equal(found, true)


def test_cpu_equals_reference(label_map):
    n = int(label_map.max()) + 2
    image = image_for(label_map)
    cpu, reference = (region_stats(label_map, image, n, backend=backend) for backend in ("cpu", "reference"))
    for one, other in zip(cpu, reference, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def test_channels_first_memory():
    labels = torch.ones(6, 7, dtype=torch.int32)
    image = image_for(labels.new_zeros(7, 6)).transpose(0, 1)
    assert torch.equal(region_stats(labels, image, 1).colours, region_stats(labels, image.clone(), 1).colours)


@pytest.mark.slow
def test_a_white_picture_too_large_for_32_bit_sums():
    labels = torch.ones(2200, 4000, dtype=torch.int32)
    image = torch.full((2200, 4000, 3), 255, dtype=torch.uint8)
    assert region_stats(labels, image, 1).colours.tolist() == [[255, 255, 255]]


def test_no_regions():
    labels = torch.zeros(3, 4, dtype=torch.int32)
    for backend in ("reference", "cpu"):
        stats = region_stats(labels, image_for(labels), 0, backend=backend)
        assert [list(value.shape) for value in stats] == [[0], [0, 4], [0, 2], [0, 3]]
