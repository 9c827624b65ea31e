import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import masks_to_boxes

from som_kernels import mask_boxes, pack_masks

STACKS = st.tuples(
    st.integers(0, 3), st.integers(1, 5), st.sampled_from([1, 2, 31, 32, 33, 63, 64, 65])
).flatmap(lambda shape: hnp.arrays(bool, shape))


@given(STACKS)
def test_every_backend_equals_the_definition(masks):
    boxes = []
    for mask in masks:
        y, x = np.nonzero(mask)
        boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1] if len(x) else [0, 0, 0, 0])
    for backend in ("reference", "cpu"):
        found = mask_boxes(torch.from_numpy(masks), backend=backend)
        assert found.dtype == torch.int32
        assert found.shape == (len(masks), 4)
        assert found.tolist() == boxes


def test_cpu_equals_reference(mask_stack, threads):
    boxes = mask_boxes(mask_stack)
    assert torch.equal(boxes, mask_boxes(mask_stack, backend="reference"))
    assert torch.equal(boxes, pack_masks(mask_stack).boxes)


def test_torchvision_ends_on_the_last_pixel(mask_stack):
    some = mask_stack[mask_stack.flatten(1).any(1)]  # torchvision knows no box of nothing
    assert torch.equal(mask_boxes(some), masks_to_boxes(some).int() + torch.tensor([0, 0, 1, 1]))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_every_single_pixel(backend):
    masks = torch.eye(3 * 67, dtype=torch.bool).view(-1, 3, 67)
    boxes = [[x, y, x + 1, y + 1] for y in range(3) for x in range(67)]
    assert mask_boxes(masks, backend=backend).tolist() == boxes
