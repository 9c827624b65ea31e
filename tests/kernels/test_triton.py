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


@pytest.fixture
def few_masks(mask_stack):
    """No more masks than show everything: the interpreter takes its time for each."""
    return mask_stack[:9]


def triton_and_reference(function, *arguments, **options):
    """What both make of the arguments, each as a list of tensors; Triton gets them on its device."""
    moved = [on_device(a) if isinstance(a, torch.Tensor) else a for a in arguments]
    results = (
        function(*moved, **options, backend="triton"),
        function(*arguments, **options, backend="reference"),
    )
    return [as_tensors(result) for result in results]


def as_tensors(result):
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, sk.PackedMasks):
        return [result.words, result.boxes, result.areas]
    return [tensor for part in result for tensor in as_tensors(part)]


def test_label_overlap(label_map):
    other, n = label_map.flip(0, 1), int(label_map.max()) + 2
    assert_same(*triton_and_reference(sk.label_overlap, label_map, other, n, n + 1))


def test_label_overlap_across_tiles():
    labels = torch.arange(2500, dtype=torch.int32).view(10, 250) // 700
    table = sk.label_overlap(on_device(labels), on_device(labels), 3, 3, backend="triton")
    assert_same([table.diagonal()], [torch.tensor([700, 700, 700, 400])])


def test_region_stats(label_map):
    h, w = label_map.shape
    planes = torch.randint(0, 256, (3, h, w), dtype=torch.uint8, generator=torch.Generator().manual_seed(42))
    image = planes.permute(1, 2, 0)  # a view, channels first in memory
    assert_same(*triton_and_reference(sk.region_stats, label_map, image, int(label_map.max()) + 2))


def test_region_stats_across_tiles():
    labels = torch.arange(2500, dtype=torch.int32).view(10, 250) // 700
    image = torch.arange(7500).view(10, 250, 3).to(torch.uint8)
    assert_same(*triton_and_reference(sk.region_stats, labels, image, 3))


@pytest.mark.parametrize(("alpha", "line_px"), [(0.12, 2), (0.5, 0), (1.0, 3)])
def test_overlay_labels(label_map, alpha, line_px):
    labels = label_map[:24]
    generator = torch.Generator().manual_seed(42)
    planes = torch.randint(0, 256, (3, *labels.shape), dtype=torch.uint8, generator=generator)
    image = planes.permute(1, 2, 0)  # a view, channels first in memory
    colors = torch.randint(0, 256, (int(labels.max()) + 1, 3), dtype=torch.uint8, generator=generator)
    assert_same(*triton_and_reference(sk.overlay_labels, image, labels, colors, alpha, line_px))


def test_overlay_labels_across_tiles():
    labels = torch.arange(2500, dtype=torch.int32).view(10, 250) // 700
    image = torch.arange(7500).view(10, 250, 3).to(torch.uint8)
    colors = torch.arange(9).view(3, 3).to(torch.uint8)
    assert_same(*triton_and_reference(sk.overlay_labels, image, labels, colors, 0.3, 1))


def test_distance_transform(label_map):
    assert_same(*triton_and_reference(sk.distance_transform, label_map[:24]))


def test_distance_rows_across_blocks():
    from som_kernels.distance_transform import triton as module

    labels = torch.zeros(2, 67, dtype=torch.int32)
    labels[0, 40:42] = labels[0, 66] = labels[1, 15] = 3
    rows = torch.empty(2, 67, dtype=torch.int32, device=DEVICE)
    module.distance_rows_kernel[(2,)](on_device(labels), rows, 67, 67, 1, block=16)
    for row, measured in zip(labels.tolist(), rows.tolist(), strict=True):
        others = [-1, 67]
        for x, label in enumerate(row):
            differing = [q for q, there in enumerate(row) if there != label]
            assert measured[x] == min(abs(x - q) for q in others + differing)


def test_inscribed_circles(label_map):
    n = int(label_map.max()) + 2
    corner = label_map[:14, :17]  # is enough: the transform has tests of its own
    assert_same(*triton_and_reference(sk.inscribed_circles, corner, n))


def test_pack_masks(few_masks):
    assert_same(*triton_and_reference(sk.pack_masks, few_masks))


def test_unpack_masks(few_masks):
    from som_kernels.pack_masks.triton import unpack_masks

    packed = sk.pack_masks(few_masks, backend="reference")
    assert_same([unpack_masks(on_device(packed.words), packed.width)], [few_masks])


