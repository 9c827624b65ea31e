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
    "backend": (
        lambda: sk.mask_iou(MASKS, MASKS, backend="cuda"),
        ValueError,
        "`backend` of mask_iou must be one of reference, cpu, triton, got 'cuda'",
    ),
    "no-such-twin": (
        lambda: sk.region_stats(LABELS, IMAGE, 3, backend="triton"),
        ValueError,
        "`backend` of region_stats must be one of reference, cpu, got 'triton'",
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


def test_backend_by_device():
    from som_kernels._dispatch import implementation

    def chosen(device, **options):
        return implementation("som_kernels.region_stats", None, torch.device(device), **options).__name__

    assert chosen("cpu") == "som_kernels.region_stats.cpu"
    assert chosen("mps") == "som_kernels.region_stats.reference"
    assert chosen("cuda", available=("reference", "cpu")) == "som_kernels.region_stats.reference"


def test_cpu_work_does_not_import_triton():
    code = (
        "import sys, torch, som_kernels as sk; l = torch.ones(4, 4, dtype=torch.int32); m = (l > 0)[None];"
        "sk.mask_iou(m, m); sk.label_overlap(l, l, 1, 1); sk.inscribed_circles(l, 1);"
        "sk.paint_labels(m, [0]); sk.distance_transform(l);"
        "sk.region_stats(l, torch.zeros(4, 4, 3, dtype=torch.uint8), 1);"
        "print('triton' in sys.modules)"
    )
    path = {"PYTHONPATH": sk.__path__[0].rpartition("som_kernels")[0]}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
