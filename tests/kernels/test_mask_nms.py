import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from som_kernels import mask_nms, pack_masks

# Few pixels, few scores, and thresholds that some IoU equals exactly.
CASES = st.tuples(st.integers(0, 6), st.integers(1, 2), st.sampled_from([1, 3, 33])).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(bool, shape),
        hnp.arrays(np.float32, shape[0], elements=st.sampled_from([-1.0, 0.0, 0.25, 1.0, np.inf])),
        st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 2 / 3, 1.0]),
    )
)


def by_hand(masks, scores, threshold):
    keep = []
    for i in sorted(range(len(masks)), key=lambda i: (-scores[i], i)):
        for j in keep:
            union = (masks[i] | masks[j]).sum()
            if union and np.float32((masks[i] & masks[j]).sum() / union) > np.float32(threshold):
                break
        else:
            keep.append(i)
    return keep


@given(CASES)
def test_every_backend_equals_the_definition(case):
    masks, scores, threshold = case
    expected = by_hand(*case)
    for backend in ("reference", "cpu"):
        keep = mask_nms(torch.from_numpy(masks), torch.from_numpy(scores), threshold, backend=backend)
        assert keep.dtype == torch.int64
        assert keep.tolist() == expected


@pytest.mark.parametrize("threshold", [0, 0.1, 0.3, 0.7, 1])
def test_cpu_equals_reference(mask_stack, threshold):
    scores = torch.rand(len(mask_stack), generator=torch.Generator().manual_seed(42))
    expected = mask_nms(mask_stack, scores, threshold, backend="reference")
    packed = pack_masks(mask_stack)
    assert torch.equal(mask_nms(mask_stack, scores, threshold), expected)
    assert torch.equal(mask_nms(packed, scores, threshold), expected)
    assert torch.equal(mask_nms(packed, scores, threshold, backend="reference"), expected)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_ring_and_its_disc_both_stay(backend):
    y, x = torch.meshgrid(torch.arange(41), torch.arange(41), indexing="ij")
    squares = (x - 20) ** 2 + (y - 20) ** 2
    masks = torch.stack([squares < 400, (squares < 400) & (squares > 225), squares <= 225, squares < 390])
    scores = torch.tensor([0.1, 0.5, 0.5, 0.4])
    assert mask_nms(masks, scores, 0.7, backend=backend).tolist() == [1, 2, 3]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_an_iou_of_exactly_the_threshold_stays(backend):
    masks = torch.zeros(2, 1, 10, dtype=torch.bool)
    masks[0, 0, :7] = masks[1, 0] = True
    scores = torch.tensor([1.0, 2.0])
    assert mask_nms(masks, scores, 0.7, backend=backend).tolist() == [1, 0]
    assert mask_nms(masks, scores, 0.69, backend=backend).tolist() == [1]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_what_was_suppressed_suppresses_nothing(backend):
    masks = torch.zeros(3, 1, 12, dtype=torch.bool)
    for i in range(3):
        masks[i, 0, 2 * i : 2 * i + 8] = True  # the IoU of neighbours is 0.6, of the outer ones 1/3
    assert mask_nms(masks, torch.tensor([3.0, 2.0, 1.0]), 0.5, backend=backend).tolist() == [0, 2]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_empty_masks_are_unlike_all(backend):
    masks = torch.zeros(3, 4, 4, dtype=torch.bool)
    assert mask_nms(masks, torch.zeros(3), 0, backend=backend).tolist() == [0, 1, 2]
    assert mask_nms(masks[:0], torch.zeros(0), 0, backend=backend).tolist() == []