def test_unpack_every_second_mask():
    from som_kernels.pack_masks.triton import unpack_masks

    masks = torch.rand(5, 7, 70, generator=torch.Generator().manual_seed(42)) < 0.5
    packed = sk.pack_masks(masks, backend="reference")[::2]
    assert_same([unpack_masks(on_device(packed.words), packed.width)], [masks[::2]])


def test_pack_labels(label_map):
    members = torch.rand(3, int(label_map.max()) + 3, generator=torch.Generator().manual_seed(42)) < 0.4
    assert_same(*triton_and_reference(sk.pack_labels, label_map, members))


def test_mask_boxes(few_masks):
    assert_same(*triton_and_reference(sk.mask_boxes, few_masks))


def test_mask_iou(mask_stack):
    assert_same(*triton_and_reference(sk.mask_iou, mask_stack, mask_stack.flip(0, 2)[:5]))


def test_mask_iou_over_several_stretches(monkeypatch):
    from som_kernels.mask_iou import triton as module

    monkeypatch.setattr(module, "SPLIT", 2)
    masks = torch.rand(3, 40, 100, generator=torch.Generator().manual_seed(42)) < 0.5
    masks[1, :17] = False  # so that the masks' rows differ
    packed = sk.pack_masks(on_device(masks), backend="triton")
    iou = sk.mask_iou(packed, packed, backend="triton")
    assert_same([iou], [sk.mask_iou(masks, masks, backend="reference")])


@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_mask_nms(few_masks, threshold):
    scores = torch.arange(len(few_masks)).remainder(3).float()  # with ties
    assert_same(*triton_and_reference(sk.mask_nms, few_masks, scores, threshold))


def test_mask_nms_at_the_threshold():
    masks = torch.zeros(2, 1, 10, dtype=torch.bool)
    masks[0, 0, :10] = masks[1, 0, :7] = True  # IoU 0.7, which float32 rounds down
    for threshold in (0.7, 0.69999, 0.70001):
        assert_same(*triton_and_reference(sk.mask_nms, masks, torch.tensor([2.0, 1.0]), threshold))


@pytest.mark.slow
def test_mask_nms_in_batches():
    generator = torch.Generator().manual_seed(42)
    masks = torch.zeros(40, 4, 128, dtype=torch.bool)  # 16 words each, so batches are of 16
    for mask, x in zip(masks, torch.randint(0, 100, (40,), generator=generator).tolist(), strict=True):
        mask[1:3, x : x + 28] = True
    scores = torch.rand(40, generator=generator)
    results = triton_and_reference(sk.mask_nms, masks, scores, 0.4)
    assert_same(*results)
    assert 2 < len(results[0][0]) < 20


def test_paint_labels(few_masks):
    order = list(range(len(few_masks)))[::-1]
    assert_same(*triton_and_reference(sk.paint_labels, few_masks, order))


def test_paint_labels_in_part():
    masks = torch.rand(5, 20, 150, generator=torch.Generator().manual_seed(42)) < 0.4
    for order in ([3, 0, 3, 1], []):
        assert_same(*triton_and_reference(sk.paint_labels, masks, order))


def test_measure_logits(logit_maps):
    logits, resize = logit_maps
    assert_same(*triton_and_reference(sk.measure_logits, logits, resize=resize))


def test_measure_logits_with_other_cutoffs():
    logits = torch.linspace(-3, 3, 40).view(1, 5, 8).float()
    resize = sk.Resize.steps((5, 8), ((40, 150), (33, 150)))
    for cutoff, offset in ((0.1, 0.0), (-7.0, 1.0), (7.0, 1.0), (0.3, 9.0)):
        options = {"cutoff": cutoff, "offset": offset, "resize": resize}
        assert_same(*triton_and_reference(sk.measure_logits, logits, **options))


def test_threshold_logits(logit_maps):
    logits, resize = logit_maps
    assert_same(*triton_and_reference(sk.threshold_logits, logits, resize=resize))


def test_threshold_logits_at_the_cutoff():
    logits = torch.tensor([[[0.1, 0.2, 0.7, 0.3]]])  # as float32, as the cutoff is compared
    for cutoff in (0.1, 0.2, 0.7):
        assert_same(*triton_and_reference(sk.threshold_logits, logits, cutoff=cutoff))


@pytest.mark.parametrize("what", ["holes", pytest.param("islands", marks=pytest.mark.slow)])
def test_remove_small_regions(mask_stack, what, monkeypatch):
    from som_kernels.remove_small_regions import triton as module

    monkeypatch.setattr(module, "BLOCK", 2048)  # the interpreter minds programs, not lanes
    monkeypatch.setattr(module, "PAIRS", 128)
    few = mask_stack[::4][:3, :16]
    assert_same(*triton_and_reference(sk.remove_small_regions, few, 9, what))


