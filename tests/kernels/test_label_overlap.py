import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from som_kernels import label_overlap

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
PAIRS = SHAPES.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int32, shape, elements=st.integers(0, 3)),
        hnp.arrays(np.int32, shape, elements=st.integers(0, 5)),
    )
)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_counts_pixels_of_each_pair(backend):
    a = torch.tensor([[0, 0, 1], [1, 1, 2]], dtype=torch.int32)
    b = torch.tensor([[0, 1, 1], [1, 1, 0]], dtype=torch.int32)
    table = label_overlap(a, b, 2, 2, backend=backend)
    assert table.dtype == torch.int64
    assert table.tolist() == [[1, 1, 0], [0, 3, 0], [1, 0, 0]]


def test_cpu_equals_reference(label_map):
    other = label_map.flip(0, 1)
    n = int(label_map.max()) + 2
    expected = label_overlap(label_map, other, n, n + 3, backend="reference")
    assert torch.equal(label_overlap(label_map, other, n, n + 3), expected)


@settings(deadline=None, max_examples=60)
@given(PAIRS)
def test_every_backend_counts_like_a_loop(pair):
    table = np.zeros((4, 6), np.int64)
    for i, j in zip(pair[0].ravel(), pair[1].ravel(), strict=True):
        table[i, j] += 1
    for backend in ("reference", "cpu"):
        assert label_overlap(*map(torch.from_numpy, pair), 3, 5, backend=backend).tolist() == table.tolist()


def test_large_tables_do_not_wrap_around():
    from som_kernels.label_overlap.cpu import _codes

    n = 46341  # the table of 46342 x 46342 has just more entries than int32 counts; it would take 17 GB
    assert _codes(np.full((1, 1), n, np.int32), np.full((1, 1), n, np.int32), n, (n + 1) ** 2) == n * (n + 2)
