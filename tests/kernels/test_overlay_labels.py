import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from som_kernels import distance_transform, overlay_labels

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
PICTURES = SHAPES.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.uint8, (*shape, 3)), hnp.arrays(np.int32, shape, elements=st.integers(0, 3))
    )
)
COLORS = hnp.arrays(np.uint8, (4, 3))
BACKENDS = pytest.mark.parametrize("backend", ["reference", "cpu"])


def random_bytes(*shape, seed=42):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def by_definition(image, labels, colors, alpha, line_px):
    """Each pixel by itself."""
    h, w = labels.shape
    part = int(256 * alpha + 0.5)
    drawn = image.copy()
    for y, x in np.ndindex(h, w):
        label = labels[y, x]
        around = [
            (abs(i - y), abs(j - x), labels[i, j])
            for i in range(max(0, y - line_px - 1), min(h, y + line_px + 2))
            for j in range(max(0, x - line_px - 1), min(w, x + line_px + 2))
        ]
        for c in range(3):
            value = int(image[y, x, c])
            if label > 0:
                color = int(colors[label - 1, c])
                lined = any(dy * dy + dx * dx <= line_px**2 and q != label for dy, dx, q in around)
                drawn[y, x, c] = color if lined else (value * (256 - part) + color * part + 128) // 256
            elif line_px and any(max(dy, dx) <= 1 and q > 0 for dy, dx, q in around):
                drawn[y, x, c] = (9 * value + 10) // 20
    return drawn


@settings(deadline=None, max_examples=60)
@given(PICTURES, COLORS, st.floats(0, 1), st.integers(0, 8))
def test_every_backend_equals_the_definition(picture, colors, alpha, line_px):
    image, labels = picture
    expected = by_definition(image, labels, colors, alpha, line_px)
    for backend in ("reference", "cpu"):
        tensors = map(torch.from_numpy, (image, labels, colors))
        drawn = overlay_labels(*tensors, alpha, line_px, backend=backend)
        assert drawn.dtype == torch.uint8
        np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("line_px", [0, 1, 2, 8])
@pytest.mark.usefixtures("threads")
def test_cpu_equals_reference(label_map, line_px):
    image, colors = random_bytes(*label_map.shape, 3), random_bytes(int(label_map.max()) + 1, 3)
    given = image.clone(), label_map.clone(), colors.clone()
    cpu, reference = (
        overlay_labels(image, label_map, colors, 0.12, line_px, backend=backend)
        for backend in ("cpu", "reference")
    )
    assert torch.equal(cpu, reference)
    assert cpu.is_contiguous()
    assert all(torch.equal(a, b) for a, b in zip((image, label_map, colors), given, strict=True))


@pytest.mark.parametrize("width", [31, 32, 33, 64, 150])
@pytest.mark.parametrize("cells", [3, 40])
@pytest.mark.usefixtures("threads")
def test_cpu_equals_reference_in_many_rows(width, cells):
    """Rows enough for two threads, and runs that end where words do, before and behind."""
    y, x = torch.meshgrid(torch.arange(200), torch.arange(width), indexing="ij")
    labels = ((x + y // 3) // (width // cells + 1) + y // 50).remainder(cells).to(torch.int32)
    image, colors = random_bytes(200, width, 3), random_bytes(cells, 3)
    for line_px in range(9):
        cpu, reference = (
            overlay_labels(image, labels, colors, 0.7, line_px, backend=backend)
            for backend in ("cpu", "reference")
        )
        assert torch.equal(cpu, reference)


@BACKENDS
def test_the_tint_is_within_1_of_the_blend(backend):
    """Every value of the picture under every value of a colour."""
    values = torch.arange(256, dtype=torch.uint8)
    image = values[:, None, None].expand(256, 256, 3)
    labels = torch.arange(1, 257, dtype=torch.int32).expand(256, 256)
    colors = values[:, None].expand(256, 3)
    for alpha in (0, 0.001, 0.12, 1 / 3, 0.5, 0.998, 1):
        drawn = overlay_labels(image, labels, colors, alpha, 0, backend=backend)[..., 0].double()
        blend = values[:, None] * (1 - alpha) + values.double() * alpha
        assert (drawn - blend).abs().max() < (1 if 0 < alpha < 1 else 1e-9)


@BACKENDS
def test_the_seam_is_round_half_up(backend):
    values = torch.arange(256, dtype=torch.uint8)
    image = values[:, None, None].expand(256, 2, 3)
    labels = torch.tensor([0, 1], dtype=torch.int32).expand(256, 2)
    drawn = overlay_labels(image, labels, torch.zeros(1, 3, dtype=torch.uint8), 0.5, 1, backend=backend)
    darkened = [int((45 * v + 50) / 100) for v in range(256)]
    assert drawn[:, 0].tolist() == [[v] * 3 for v in darkened]
    assert drawn[:, 1].max() == 0


@BACKENDS
def test_the_contour_is_the_distance(backend):
    labels = torch.zeros(40, 40, dtype=torch.int32)
    y, x = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    labels[(y - 19) ** 2 + (x - 21) ** 2 < 200] = 1
    distance = distance_transform(labels)
    image, colors = torch.zeros(40, 40, 3, dtype=torch.uint8), torch.full((1, 3), 255, dtype=torch.uint8)
    for line_px in range(1, 9):
        drawn = overlay_labels(image, labels, colors, 0, line_px, backend=backend)[..., 0]
        assert torch.equal(drawn > 0, (labels == 1) & (distance <= line_px))


@BACKENDS
def test_the_border_of_the_picture_is_no_edge(backend):
    labels = torch.ones(5, 6, dtype=torch.int32)
    image = random_bytes(5, 6, 3)
    drawn = overlay_labels(image, labels, random_bytes(1, 3), 0, 8, backend=backend)
    assert torch.equal(drawn, image)
    assert drawn.data_ptr() != image.data_ptr()


@BACKENDS
def test_no_regions(backend):
    image = random_bytes(3, 40, 3)
    labels, colors = torch.zeros(3, 40, dtype=torch.int32), torch.zeros(0, 3, dtype=torch.uint8)
    drawn = overlay_labels(image, labels, colors, 1, 3, backend=backend)
    assert torch.equal(drawn, image)
    assert drawn.data_ptr() != image.data_ptr()


def test_strided_inputs():
    image, labels = random_bytes(3, 20, 30).permute(1, 2, 0), torch.arange(600, dtype=torch.int32)
    labels = (labels.view(30, 20) // 90).T
    colors = random_bytes(3, 8).T
    copies = image.contiguous(), labels.contiguous(), colors.contiguous()
    assert torch.equal(overlay_labels(image, labels, colors, 0.3, 2), overlay_labels(*copies, 0.3, 2))