@pytest.mark.slow
@pytest.mark.parametrize("min_area", [0, 2, 2**31 - 1])
@pytest.mark.parametrize("what", ["holes", "islands"])
def test_remove_small_regions_of_noise_in_blocks(min_area, what, monkeypatch):
    from som_kernels.remove_small_regions import triton as module

    monkeypatch.setattr(module, "BLOCK", 32)
    monkeypatch.setattr(module, "PAIRS", 4)
    masks = torch.rand(1, 9, 45, generator=torch.Generator().manual_seed(42)) < 0.4
    assert_same(*triton_and_reference(sk.remove_small_regions, masks, min_area, what))


def test_remove_small_regions_keeps_the_first_of_equal_islands():
    masks = torch.zeros(2, 6, 40, dtype=torch.bool)
    # Two bars each. In 2 × 2 blocks the lower left one of the first mask has the smaller number.
    masks[0, 1, :2] = masks[0, 0, 30:32] = True
    masks[1, 4:6, 3] = masks[1, 5, 20:22] = True
    results = triton_and_reference(sk.remove_small_regions, masks, 5, "islands")
    assert_same(*results)
    kept = sk.PackedMasks(*(tensor.cpu() for tensor in results[0][:3]), width=40).unpack()
    assert kept.nonzero().tolist() == [[0, 0, 30], [0, 0, 31], [1, 4, 3], [1, 5, 3]]


def test_remove_small_regions_follows_a_spiral():
    spiral = torch.zeros(1, 17, 17, dtype=torch.bool)
    y, x, dy, dx = 0, 0, 0, 1
    for length in (16, 16, 16, 14, 14, 12, 12, 10, 10, 8, 8, 6, 6, 4, 4, 2):
        for _ in range(length):
            spiral[0, y, x] = True
            y, x = y + dy, x + dx
        dy, dx = dx, -dy
    for what in ("islands", "holes"):
        assert_same(*triton_and_reference(sk.remove_small_regions, spiral, 100, what))


def test_paint_labels_without_an_order(few_masks):
    assert_same(*triton_and_reference(sk.paint_labels, few_masks))


def test_encode_rle(few_masks):
    encoded = sk.encode_rle(on_device(few_masks), backend="triton")
    assert encoded == sk.encode_rle(few_masks, backend="reference")


def test_encode_rle_over_several_blocks_of_rows():
    masks = torch.rand(2, 150, 40, generator=torch.Generator().manual_seed(42)) < 0.5
    masks[1, :70] = masks[1, 130:] = False
    encoded = sk.encode_rle(on_device(masks), backend="triton")
    assert encoded == sk.encode_rle(masks, backend="reference")


def test_encode_rle_where_a_box_ends_with_a_word():
    masks = torch.zeros(1, 3, 64, dtype=torch.bool)
    masks[0, :, 20:32] = True  # the foot of its last column differs from the head of the next word
    encoded = sk.encode_rle(on_device(masks), backend="triton")
    assert encoded == sk.encode_rle(masks, backend="reference")


def attention(b, q, heads, dim, points, levels):
    """Arguments of `deformable_attention`; some points are beyond the borders or nowhere."""
    generator = torch.Generator().manual_seed(42)
    values = torch.randn(b, sum(h * w for h, w in levels), heads, dim, generator=generator)
    locations = 1.4 * torch.rand(b, q, heads, len(levels), points, 2, generator=generator) - 0.2
    for i, place in enumerate((float("nan"), float("inf"), -float("inf"), 1e30, -3e9, 2**31)):
        locations.view(-1)[i::101] = place
    return values, levels, locations, torch.randn(locations.shape[:-1], generator=generator)


def assert_sees_the_same(arguments, tolerance=1e-5):
    results, expected = triton_and_reference(sk.deformable_attention, *arguments)
    assert results[0].dtype == expected[0].dtype == arguments[0].dtype
    torch.testing.assert_close(results[0].cpu(), expected[0], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("b", "q", "heads", "dim", "points", "levels"),
    [
        (1, 3, 2, 8, 3, ((3, 4), (2, 1))),
        (2, 33, 1, 5, 1, ((7, 9), (4, 5), (1, 1))),  # more than a block, lanes without a number
        (1, 2, 1, 1, 2, ((1, 1),)),
        (0, 3, 2, 4, 2, ((2, 2),)),
        (2, 0, 2, 4, 2, ((2, 2),)),
    ],
)
def test_deformable_attention(b, q, heads, dim, points, levels):
    assert_sees_the_same(attention(b, q, heads, dim, points, levels))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_deformable_attention_in_half_precision(dtype):
    values, levels, locations, weights = attention(1, 5, 2, 8, 2, ((6, 5), (3, 2)))
    tolerance = 2 * torch.finfo(dtype).eps
    assert_sees_the_same((values.to(dtype), levels, locations, weights), tolerance)
    assert_sees_the_same((values.to(dtype), levels, locations.to(dtype), weights.to(dtype)), tolerance)


