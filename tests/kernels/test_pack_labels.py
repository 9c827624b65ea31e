import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from som_kernels import pack_labels, pack_masks

PICTURES = st.tuples(st.integers(1, 5), st.integers(1, 70)).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int32, shape, elements=st.integers(0, 4)),
        hnp.arrays(bool, st.tuples(st.integers(0, 4), st.just(5))),
    )
)


@settings(deadline=None, max_examples=60)
@given(PICTURES)
def test_every_backend_looks_labels_up(picture):
    labels, members = map(torch.from_numpy, picture)
    expected = pack_masks(members[:, labels.long()], backend="reference")
    for backend in ("reference", "cpu"):
        packed = pack_labels(labels, members, backend=backend)
        for name in ("words", "boxes", "areas"):
            assert torch.equal(getattr(packed, name), getattr(expected, name))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_the_ground_is_a_label_too(backend):
    labels = torch.tensor([[0, 1], [2, 2]], dtype=torch.int32)
    members = torch.tensor([[True, False, True], [False, True, False]])
    masks = pack_labels(labels, members, backend=backend).unpack()
    assert masks.tolist() == [[[True, False], [True, True]], [[False, True], [False, False]]]


def test_cpu_equals_reference(label_map):
    members = torch.rand(7, int(label_map.max()) + 3, generator=torch.Generator().manual_seed(42)) < 0.4
    cpu, reference = (pack_labels(label_map, members, backend=backend) for backend in ("cpu", "reference"))
    for name in ("words", "boxes", "areas"):
        assert torch.equal(getattr(cpu, name), getattr(reference, name))


def test_a_label_without_a_column_is_refused():
    with pytest.raises(ValueError, match=r"labels up to `members.shape\[1\] - 1`=1, got 2"):
        pack_labels(torch.full((2, 2), 2, dtype=torch.int32), torch.ones(1, 2, dtype=torch.bool))
