"""Triton kernels read strided inputs in place, also where elements lie more than 2^31 from the first.

The storage is of zeros that nobody has touched, so the gigabytes are only addresses.
"""

import math
import os

import numpy as np
import pytest
import torch

import som_kernels as sk

pytestmark = pytest.mark.gpu

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cpu" if INTERPRETED else "cuda")
FAR = 2**30 + 40  # twice this is beyond int32


def far_apart(tensor, axis=0):
    """The same values, with `FAR` elements from one index of `axis` to the next."""
    strides, size = [FAR] * tensor.ndim, 1
    for i in reversed(range(tensor.ndim)):
        if i != axis:
            strides[i], size = size, size * tensor.shape[i]
    size += FAR * (tensor.shape[axis] - 1)
    if INTERPRETED:
        storage = torch.from_numpy(np.zeros(size, tensor.numpy().dtype))
    elif torch.cuda.mem_get_info()[0] > 1.2 * size * tensor.element_size():
        storage = torch.zeros(size, dtype=tensor.dtype, device=DEVICE)
    else:
        pytest.skip("this GPU has too little memory for far addresses")
    return storage.as_strided(tensor.shape, strides).copy_(tensor)


def assert_same(results, expected):
    for one, other in zip(results, expected, strict=True):
        assert torch.equal(one.cpu(), other)


def random_masks(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(42)) < 0.6


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_masks(axis):
    shape = [4, 5, 6]
    shape[axis] = 3
    masks = random_masks(*shape)
    there = far_apart(masks, axis)
    packed, expected = sk.pack_masks(there, backend="triton"), sk.pack_masks(masks, backend="reference")
    assert_same([packed.words, packed.boxes, packed.areas], [expected.words, expected.boxes, expected.areas])
    assert_same([sk.mask_boxes(there, backend="triton")], [expected.boxes])


@pytest.mark.parametrize("axis", [0, 1])
def test_label_maps(axis):
    shape = [8, 8]
    shape[axis] = 3
    labels = random_masks(*shape).int() + random_masks(*shape).int().flip(0)  # 0 to 2
    there, compact = far_apart(labels, axis), labels.to(DEVICE)
    for pair in ((there, compact), (compact, there)):
        table = sk.label_overlap(*pair, 2, 2, backend="triton")
        assert_same([table], [sk.label_overlap(labels, labels, 2, 2, backend="reference")])
    distance = sk.distance_transform(there, backend="triton")
    assert_same([distance], [sk.distance_transform(labels, backend="reference")])
    circles = sk.inscribed_circles(there, 2, backend="triton")
    assert_same(circles, sk.inscribed_circles(labels, 2, backend="reference"))
    members = torch.tensor([[False, True, False], [True, False, True]])
    packed = sk.pack_labels(there, members.to(DEVICE), backend="triton")
    assert_same([packed.words], [sk.pack_labels(labels, members, backend="reference").words])
    image = torch.arange(72).view(*labels.shape, 3).to(torch.uint8)
    stats = sk.region_stats(there, image.to(DEVICE), 2, backend="triton")
    assert_same(stats, sk.region_stats(labels, image, 2, backend="reference"))
    colors = torch.tensor([[250, 0, 9], [3, 200, 70]], dtype=torch.uint8)
    drawn = sk.overlay_labels(image.to(DEVICE), there, colors.to(DEVICE), 0.5, 1, backend="triton")
    assert_same([drawn], [sk.overlay_labels(image, labels, colors, 0.5, 1, backend="reference")])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_images(axis):
    shape = [4, 5, 3]
    shape[axis] = 3
    image = torch.arange(math.prod(shape)).to(torch.uint8).view(shape)
    labels = torch.ones(shape[:2], dtype=torch.int32)
    there = far_apart(image, axis)
    stats = sk.region_stats(labels.to(DEVICE), there, 1, backend="triton")
    assert_same(stats, sk.region_stats(labels, image, 1, backend="reference"))
    colors = torch.tensor([[250, 0, 9]], dtype=torch.uint8)
    drawn = sk.overlay_labels(there, labels.to(DEVICE), colors.to(DEVICE), 0.5, 1, backend="triton")
    assert_same([drawn], [sk.overlay_labels(image, labels, colors, 0.5, 1, backend="reference")])