@pytest.mark.skipif(INTERPRETED, reason="the interpreter is too slow for a whole picture")
def test_whole_pictures_choose_triton():
    y, x = torch.meshgrid(torch.arange(480), torch.arange(854), indexing="ij")
    labels = ((y // 61) * 9 + x // 97).to(torch.int32)
    n = int(labels.max())
    moved = labels.to(DEVICE)
    assert_same([sk.distance_transform(moved)], [sk.distance_transform(labels)])
    assert_same(sk.inscribed_circles(moved, n), sk.inscribed_circles(labels, n))
    assert_same([sk.label_overlap(moved, moved, n, n)], [sk.label_overlap(labels, labels, n, n)])
    image = torch.randint(0, 256, (480, 854, 3), dtype=torch.uint8)
    assert_same(sk.region_stats(moved, image.to(DEVICE), n), sk.region_stats(labels, image, n))
    colors = torch.randint(0, 256, (n, 3), dtype=torch.uint8)
    expected = sk.overlay_labels(image, labels, colors, 0.12, 2)
    assert_same([sk.overlay_labels(image.to(DEVICE), moved, colors.to(DEVICE), 0.12, 2)], [expected])
    members = torch.eye(n + 1, dtype=torch.bool)
    expected = as_tensors(sk.pack_labels(labels, members))
    assert_same(as_tensors(sk.pack_labels(moved, members.to(DEVICE))), expected)
    masks = labels == torch.arange(n + 1)[:, None, None]
    masks[::3] |= masks.roll(1, 0)[::3]  # some alike
    masks[1::3] ^= torch.rand(480, 854) < 0.001  # specks and holes
    there = masks.to(DEVICE)
    assert_same([sk.mask_iou(there, there)], [sk.mask_iou(masks, masks)])
    assert_same([sk.mask_boxes(there)], [sk.mask_boxes(masks)])
    packed = sk.pack_masks(there)
    assert_same(as_tensors(packed), as_tensors(sk.pack_masks(masks)))
    assert_same([packed.unpack()], [masks])
    order = list(range(len(masks)))
    assert_same([sk.paint_labels(packed, order)], [sk.paint_labels(masks, order)])
    scores = torch.rand(len(masks))
    assert_same([sk.mask_nms(packed, scores.to(DEVICE), 0.3)], [sk.mask_nms(masks, scores, 0.3)])
    for what in ("holes", "islands"):
        expected = sk.remove_small_regions(masks, 20, what)
        assert_same(as_tensors(sk.remove_small_regions(packed, 20, what)), as_tensors(expected))
    assert sk.encode_rle(packed) == sk.encode_rle(masks)


@pytest.mark.skipif(INTERPRETED, reason="the interpreter is too slow for a whole picture")
@pytest.mark.parametrize("queries", [8500, 1200])
def test_attention_to_a_whole_picture(queries):
    arguments = attention(2, queries, 8, 32, 4, ((80, 80), (40, 40), (20, 20), (10, 10)))
    assert_sees_the_same(arguments)
    assert_sees_the_same((arguments[0].half(), *arguments[1:]), 2e-3)


@pytest.mark.skipif(INTERPRETED, reason="the interpreter is too slow for a whole picture")
def test_logits_of_whole_pictures_choose_triton():
    small = torch.randn(64, 16, 16, generator=torch.Generator().manual_seed(42)) * 4
    logits = torch.nn.functional.interpolate(small[None], (256, 256), mode="bilinear")[0]
    resize = sk.Resize.sam((256, 256), (1024, 1024), (576, 1024), (480, 854))
    there = logits.to(DEVICE)
    assert_same(sk.measure_logits(there, resize=resize), sk.measure_logits(logits, resize=resize))
    expected = as_tensors(sk.threshold_logits(logits, resize=resize))
    assert_same(as_tensors(sk.threshold_logits(there, resize=resize)), expected)
