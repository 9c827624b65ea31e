"""The Triton kernels against the references, on a GPU, or on the CPU in Triton's interpreter.

Marked `gpu`. Without a GPU `test_interpreter.py` runs this file in a process of its own, because the
interpreter must be chosen before Triton is imported.
"""

import os

import pytest
import torch

import som_kernels as sk

pytestmark = pytest.mark.gpu

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cpu" if INTERPRETED else "cuda")


def on_device(tensor):
    """The tensor on the GPU with its strides kept: `to` would make it contiguous."""
    moved = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=DEVICE)
    return moved.copy_(tensor)


def assert_same(results, expected):
    for one, other in zip(results, expected, strict=True):
        assert one.device.type == DEVICE.type
        assert one.dtype == other.dtype
        assert torch.equal(one.cpu(), other)


def test_label_overlap(label_map):
    other, n = label_map.flip(0, 1), int(label_map.max()) + 2
    table = sk.label_overlap(on_device(label_map), on_device(other), n, n + 1, backend="triton")
    assert_same([table], [sk.label_overlap(label_map, other, n, n + 1, backend="reference")])


def test_label_overlap_across_blocks():
    labels = torch.arange(2500, dtype=torch.int32).view(10, 250) // 700
    table = sk.label_overlap(on_device(labels), on_device(labels), 3, 3, backend="triton")
    assert_same([table.diagonal()], [torch.tensor([700, 700, 700, 400])])


def test_distance_transform(label_map):
    distance = sk.distance_transform(on_device(label_map), backend="triton")
    assert_same([distance], [sk.distance_transform(label_map, backend="reference")])


def test_distance_rows_across_blocks():
    from som_kernels.distance_transform import triton as module

    labels = torch.zeros(2, 67, dtype=torch.int32)
    labels[0, 40:42] = labels[0, 66] = labels[1, 15] = 3
    rows = torch.empty(2, 67, dtype=torch.int32, device=DEVICE)
    module.distance_rows_kernel[(2,)](on_device(labels), rows, 67, block=16)
    for row, measured in zip(labels.tolist(), rows.tolist(), strict=True):
        others = [-1, 67]
        for x, label in enumerate(row):
            differing = [q for q, there in enumerate(row) if there != label]
            assert measured[x] == min(abs(x - q) for q in others + differing)


def test_inscribed_circles(label_map):
    n = int(label_map.max()) + 2
    corner = label_map[:14, :17]  # is enough: the transform has tests of its own
    circles = sk.inscribed_circles(on_device(corner), n, backend="triton")
    assert_same(circles, sk.inscribed_circles(corner, n, backend="reference"))


def test_pack_masks(mask_stack):
    packed = sk.pack_masks(on_device(mask_stack), backend="triton")
    expected = sk.pack_masks(mask_stack, backend="reference")
    assert_same([packed.words, packed.boxes, packed.areas], [expected.words, expected.boxes, expected.areas])


def test_mask_iou(mask_stack):
    other = mask_stack.flip(0, 2)[:5]
    iou = sk.mask_iou(on_device(mask_stack), on_device(other), backend="triton")
    assert_same([iou], [sk.mask_iou(mask_stack, other, backend="reference")])


def test_mask_iou_over_several_stretches(monkeypatch):
    from som_kernels.mask_iou import triton as module

    monkeypatch.setattr(module, "SPLIT", 2)
    masks = torch.rand(3, 40, 100, generator=torch.Generator().manual_seed(42)) < 0.5
    packed = sk.pack_masks(on_device(masks))
    iou = sk.mask_iou(packed, packed, backend="triton")
    assert_same([iou], [sk.mask_iou(masks, masks, backend="reference")])


def test_paint_labels(mask_stack):
    order = list(range(len(mask_stack)))[::-1]
    labels = sk.paint_labels(on_device(mask_stack), order, backend="triton")
    assert_same([labels], [sk.paint_labels(mask_stack, order, backend="reference")])


@pytest.mark.skipif(INTERPRETED, reason="the interpreter is too slow for a whole picture")
def test_whole_pictures_choose_triton():
    y, x = torch.meshgrid(torch.arange(480), torch.arange(854), indexing="ij")
    labels = ((y // 61) * 9 + x // 97).to(torch.int32)
    n = int(labels.max())
    moved = labels.to(DEVICE)
    assert_same([sk.distance_transform(moved)], [sk.distance_transform(labels)])
    assert_same(sk.inscribed_circles(moved, n), sk.inscribed_circles(labels, n))
    assert_same([sk.label_overlap(moved, moved, n, n)], [sk.label_overlap(labels, labels, n, n)])
    masks = labels == torch.arange(n + 1)[:, None, None]
    assert_same([sk.mask_iou(masks.to(DEVICE), masks.to(DEVICE))], [sk.mask_iou(masks, masks)])
    image = torch.randint(0, 256, (480, 854, 3), dtype=torch.uint8)
    assert_same(sk.region_stats(moved, image.to(DEVICE), n), sk.region_stats(labels, image, n))
