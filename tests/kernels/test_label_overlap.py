import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from som_kernels import label_overlap

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 40))
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


@given(PAIRS)
def test_every_backend_counts_like_a_loop(pair):
    table = np.zeros((4, 6), np.int64)
    for i, j in zip(pair[0].ravel(), pair[1].ravel(), strict=True):
        table[i, j] += 1
    for backend in ("reference", "cpu"):
        assert label_overlap(*map(torch.from_numpy, pair), 3, 5, backend=backend).tolist() == table.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_runs_of_all_lengths(seed):
    rng = np.random.default_rng(seed)
    a, b = (
        torch.from_numpy(np.repeat(rng.integers(0, 9, 300), rng.integers(1, 80, 300)).astype(np.int32)[:9000])
        for _ in range(2)
    )
    a, b = a.view(60, -1), b.view(60, -1)
    assert torch.equal(label_overlap(a, b, 9, 8), label_overlap(a, b, 9, 8, backend="reference"))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_one_dimension_of_the_table_may_be_large(backend):
    labels = torch.tensor([[0, 3_000_000]], dtype=torch.int32)
    table = label_overlap(labels, labels.clamp(max=1), 3_000_000, 1, backend=backend)
    assert table.sum(0).tolist() == [1, 1]
    assert table[3_000_000].tolist() == [0, 1]
