import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from som_kernels import encode_rle, pack_masks

STACKS = st.tuples(
    st.integers(0, 3), st.integers(1, 6), st.sampled_from([1, 2, 3, 31, 32, 33, 63, 64, 65])
).flatmap(lambda shape: hnp.arrays(bool, shape) | hnp.arrays(bool, shape).map(np.logical_not))


def by_coco(masks):
    return [coco.encode(np.asfortranarray(mask, np.uint8))["counts"].decode() for mask in masks]


def run_lengths(text):
    """The counts that the characters stand for."""
    counts, value, shift = [], 0, 0
    for code in text.encode():
        value |= (code - 48 & 31) << shift
        shift += 5
        if code - 48 & 32:
            continue
        if code - 48 & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return counts


@given(STACKS)
def test_every_backend_gives_the_runs_down_the_columns(masks):
    for backend in ("reference", "cpu"):
        texts = encode_rle(torch.from_numpy(masks), backend=backend)
        for mask, text in zip(masks, texts, strict=True):
            counts = run_lengths(text)
            values = np.arange(len(counts)) % 2 == 1
            assert np.array_equal(np.repeat(values, counts), mask.ravel(order="F"))
            assert all(counts[1:])


def test_every_backend_writes_what_coco_writes(mask_stack, threads):
    expected = by_coco(mask_stack.numpy())
    packed = pack_masks(mask_stack)
    assert encode_rle(mask_stack) == encode_rle(packed) == expected
    assert encode_rle(packed, backend="reference") == expected


def test_coco_reads_it(mask_stack):
    size = list(mask_stack.shape[1:])
    for mask, text in zip(mask_stack, encode_rle(mask_stack), strict=True):
        assert np.array_equal(coco.decode({"size": size, "counts": text}), mask)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999, 1])
@pytest.mark.parametrize("size", [(1, 1), (257, 1), (1, 257), (130, 129), (31, 500)])
def test_noise(size, share):
    masks = torch.rand(3, *size, generator=torch.Generator().manual_seed(42)) < share
    assert encode_rle(masks) == by_coco(masks.numpy())


@pytest.mark.parametrize("edge", ["top", "bottom", "left", "right"])
@pytest.mark.parametrize("width", [31, 32, 33, 64])
def test_masks_along_one_edge(edge, width):
    masks = torch.zeros(2, 9, width, dtype=torch.bool)
    y, x = {"top": (0, ...), "bottom": (8, ...), "left": (..., 0), "right": (..., width - 1)}[edge]
    masks[0, y, x] = True
    masks[1, y, x] = torch.arange(masks[1, y, x].numel()) % 3 == 0
    assert encode_rle(masks) == by_coco(masks.numpy())


def test_counts_of_many_characters():
    masks = torch.zeros(3, 1100, 2000, dtype=torch.bool)
    masks[0, -1, -1] = masks[1, 0, 0] = masks[2, 600:, 1000:] = True
    assert encode_rle(masks) == by_coco(masks.numpy())
    assert encode_rle(masks[:1], backend="reference") == by_coco(masks[:1].numpy())


def test_masks_taken_out_of_a_stack():
    masks = torch.rand(5, 12, 40, generator=torch.Generator().manual_seed(42)) < 0.3
    assert encode_rle(pack_masks(masks)[::2]) == by_coco(masks[::2].numpy())
    assert encode_rle(pack_masks(masks)[masks.new_tensor([1, 0, 0, 1, 1])]) == by_coco(
        masks[[0, 3, 4]].numpy()
    )
