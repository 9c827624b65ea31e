import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from som_kernels import mask_iou, pack_masks, paint_labels

WIDTHS = st.integers(1, 6) | st.sampled_from([31, 32, 33, 63, 64, 65, 70])
SIZES = st.tuples(st.integers(1, 6), WIDTHS)
PAIRS = st.tuples(SIZES, st.integers(0, 4), st.integers(0, 4)).flatmap(
    lambda drawn: st.tuples(*(hnp.arrays(bool, (count, *drawn[0])) for count in drawn[1:]))
)


def iou_by_hand(a, b):
    rows = []
    for one in a:
        pairs = [((one & other).sum(), (one | other).sum()) for other in b]
        rows.append([meet / union if union else 0.0 for meet, union in pairs])
    return np.array(rows, np.float32).reshape(len(a), len(b))


def noise(*shape, share=0.5):
    return torch.rand(shape, generator=torch.Generator().manual_seed(42)) < share


def assert_same(packed, expected):
    assert packed.width == expected.width
    for name in ("words", "boxes", "areas"):
        one, other = getattr(packed, name), getattr(expected, name)
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


@given(PAIRS)
def test_every_backend_equals_the_definition(pair):
    expected = iou_by_hand(*pair)
    a, b = map(torch.from_numpy, pair)
    for backend in ("reference", "cpu"):
        assert np.array_equal(mask_iou(a, b, backend=backend), expected)
        assert np.array_equal(mask_iou(pack_masks(a, backend=backend), b), expected)


def test_cpu_iou_equals_reference(mask_stack, threads):
    other = mask_stack.flip(0, 2)[:5]
    expected = mask_iou(mask_stack, other, backend="reference")
    assert expected.dtype == torch.float32
    assert torch.equal(mask_iou(mask_stack, other), expected)
    packed, packed_other = pack_masks(mask_stack), pack_masks(other)
    assert torch.equal(mask_iou(packed, packed_other), expected)
    assert torch.equal(mask_iou(mask_stack, packed_other), expected)
    assert torch.equal(mask_iou(packed, packed_other, backend="reference"), expected)


def test_a_set_with_itself(mask_stack, threads):
    iou = mask_iou(mask_stack, mask_stack)
    assert torch.equal(iou, iou.T)
    assert torch.equal(iou.diagonal(), mask_stack.flatten(1).any(1).float())
    assert torch.equal(iou, mask_iou(mask_stack, mask_stack.clone()))


