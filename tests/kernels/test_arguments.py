"""Bad arguments: one clear error that names the argument and shows its value."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import som_kernels as sk

LABELS = torch.tensor([[0, 1], [2, 3]], dtype=torch.int32)
MASKS = torch.zeros(2, 4, 5, dtype=torch.bool)
IMAGE = torch.zeros(2, 2, 3, dtype=torch.uint8)
COLORS = torch.zeros(3, 3, dtype=torch.uint8)
SCORES = torch.tensor([0.5, 0.6])
LOGITS = torch.zeros(2, 4, 5)
OTHER = sk.Resize.steps((8, 8), ((4, 5), (4, 5)))
NAN = float("nan")
VALUES = torch.zeros(2, 6, 3, 4)  # of two levels
LEVELS = ((2, 2), (1, 2))
PLACES = torch.zeros(2, 5, 3, 2, 7, 2)
WEIGHTS = PLACES[..., 0]

CASES = {
    "not-a-tensor": (
        lambda: sk.distance_transform(np.zeros((2, 2), np.int32)),
        TypeError,
        "`labels` must be a torch.Tensor of int32, got numpy.ndarray",
    ),
    "dtype": (lambda: sk.distance_transform(LABELS.long()), TypeError, "`labels` must be int32, got int64"),
    "mask-dtype": (lambda: sk.pack_masks(MASKS.byte()), TypeError, "`masks` must be bool, got uint8"),
    "dimensions": (
        lambda: sk.inscribed_circles(LABELS[None], 3),
        ValueError,
        r"`labels` must have shape \[H, W\] .*got \[1, 2, 2\]",
    ),
    "no-pixels": (lambda: sk.pack_masks(MASKS[:, :0]), ValueError, r"at least one pixel, got \[2, 0, 5\]"),
    "channels": (
        lambda: sk.region_stats(LABELS, IMAGE[..., :2], 3),
        ValueError,
        r"`image` must have shape \[H, W, 3\]",
    ),
    "sizes": (
        lambda: sk.mask_iou(MASKS, sk.pack_masks(MASKS[..., :4])),
        ValueError,
        "`a` and `b` must have the same picture size, got 4x5 and 4x4",
    ),
    "shapes": (
        lambda: sk.label_overlap(LABELS, LABELS[:1], 3, 3),
        ValueError,
        "`a` and `b` must have the same shape, got 2x2 and 1x2",
    ),
    "image-size": (
        lambda: sk.region_stats(LABELS, IMAGE[:1], 3),
        ValueError,
        "`labels` and `image` .* got 2x2 and 1x2",
    ),
    "devices": (
        lambda: sk.region_stats(LABELS, IMAGE.to("meta"), 3),
        ValueError,
        "`labels` and `image` must have the same device, got cpu and meta",
    ),
    "negative-label": (
        lambda: sk.distance_transform(LABELS - 3),
        ValueError,
        "`labels` must not hold negative labels, got -3",
    ),
    "label-too-large": (
        lambda: sk.label_overlap(LABELS, LABELS, 3, 2),
        ValueError,
        "`b` must hold labels up to `n_b`=2, got 3",
    ),
    "negative-n": (lambda: sk.inscribed_circles(LABELS, -1), ValueError, "`n` must not be negative, got -1"),
    "fraction": (lambda: sk.inscribed_circles(LABELS, 2.5), TypeError, "`n` must be a whole number, got 2.5"),
    "order-index": (
        lambda: sk.paint_labels(MASKS, [0, 2]),
        ValueError,
        "`order` must hold indices of the 2 masks, got 2",
    ),
    "order-negative": (
        lambda: sk.paint_labels(MASKS, torch.tensor([-1])),
        ValueError,
        "`order` must hold indices of the 2 masks, got -1",
    ),
    "order-type": (
        lambda: sk.paint_labels(MASKS, torch.tensor([0.0])),
        TypeError,
        "`order` must be one-dimensional and of integers, got float32",
    ),
    "order-word": (lambda: sk.paint_labels(MASKS, "01"), TypeError, "`order` must be a sequence .*got '01'"),
    "order-of-packed": (
        lambda: sk.paint_labels(sk.pack_masks(MASKS), [2]),
        ValueError,
        "`order` must hold indices of the 2 masks, got 2",
    ),
    "width": (
        lambda: sk.distance_transform(torch.zeros(1, 65536, dtype=torch.int32)),
        ValueError,
        "`labels` must be at most 65535 pixels a side, got 1x65536",
    ),
    "height": (
        lambda: sk.inscribed_circles(torch.zeros(65536, 1, dtype=torch.int32), 1),
        ValueError,
        "`labels` must be at most 65535 pixels a side, got 65536x1",
    ),
    "boxes-of-bytes": (lambda: sk.mask_boxes(MASKS.byte()), TypeError, "`masks` must be bool, got uint8"),
    "boxes-of-one": (
        lambda: sk.mask_boxes(MASKS[0]),
        ValueError,
        r"`masks` must have shape \[N, H, W\] .*got \[4, 5\]",
    ),
    "boxes-of-packed": (
        lambda: sk.mask_boxes(sk.pack_masks(MASKS)),
        TypeError,
        "`masks` must be a torch.Tensor of bool, got .*PackedMasks",
    ),
    "rle-of-list": (
        lambda: sk.encode_rle([MASKS]),
        TypeError,
        "`masks` must be PackedMasks or a torch.Tensor of bool, got builtins.list",
    ),
    "rle-of-floats": (lambda: sk.encode_rle(MASKS.float()), TypeError, "`masks` must be bool, got float32"),
    "rle-of-one": (lambda: sk.encode_rle(MASKS[0]), ValueError, r"`masks` must have shape .*got \[4, 5\]"),
    "paint-bytes": (lambda: sk.paint_labels(MASKS.byte(), []), TypeError, "`masks` must be bool, got uint8"),
    "area-negative": (
        lambda: sk.remove_small_regions(MASKS, -1, "holes"),
        ValueError,
        "`min_area` must not be negative, got -1",
    ),
    "area-fraction": (
        lambda: sk.remove_small_regions(MASKS, 2.5, "holes"),
        TypeError,
        "`min_area` must be a whole number, got 2.5",
    ),
    "area-word": (
        lambda: sk.remove_small_regions(MASKS, "3", "holes"),
        TypeError,
        "`min_area` must be a whole number, got '3'",
    ),
    "what": (
        lambda: sk.remove_small_regions(MASKS, 3, "specks"),
        ValueError,
        "`what` must be one of holes, islands, got 'specks'",
    ),
    "what-none": (
        lambda: sk.remove_small_regions(MASKS, 3, None),
        ValueError,
        "`what` must be one of holes, islands, got None",
    ),
    "cleaned-ints": (
        lambda: sk.remove_small_regions(MASKS.int(), 3, "holes"),
        TypeError,
        "`masks` must be bool, got int32",
    ),
    "nms-masks": (
        lambda: sk.mask_nms(MASKS.int(), SCORES, 0.5),
        TypeError,
        "`masks` must be bool, got int32",
    ),
    "nms-scores": (
        lambda: sk.mask_nms(MASKS, SCORES.double(), 0.5),
        TypeError,
        "`scores` must be float32, got float64",
    ),
    "nms-scores-list": (
        lambda: sk.mask_nms(MASKS, [0.5, 0.6], 0.5),
        TypeError,
        "`scores` must be a torch.Tensor of float32, got builtins.list",
    ),
    "nms-scores-shape": (
        lambda: sk.mask_nms(MASKS, SCORES[None], 0.5),
        ValueError,
        r"`scores` must have shape \[N\].* got \[1, 2\]",
    ),
    "nms-length": (
        lambda: sk.mask_nms(MASKS, SCORES[:1], 0.5),
        ValueError,
        "`masks` and `scores` must have the same length, got 2 and 1",
    ),
    "nms-devices": (
        lambda: sk.mask_nms(sk.pack_masks(MASKS), SCORES.to("meta"), 0.5),
        ValueError,
        "`masks` and `scores` must have the same device, got cpu and meta",
    ),
    "nms-nan": (
        lambda: sk.mask_nms(MASKS, torch.tensor([1.0, NAN]), 0.5),
        ValueError,
        "`scores` must not be NaN, got NaN at index 1",
    ),
    "nms-threshold": (
        lambda: sk.mask_nms(MASKS, SCORES, 1.5),
        ValueError,
        "`iou_threshold` must be 0 to 1, got 1.5",
    ),
    "nms-threshold-negative": (
        lambda: sk.mask_nms(MASKS, SCORES, -0.1),
        ValueError,
        "`iou_threshold` must be 0 to 1, got -0.1",
    ),
    "nms-threshold-nan": (
        lambda: sk.mask_nms(MASKS, SCORES, NAN),
        ValueError,
        "`iou_threshold` must be finite, got nan",
    ),
    "nms-threshold-word": (
        lambda: sk.mask_nms(MASKS, SCORES, "0.5"),
        TypeError,
        "`iou_threshold` must be a number, got '0.5'",
    ),
    "iou-devices": (
        lambda: sk.mask_iou(sk.pack_masks(MASKS), MASKS.to("meta")),
        ValueError,
        "`a` and `b` must have the same device, got cpu and meta",
    ),
    "logits-dtype": (
        lambda: sk.measure_logits(LOGITS.double()),
        TypeError,
        "`logits` must be float32, got float64",
    ),
    "logits-half": (
        lambda: sk.threshold_logits(LOGITS.half()),
        TypeError,
        "`logits` must be float32, got float16",
    ),
    "logits-shape": (
        lambda: sk.threshold_logits(LOGITS[0]),
        ValueError,
        r"`logits` must have shape \[N, H, W\] .*got \[4, 5\]",
    ),
    "logits-empty": (
        lambda: sk.stability_score(LOGITS[:, :0]),
        ValueError,
        r"`logits` .* with at least one pixel, got \[2, 0, 5\]",
    ),
    "logits-array": (
        lambda: sk.measure_logits(LOGITS.numpy()),
        TypeError,
        "`logits` must be a torch.Tensor of float32, got numpy.ndarray",
    ),
    "cutoff-nan": (
        lambda: sk.measure_logits(LOGITS, cutoff=NAN),
        ValueError,
        "`cutoff` must be finite, got nan",
    ),
    "cutoff-infinite": (
        lambda: sk.threshold_logits(LOGITS, cutoff=float("inf")),
        ValueError,
        "`cutoff` must be finite, got inf",
    ),
    "cutoff-word": (
        lambda: sk.threshold_logits(LOGITS, cutoff="0"),
        TypeError,
        "`cutoff` must be a number, got '0'",
    ),
    "offset-negative": (
        lambda: sk.stability_score(LOGITS, offset=-1),
        ValueError,
        "`offset` must be 0 to 1e\\+38, got -1",
    ),
    "offset-none": (
        lambda: sk.measure_logits(LOGITS, offset=None),
        TypeError,
        "`offset` must be a number, got None",
    ),
    "chosen-dtype": (
        lambda: sk.measure_logits(LOGITS, chosen=torch.tensor([0], dtype=torch.int32)),
        TypeError,
        "`chosen` must be int64, got int32",
    ),
    "chosen-list": (
        lambda: sk.threshold_logits(LOGITS, chosen=[0]),
        TypeError,
        "`chosen` must be a torch.Tensor of int64, got builtins.list",
    ),
    "chosen-index": (
        lambda: sk.threshold_logits(LOGITS, chosen=torch.tensor([0, 2])),
        ValueError,
        "`chosen` must hold indices of the 2 maps, got 2",
    ),
    "chosen-negative": (
        lambda: sk.stability_score(LOGITS, chosen=torch.tensor([1, -1])),
        ValueError,
        "`chosen` must hold indices of the 2 maps, got -1",
    ),
    "measure-another-map": (
        lambda: sk.measure_logits(LOGITS, resize=OTHER),
        ValueError,
        "`logits` and `resize` must have the same map size, got 4x5 and 8x8",
    ),
    "threshold-another-map": (
        lambda: sk.threshold_logits(LOGITS, resize=OTHER),
        ValueError,
        "`logits` and `resize` must have the same map size, got 4x5 and 8x8",
    ),
    "select-another-map": (
        lambda: sk.select_masks(LOGITS, SCORES, resize=OTHER, score_threshold=0),
        ValueError,
        "`logits` and `resize` must have the same map size, got 4x5 and 8x8",
    ),
    "source-zero": (lambda: sk.Resize.steps((0, 4)), ValueError, "`source` must be at least 1x1, got 0x4"),
    "source-negative": (
        lambda: sk.Resize.sam((4, -1), (8, 8), (8, 8), (5, 5)),
        ValueError,
        "`source` must not be negative, got -1",
    ),
    "source-fraction": (
        lambda: sk.Resize.steps((4, 4.5)),
        TypeError,
        "`source` must be a whole number, got 4.5",
    ),
    "step-zero": (
        lambda: sk.Resize.steps((4, 4), ((8, 8), (0, 8))),
        ValueError,
        "`steps` must be at least 1x1, got 0x8",
    ),
    "step-word": (
        lambda: sk.Resize.steps((4, 4), ((8, "8"), (8, 8))),
        TypeError,
        "`steps` must be a whole number, got '8'",
    ),
    "part-of-a-step": (
        lambda: sk.Resize.steps((4, 4), ((8, 8), (8, 9))),
        ValueError,
        "`steps` must keep a part of at most 8x8, got 8x9",
    ),
    "select-logits": (
        lambda: sk.select_masks(LOGITS.double(), SCORES),
        TypeError,
        "`logits` must be float32, got float64",
    ),
    "select-scores": (
        lambda: sk.select_masks(LOGITS, SCORES.double()),
        TypeError,
        "`scores` must be float32, got float64",
    ),
    "select-length": (
        lambda: sk.select_masks(LOGITS, SCORES[:1]),
        ValueError,
        "`logits` and `scores` must have the same length, got 2 and 1",
    ),
    "select-devices": (
        lambda: sk.select_masks(LOGITS, SCORES.to("meta")),
        ValueError,
        "`logits` and `scores` must have the same device, got cpu and meta",
    ),
    "select-cutoff": (
        lambda: sk.select_masks(LOGITS, SCORES, cutoff=NAN),
        ValueError,
        "`cutoff` must be finite, got nan",
    ),
    "resize-type": (
        lambda: sk.measure_logits(LOGITS, resize="4x5"),
        TypeError,
        "`resize` must be a som_kernels.Resize, got builtins.str",
    ),
    "cutoff-beyond-float32": (
        lambda: sk.threshold_logits(LOGITS, cutoff=1e39),
        ValueError,
        "`cutoff` must be -1e\\+38 to 1e\\+38, got 1e\\+39",
    ),
    "chosen-device": (
        lambda: sk.measure_logits(LOGITS, chosen=torch.zeros(1, dtype=torch.int64).to("meta")),
        ValueError,
        "`logits` and `chosen` must have the same device, got cpu and meta",
    ),
    "size-of-one-side": (
        lambda: sk.Resize.steps((4,)),
        TypeError,
        "`source` must have two sides each, got \\(4,\\)",
    ),
    "size-of-none": (lambda: sk.Resize.steps(None), TypeError, "`source` must have two sides each, got None"),
    "step-without-part": (
        lambda: sk.Resize.steps((4, 4), ((8, 8),)),
        TypeError,
        "`steps` must have two sizes each, got \\(\\(8, 8\\),\\)",
    ),
    "sam-padded": (
        lambda: sk.Resize.sam((4, 4), 8, (8, 8), (5, 5)),
        TypeError,
        "`padded` must have two sides each, got 8",
    ),
    "one-packed-mask": (
        lambda: sk.pack_masks(MASKS)[0],
        TypeError,
        "`index` must be a slice or a torch.Tensor, got builtins.int",
    ),
    "iterated-packed-masks": (
        lambda: list(sk.pack_masks(MASKS)),
        TypeError,
        "`index` must be a slice or a torch.Tensor, got builtins.int",
    ),
    "array-for-a-number": (
        lambda: sk.mask_nms(MASKS, torch.ones(2), torch.zeros(3, 3)),
        TypeError,
        "`iou_threshold` must be a number, got tensor\\(\\[\\[0., 0., 0.\\], \\[0., 0., 0.\\]",
    ),
    "n-beyond-labels": (
        lambda: sk.inscribed_circles(LABELS, 2**70),
        ValueError,
        "`n` must be at most 2147483647, got 1180591620717411303424",
    ),
    "select-offset": (
        lambda: sk.select_masks(LOGITS, SCORES, offset=-2),
        ValueError,
        "`offset` must be 0 to 1e\\+38, got -2",
    ),
    "score-threshold-nan": (
        lambda: sk.select_masks(LOGITS, SCORES, score_threshold=NAN),
        ValueError,
        "`score_threshold` must be finite, got nan",
    ),
    "score-threshold-word": (
        lambda: sk.select_masks(LOGITS, SCORES, score_threshold="1"),
        TypeError,
        "`score_threshold` must be a number, got '1'",
    ),
    "stability-threshold": (
        lambda: sk.select_masks(LOGITS, SCORES, stability_threshold=2),
        ValueError,
        "`stability_threshold` must be 0 to 1, got 2",
    ),
    "box-iou-threshold": (
        lambda: sk.select_masks(LOGITS, SCORES, box_iou_threshold=-0.1),
        ValueError,
        "`box_iou_threshold` must be 0 to 1, got -0.1",
    ),
    "box-iou-threshold-none": (
        lambda: sk.select_masks(LOGITS, SCORES, box_iou_threshold=None),
        TypeError,
        "`box_iou_threshold` must be a number, got None",
    ),
    "select-area": (
        lambda: sk.select_masks(LOGITS, SCORES, min_area=0.5),
        TypeError,
        "`min_area` must be a whole number, got 0.5",
    ),
    "members-device": (
        lambda: sk.pack_labels(LABELS, MASKS[0].to("meta")),
        ValueError,
        "`labels` and `members` must have the same device, got cpu and meta",
    ),
    "members-dtype": (
        lambda: sk.pack_labels(LABELS, torch.ones(2, 4)),
        TypeError,
        "`members` must be bool, got float32",
    ),
    "overlay-image": (
        lambda: sk.overlay_labels(IMAGE.float(), LABELS, COLORS, 0.5, 2),
        TypeError,
        "`image` must be uint8, got float32",
    ),
    "overlay-grey": (
        lambda: sk.overlay_labels(IMAGE[..., 0], LABELS, COLORS, 0.5, 2),
        ValueError,
        r"`image` must have shape \[H, W, 3\] .*got \[2, 2\]",
    ),
    "overlay-labels": (
        lambda: sk.overlay_labels(IMAGE, LABELS.long(), COLORS, 0.5, 2),
        TypeError,
        "`labels` must be int32, got int64",
    ),
    "overlay-size": (
        lambda: sk.overlay_labels(IMAGE, LABELS[:1], COLORS, 0.5, 2),
        ValueError,
        "`image` and `labels` must have the same picture size, got 2x2 and 1x2",
    ),
    "overlay-colors": (
        lambda: sk.overlay_labels(IMAGE, LABELS, COLORS.int(), 0.5, 2),
        TypeError,
        "`colors` must be uint8, got int32",
    ),
    "overlay-colors-shape": (
        lambda: sk.overlay_labels(IMAGE, LABELS, COLORS[:, :2], 0.5, 2),
        ValueError,
        r"`colors` must have shape \[N, 3\], got \[3, 2\]",
    ),
    "overlay-devices": (
        lambda: sk.overlay_labels(IMAGE, LABELS.to("meta"), COLORS, 0.5, 2),
        ValueError,
        "`image` and `labels` must have the same device, got cpu and meta",
    ),
    "overlay-colors-device": (
        lambda: sk.overlay_labels(IMAGE, LABELS, COLORS.to("meta"), 0.5, 2),
        ValueError,
        "`image` and `colors` must have the same device, got cpu and meta",
    ),
    "overlay-label-without-color": (
        lambda: sk.overlay_labels(IMAGE, LABELS, COLORS[:2], 0.5, 2),
        ValueError,
        r"`labels` must hold labels up to `len\(colors\)`=2, got 3",
    ),
    "overlay-negative-label": (
        lambda: sk.overlay_labels(IMAGE, LABELS - 1, COLORS, 0.5, 2),
        ValueError,
        "`labels` must not hold negative labels, got -1",
    ),
    "overlay-alpha": (
        lambda: sk.overlay_labels(IMAGE, LABELS, COLORS, 1.01, 2),
        ValueError,
        "`alpha` must be 0 to 1, got 1.01",
    ),
    "overlay-alpha-nan": (
        lambda: sk.overlay_labels(IMAGE, LABELS, COLORS, NAN, 2),
        ValueError,
        "`alpha` must be finite, got nan",
    ),
    "overlay-alpha-word": (
        lambda: sk.overlay_labels(IMAGE, LABELS, COLORS, "half", 2),
        TypeError,
        "`alpha` must be a number, got 'half'",
    ),
    "overlay-line": (
        lambda: sk.overlay_labels(IMAGE, LABELS, COLORS, 0.5, 9),
        ValueError,
        "`line_px` must be 0 to 8, got 9",
    ),
    "overlay-line-negative": (
        lambda: sk.overlay_labels(IMAGE, LABELS, COLORS, 0.5, -1),
        ValueError,
        "`line_px` must not be negative, got -1",
    ),
    "overlay-line-fraction": (
        lambda: sk.overlay_labels(IMAGE, LABELS, COLORS, 0.5, 1.5),
        TypeError,
        "`line_px` must be a whole number, got 1.5",
    ),
    "attention-values": (
        lambda: sk.deformable_attention(VALUES.double(), LEVELS, PLACES, WEIGHTS),
        TypeError,
        "`values` must be float32 or float16 or bfloat16, got float64",
    ),
    "attention-no-cells": (
        lambda: sk.deformable_attention(VALUES[:, :0], LEVELS, PLACES, WEIGHTS),
        ValueError,
        r"`values` must have shape \[B, S, heads, dim\], got \[2, 0, 3, 4\]",
    ),
    "attention-locations": (
        lambda: sk.deformable_attention(VALUES, LEVELS, PLACES.int(), WEIGHTS),
        TypeError,
        "`locations` must be float32 or float16 or bfloat16, got int32",
    ),
    "attention-locations-shape": (
        lambda: sk.deformable_attention(VALUES, LEVELS, PLACES[..., :1], WEIGHTS),
        ValueError,
        r"`locations` must have shape \[B, Q, heads, levels, points, 2\], got \[2, 5, 3, 2, 7, 1\]",
    ),
    "attention-weights": (
        lambda: sk.deformable_attention(VALUES, LEVELS, PLACES, WEIGHTS[:, :2]),
        ValueError,
        "`locations` and `weights` must have the same shape, got 2x5x3x2x7 and 2x2x3x2x7",
    ),
    "attention-batch": (
        lambda: sk.deformable_attention(VALUES[:1], LEVELS, PLACES, WEIGHTS),
        ValueError,
        "`values` and `locations` must have the same batch, got 1 and 2",
    ),
    "attention-heads": (
        lambda: sk.deformable_attention(VALUES[:, :, :2], LEVELS, PLACES, WEIGHTS),
        ValueError,
        "`values` and `locations` must have the same heads, got 2 and 3",
    ),
    "attention-levels": (
        lambda: sk.deformable_attention(VALUES, LEVELS[:1], PLACES, WEIGHTS),
        ValueError,
        "`shapes` and `locations` must have the same levels, got 1 and 2",
    ),
    "attention-cells": (
        lambda: sk.deformable_attention(VALUES, ((2, 2), (1, 3)), PLACES, WEIGHTS),
        ValueError,
        "`values` and `shapes` must have the same cells, got 6 and 7",
    ),
    "attention-level-of-one-side": (
        lambda: sk.deformable_attention(VALUES, (4, 2), PLACES, WEIGHTS),
        TypeError,
        "`shapes` must have two sides each, got 4",
    ),
    "attention-level-of-nothing": (
        lambda: sk.deformable_attention(VALUES, ((6, 1), (0, 2)), PLACES, WEIGHTS),
        ValueError,
        "`shapes` must be at least 1x1, got 0x2",
    ),
    "attention-shapes": (
        lambda: sk.deformable_attention(VALUES, torch.tensor(LEVELS), PLACES, WEIGHTS),
        TypeError,
        "`shapes` must be a sequence of heights and widths, got torch.Tensor",
    ),
    "attention-device": (
        lambda: sk.deformable_attention(VALUES, LEVELS, PLACES, WEIGHTS.to("meta")),
        ValueError,
        "`values` and `weights` must have the same device, got cpu and meta",
    ),
    "attention-gradients": (
        lambda: sk.deformable_attention(VALUES, LEVELS, PLACES, WEIGHTS.clone().requires_grad_()),
        ValueError,
        r"`weights` must not want gradients, which do not pass here: call under torch.no_grad\(\)",
    ),
    "backend": (
        lambda: sk.mask_iou(MASKS, MASKS, backend="cuda"),
        ValueError,
        "`backend` must be one of reference, cpu, triton, got 'cuda'",
    ),
    "triton-on-cpu": (
        lambda: sk.distance_transform(LABELS, backend="triton"),
        ValueError,
        "`backend`='triton' needs tensors on a GPU, got tensors on cpu",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES.keys())
def test_bad_argument(call, error, message, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_cpu_backend_refuses_other_devices():
    from som_kernels._dispatch import implementation

    with pytest.raises(ValueError, match="`backend`='cpu' needs tensors on the CPU, got tensors on cuda:1"):
        implementation("som_kernels.mask_iou", "cpu", torch.device("cuda:1"))


EVERY_OPERATION = {
    "distance_transform": lambda **o: sk.distance_transform(LABELS, **o),
    "inscribed_circles": lambda **o: sk.inscribed_circles(LABELS, 3, **o),
    "label_overlap": lambda **o: sk.label_overlap(LABELS, LABELS, 3, 3, **o),
    "region_stats": lambda **o: sk.region_stats(LABELS, IMAGE, 3, **o),
    "overlay_labels": lambda **o: sk.overlay_labels(IMAGE, LABELS, COLORS, 0.5, 2, **o),
    "pack_labels": lambda **o: sk.pack_labels(LABELS, torch.ones(2, 4, dtype=torch.bool), **o),
    "pack_masks": lambda **o: sk.pack_masks(MASKS, **o),
    "mask_boxes": lambda **o: sk.mask_boxes(MASKS, **o),
    "mask_iou": lambda **o: sk.mask_iou(MASKS, MASKS, **o),
    "mask_nms": lambda **o: sk.mask_nms(MASKS, SCORES, 0.5, **o),
    "paint_labels": lambda **o: sk.paint_labels(MASKS, [0], **o),
    "encode_rle": lambda **o: sk.encode_rle(MASKS, **o),
    "remove_small_regions": lambda **o: sk.remove_small_regions(MASKS, 3, "holes", **o),
    "measure_logits": lambda **o: sk.measure_logits(LOGITS, **o),
    "stability_score": lambda **o: sk.stability_score(LOGITS, **o),
    "threshold_logits": lambda **o: sk.threshold_logits(LOGITS, **o),
    "select_masks": lambda **o: sk.select_masks(LOGITS, SCORES, **o),
    "deformable_attention": lambda **o: sk.deformable_attention(VALUES, LEVELS, PLACES, WEIGHTS, **o),
}


def test_every_operation_is_in_the_list():
    assert set(EVERY_OPERATION) == {name for name in sk.__all__ if name.islower()}


@pytest.mark.parametrize("call", EVERY_OPERATION.values(), ids=EVERY_OPERATION.keys())
def test_every_operation_has_all_backends(call, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    call(backend="reference")
    call(backend="cpu")
    with pytest.raises(ValueError, match="`backend`='triton' needs tensors on a GPU"):
        call(backend="triton")
    with pytest.raises(ValueError, match="`backend` must be one of reference, cpu, triton, got 'numba'"):
        call(backend="numba")


def test_backend_by_device():
    from som_kernels._dispatch import implementation

    def chosen(device):
        return implementation("som_kernels.region_stats", None, torch.device(device)).__name__

    assert chosen("cpu") == "som_kernels.region_stats.cpu"
    assert chosen("mps") == "som_kernels.region_stats.reference"


def test_scores_of_nan_are_not_above_a_threshold():
    assert sk.select_masks(LOGITS, torch.tensor([NAN, NAN]), score_threshold=0).indices.tolist() == []


def test_cpu_work_does_not_import_triton():
    code = (
        "import sys, torch, som_kernels as sk; print('numba' in sys.modules);"
        "l = torch.ones(4, 4, dtype=torch.int32); m = (l > 0)[None]; g = m.float(); s = g[0, 0, :1];"
        "sk.mask_iou(m, m); sk.label_overlap(l, l, 1, 1); sk.inscribed_circles(l, 1);"
        "sk.paint_labels(m, [0]); sk.distance_transform(l); sk.mask_boxes(m); sk.mask_nms(m, s, 0.5);"
        "sk.encode_rle(m); sk.remove_small_regions(m, 3, 'holes'); sk.measure_logits(g);"
        "sk.threshold_logits(g); sk.pack_labels(l, m[0]);"
        "i = torch.zeros(4, 4, 3, dtype=torch.uint8); sk.region_stats(l, i, 1);"
        "sk.overlay_labels(i, l, i[0], 0.5, 2);"
        "p = torch.zeros(1, 1, 1, 1, 1, 2); v = g.view(1, 16, 1, 1);"
        "sk.deformable_attention(v, [(4, 4)], p, p[..., 0]);"
        "print('triton' in sys.modules)"
    )
    path = {"PYTHONPATH": sk.__path__[0].rpartition("som_kernels")[0]}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
