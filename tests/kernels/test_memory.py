"""No CPU operation takes more than twice the memory of what goes in and comes out, beyond what went in.

Each is measured in a second call in a process of its own, which forgets its largest size before.
"""

import ctypes
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import som_kernels as sk

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self")]

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
OVERHEAD = 1 << 20  # stacks of threads and what the allocators round up

NAMES = [
    "distance_transform",
    "inscribed_circles",
    "label_overlap",
    "region_stats",
    "overlay_labels",
    "pack_labels",
    "pack_masks",
    "unpack",
    "mask_boxes",
    "mask_iou",
    "mask_iou of packed",
    "mask_nms",
    "mask_nms of packed",
    "paint_labels",
    "encode_rle",
    "remove_small_regions",
    "measure_logits",
    "threshold_logits",
    "select_masks",
    "select_masks without thresholds",
    "deformable_attention",
    "deformable_attention in half precision",
]
WASTEFUL = "copies as floats"


def cases() -> dict[str, tuple[Callable[[], Any], tuple[Any, ...]]]:
    """Each operation on inputs of 480p, and these inputs."""
    h, w, n = 480, 854, 60
    generator = torch.Generator().manual_seed(42)
    y, x = torch.arange(h)[:, None], torch.arange(w)
    masks = torch.stack(
        [
            (x - w * cx) ** 2 + (y - h * cy) ** 2 < (20 + 90 * r) ** 2
            for cx, cy, r in torch.rand(n, 3, generator=generator).tolist()
        ]
    )
    packed, order = sk.pack_masks(masks), list(range(n))
    labels = sk.paint_labels(packed, order)
    image = torch.randint(0, 256, (h, w, 3), dtype=torch.uint8, generator=generator)
    colors = torch.randint(0, 256, (n, 3), dtype=torch.uint8, generator=generator)
    members = torch.rand(n, n + 1, generator=generator) < 0.1
    scores = torch.rand(n, generator=generator)
    coarse = 8 * torch.randn(200, 1, 16, 16, generator=generator)
    logits = torch.nn.functional.interpolate(coarse, (256, 256), mode="bilinear")[:, 0].contiguous()
    sure = 0.5 + torch.rand(200, generator=generator) / 2
    way = sk.Resize.sam((256, 256), (1024, 1024), (576, 1024), (h, w))
    anything = {"score_threshold": 0, "stability_threshold": 0, "box_iou_threshold": 1}
    levels = ((60, 106), (30, 53), (15, 27), (8, 14))
    values = torch.randn(1, sum(h * w for h, w in levels), 8, 32, generator=generator)
    places = torch.rand(1, values.shape[1], 8, 4, 4, 2, generator=generator)
    weights = places[..., 0].clone()
    half = values.half()
    calls = [
        (lambda: sk.distance_transform(labels), (labels,)),
        (lambda: sk.inscribed_circles(labels, n), (labels,)),
        (lambda: sk.label_overlap(labels, labels, n, n), (labels,)),
        (lambda: sk.region_stats(labels, image, n), (labels, image)),
        (lambda: sk.overlay_labels(image, labels, colors, 0.12, 2), (image, labels, colors)),
        (lambda: sk.pack_labels(labels, members), (labels, members)),
        (lambda: sk.pack_masks(masks), (masks,)),
        (packed.unpack, (packed,)),
        (lambda: sk.mask_boxes(masks), (masks,)),
        (lambda: sk.mask_iou(masks, masks), (masks,)),
        (lambda: sk.mask_iou(packed, packed), (packed,)),
        (lambda: sk.mask_nms(masks, scores, 0.5), (masks, scores)),
        (lambda: sk.mask_nms(packed, scores, 0.5), (packed, scores)),
        (lambda: sk.paint_labels(packed, order), (packed,)),
        (lambda: sk.encode_rle(packed), (packed,)),
        (lambda: sk.remove_small_regions(packed, 100, "holes"), (packed,)),
        (lambda: sk.measure_logits(logits, resize=way), (logits,)),
        (lambda: sk.threshold_logits(logits, resize=way), (logits,)),
        (lambda: sk.select_masks(logits, sure, resize=way, min_area=100), (logits, sure)),
        (lambda: sk.select_masks(logits, sure, resize=way, min_area=100, **anything), (logits, sure)),
        (lambda: sk.deformable_attention(values, levels, places, weights), (values, places, weights)),
        (lambda: sk.deformable_attention(half, levels, places, weights), (half, places, weights)),
        (lambda: torch.stack([masks.float(), masks.float()]).amax((0, 2, 3)), (masks,)),
    ]
    return dict(zip([*NAMES, WASTEFUL], calls, strict=True))


def nbytes(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.nbytes
    if isinstance(value, sk.PackedMasks):
        return value.words.nbytes + value.boxes.nbytes + value.areas.nbytes
    return len(value) if isinstance(value, str) else sum(map(nbytes, value))


def size(name: str) -> int:
    """A line of the kernel's account of this process, in bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    torch.set_num_threads(2)
    found = {}
    for name, (call, inputs) in cases().items():
        call()
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        RESET.write_text("5")
        before = size("VmRSS")
        result = call()
        found[name] = {
            "rise": size("VmHWM") - before,
            "allowed": 2 * (nbytes(inputs) + nbytes(result)) + OVERHEAD,
        }
    sys.stdout.write(json.dumps(found))


@pytest.fixture(scope="module")
def rises():
    try:
        RESET.write_text("5")
    except OSError as error:
        pytest.skip(f"{RESET} may not be written: {error}")
    # Memory that is freed goes back at once, so that a second call has to ask for all of it again.
    environment = os.environ | {
        "PYTHONPATH": str(Path(sk.__path__[0]).parent),
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "MALLOC_TRIM_THRESHOLD_": "65536",
    }
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_no_operation_takes_much_more_than_it_gets_and_gives(rises, name):
    assert rises[name]["rise"] <= rises[name]["allowed"], rises[name]


def test_a_wasteful_function_would_be_found(rises):
    assert rises[WASTEFUL]["rise"] > rises[WASTEFUL]["allowed"]


if __name__ == "__main__":
    main()