@pytest.mark.parametrize("axis", [0, 1])
def test_colors(axis):
    labels = torch.arange(12, dtype=torch.int32).view(3, 4) % 4
    image = torch.arange(36).view(3, 4, 3).to(torch.uint8)
    colors = torch.arange(100, 109).view(3, 3).to(torch.uint8)
    moved = image.to(DEVICE), labels.to(DEVICE), far_apart(colors, axis)
    drawn = sk.overlay_labels(*moved, 0.5, 0, backend="triton")
    assert_same([drawn], [sk.overlay_labels(image, labels, colors, 0.5, 0, backend="reference")])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_logits(axis):
    shape = [3, 4, 5]
    shape[axis] = 3
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(42))
    there = far_apart(logits, axis)
    for resize in (None, sk.Resize.steps(shape[1:], ((10, 12), (10, 12)))):
        measures = sk.measure_logits(there, resize=resize, backend="triton")
        assert_same(measures, sk.measure_logits(logits, resize=resize, backend="reference"))
        packed = sk.threshold_logits(there, resize=resize, backend="triton")
        assert_same([packed.words], [sk.threshold_logits(logits, resize=resize, backend="reference").words])


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_attention_values(axis):
    shape = [2, 3, 2, 4]
    shape[axis] = 3
    values = torch.randn(shape, generator=torch.Generator().manual_seed(42))
    levels = ((shape[1], 1),)
    places = torch.rand(shape[0], 2, shape[2], 1, 2, 2, generator=torch.Generator().manual_seed(1))
    weights = places[..., 0]
    seen = sk.deformable_attention(
        far_apart(values, axis), levels, places.to(DEVICE), weights.to(DEVICE), backend="triton"
    )
    expected = sk.deformable_attention(values, levels, places, weights, backend="reference")
    torch.testing.assert_close(seen.cpu(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2, 3, 4, 5])
def test_attention_points(axis):
    shape = [2, 2, 2, 2, 2, 2]
    shape[axis] = 2 if axis == 5 else 3
    generator = torch.Generator().manual_seed(42)
    levels = ((2, 2),) * shape[3]
    values = torch.randn(shape[0], 4 * shape[3], shape[2], 4, generator=generator)
    places, weights = torch.rand(shape, generator=generator), torch.rand(shape[:-1], generator=generator)
    far = far_apart(places, axis), weights.to(DEVICE) if axis == 5 else far_apart(weights, axis)
    seen = sk.deformable_attention(values.to(DEVICE), levels, *far, backend="triton")
    expected = sk.deformable_attention(values, levels, places, weights, backend="reference")
    torch.testing.assert_close(seen.cpu(), expected, rtol=0, atol=1e-5)


def test_packed_masks():
    from som_kernels.pack_masks.triton import unpack_masks

    masks = random_masks(3, 6, 40)
    masks[:, 2] = False
    near = sk.pack_masks(masks, backend="reference")
    boxes, areas = near.boxes.to(DEVICE), near.areas.to(DEVICE)
    far = sk.PackedMasks(far_apart(near.words), boxes, areas, near.width)
    assert_same([unpack_masks(far.words, far.width)], [masks])
    assert_same([sk.mask_iou(far, far, backend="triton")], [sk.mask_iou(near, near, backend="reference")])
    scores = torch.tensor([1.0, 3.0, 2.0])
    keep = sk.mask_nms(far, scores.to(DEVICE), 0.4, backend="triton")
    assert_same([keep], [sk.mask_nms(near, scores, 0.4, backend="reference")])
    order = [1, 2, 0]
    painted = sk.paint_labels(far, order, backend="triton")
    assert_same([painted], [sk.paint_labels(near, order, backend="reference")])
    assert sk.encode_rle(far, backend="triton") == sk.encode_rle(near, backend="reference")
    done, changed = sk.remove_small_regions(far, 4, "holes", backend="triton")
    expected, differ = sk.remove_small_regions(near, 4, "holes", backend="reference")
    assert_same([done.words, changed], [expected.words, differ])