def test_many_overlapping_masks(threads):
    masks = noise(12, 150, 330)
    assert torch.equal(mask_iou(masks, masks[:3]), mask_iou(masks, masks[:3], backend="reference"))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_packing_keeps_everything(mask_stack, backend):
    packed = pack_masks(mask_stack, backend=backend)
    assert torch.equal(packed.unpack(), mask_stack)
    assert torch.equal(packed.areas, mask_stack.sum(dim=(1, 2)))
    assert (packed.height, packed.width, len(packed)) == (*mask_stack.shape[1:], len(mask_stack))
    for mask, (x0, y0, x1, y1) in zip(mask_stack, packed.boxes.tolist(), strict=True):
        y, x = mask.nonzero(as_tuple=True)
        tight = [int(v) for v in (x.min(), y.min(), x.max() + 1, y.max() + 1)] if len(x) else [0, 0, 0, 0]
        assert [x0, y0, x1, y1] == tight


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("width", [1, 31, 32, 33, 63, 64, 65])
def test_bit_x_of_a_word_is_pixel_x(backend, width):
    masks = noise(2, 3, width)
    words = pack_masks(masks, backend=backend).words
    assert words.dtype == torch.int32
    assert words.shape == (2, 3, (width + 31) // 32)
    for i, y, k in np.ndindex(*words.shape):
        bits = f"{int(words[i, y, k]) & 0xFFFFFFFF:032b}"[::-1]
        assert [bit == "1" for bit in bits[: width - 32 * k]] == masks[i, y, 32 * k : 32 * k + 32].tolist()
        assert "1" not in bits[width - 32 * k :]


def test_packed_forms_are_the_same(mask_stack, threads):
    assert_same(pack_masks(mask_stack), pack_masks(mask_stack, backend="reference"))


@pytest.mark.parametrize(
    "chosen",
    [
        slice(1, None),
        slice(None, None, 2),
        slice(0, 0),
        torch.tensor([3, 0, 0, 2]),
        torch.tensor([], dtype=torch.int64),
        torch.tensor([True, False, False, True, True]),
    ],
    ids=["rest", "every-other", "none", "indices", "no-indices", "choice"],
)
def test_some_of_the_masks(chosen):
    masks = noise(5, 7, 65, share=0.1)
    some = pack_masks(masks)[chosen]
    assert_same(some, pack_masks(masks[chosen]))
    assert torch.equal(some.unpack(), masks[chosen])
    assert torch.equal(mask_iou(some, some), mask_iou(masks[chosen], masks[chosen]))


def test_packed_masks_say_what_they_are():
    assert repr(pack_masks(torch.zeros(3, 4, 5, dtype=torch.bool))) == "PackedMasks(3 masks, 5x4 px, cpu)"


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_the_later_mask_stays_on_top(backend):
    masks = torch.tensor([[[1, 1, 1, 0]], [[0, 1, 1, 0]], [[0, 0, 1, 0]]], dtype=torch.bool)
    assert paint_labels(masks, [2, 0], backend=backend).tolist() == [[1, 1, 1, 0]]
    assert paint_labels(masks, [0, 1, 2], backend=backend).tolist() == [[1, 2, 3, 0]]
    assert paint_labels(masks, torch.tensor([0, 2, 1]), backend=backend).tolist() == [[1, 2, 2, 0]]
    assert paint_labels(masks, [1, 0, 1], backend=backend).tolist() == [[1, 2, 2, 0]]
    assert paint_labels(masks, [], backend=backend).tolist() == [[0, 0, 0, 0]]


@given(PAIRS, st.randoms())
def test_every_backend_paints_one_after_the_other(pair, random):
    masks = pair[0]
    order = [random.randrange(len(masks)) for _ in range(random.randrange(7) if len(masks) else 0)]
    expected = np.zeros(masks.shape[1:], np.int32)
    for i in order:
        expected[masks[i]] = i + 1
    for backend in ("reference", "cpu"):
        labels = paint_labels(torch.from_numpy(masks), order, backend=backend)
        assert labels.dtype == torch.int32
        assert np.array_equal(labels, expected)


def test_cpu_paint_equals_reference(mask_stack):
    order = list(range(len(mask_stack)))[::-1]
    expected = paint_labels(mask_stack, order, backend="reference")
    packed = pack_masks(mask_stack)
    assert torch.equal(paint_labels(mask_stack, order), expected)
    assert torch.equal(paint_labels(packed, order), expected)
    assert torch.equal(paint_labels(packed, order, backend="reference"), expected)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("form", [torch.clone, pack_masks])
def test_without_an_order_small_masks_lie_on_top(backend, form):
    masks = torch.tensor([[[0, 0, 1, 0]], [[1, 1, 1, 0]], [[0, 1, 1, 1]], [[0, 0, 0, 0]]], dtype=torch.bool)
    assert paint_labels(form(masks), backend=backend).tolist() == [[2, 3, 1, 3]]
    assert paint_labels(form(masks[:0]), backend=backend).tolist() == [[0, 0, 0, 0]]


def test_without_an_order_cpu_equals_reference(mask_stack):
    assert torch.equal(paint_labels(mask_stack), paint_labels(mask_stack, backend="reference"))


def test_more_masks_than_a_byte_counts():
    masks = noise(600, 9, 11, share=0.01)
    order = torch.randperm(600, generator=torch.Generator().manual_seed(1))
    assert torch.equal(paint_labels(masks, order), paint_labels(masks, order, backend="reference"))
