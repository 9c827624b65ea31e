"""What is measured: each operation on typical inputs, with its implementations and the ways others do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from pycocotools import mask as coco
from scipy import ndimage

import som_kernels as sk

__all__ = ["CASES", "Case", "Contestant"]


@dataclass(frozen=True)
class Contestant:
    """One way to the answer.

    Attributes:
        name: an implementation's backend, or what a peer is called.
        run: does the work and returns its result; this is timed.
        view: turns the result into arrays to compare with the truth; not timed.
    """

    name: str
    run: Callable[[], Any]
    view: Callable[[Any], Any] = lambda result: result


@dataclass(frozen=True)
class Case:
    """One operation on one input.

    Attributes:
        op: the operation's name.
        shape: width x height and the number of regions or masks.
        contestants: builds the inputs and returns the contestants; the first one is the truth.
    """

    op: str
    shape: str
    contestants: Callable[[], list[Contestant]]


def label_map(w: int, h: int, n: int, seed: int) -> torch.Tensor:
    """Cells around `n` random points, `[h, w] int32` with labels 1 to n, and some ground between them."""
    rng = np.random.default_rng(seed)
    seeds = np.ones((h, w), np.uint8)
    seeds.flat[rng.choice(h * w, n, replace=False)] = 0
    distance, cells = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    cells[distance > 1.1 * np.sqrt(h * w / n / np.pi) + 2] = 0
    return torch.from_numpy(cells)


def mask_stack(w: int, h: int, n: int, seed: int) -> torch.Tensor:
    """Filled ellipses that overlap, `[n, h, w] bool`."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, h, w), np.uint8)
    for mask in masks:
        size = h * np.exp(rng.uniform(np.log(0.02), np.log(0.35)))
        axes = max(1, int(size)), max(1, int(size * rng.uniform(0.4, 1)))
        centre = int(rng.integers(w)), int(rng.integers(h))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return torch.from_numpy(masks.view(bool))


def ours(op: Callable[..., Any], *inputs: Any, view: Callable[[Any], Any] | None = None) -> list[Contestant]:
    """The implementations of an operation that this machine can run, the reference first."""
    options = {} if view is None else {"view": view}
    found = [Contestant(name, partial(op, *inputs, backend=name), **options) for name in ("reference", "cpu")]
    if torch.cuda.is_available():
        moved = [value.cuda() if isinstance(value, torch.Tensor) else value for value in inputs]

        def on_gpu() -> Any:
            result = op(*moved)
            torch.cuda.synchronize()
            return result

        found.append(Contestant("gpu", on_gpu, **options))
    return found


def overlap(w: int, h: int, n: int) -> list[Contestant]:
    """Contingency of two label maps, against encoding both for pycocotools."""
    a, b = label_map(w, h, n, 0), label_map(w, h, n, 1)

    def iou(table: torch.Tensor) -> torch.Tensor:
        table = table.cpu()
        meet = table[1:, 1:]
        unions = table.sum(1)[1:, None] + table.sum(0)[None, 1:] - meet
        return meet / unions.clamp(min=1)

    masks = [(labels == torch.arange(1, n + 1)[:, None, None]).numpy() for labels in (a, b)]
    return [
        *ours(sk.label_overlap, a, b, n, n, view=iou),
        Contestant("pycocotools", lambda: coco_iou(*masks)),
    ]


def coco_iou(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> Any:
    """Run-length encode both sides and compare, as COCO's evaluation does."""
    sides = [coco.encode(np.asfortranarray(side.view(np.uint8).transpose(1, 2, 0))) for side in (a, b)]
    return coco.iou(*sides, [0] * len(b))


def iou(w: int, h: int, n: int) -> list[Contestant]:
    """IoU of overlapping masks, packing included."""
    a, b = mask_stack(w, h, n, 0), mask_stack(w, h, n, 1)
    packed = sk.pack_masks(a), sk.pack_masks(b)

    def matmul() -> torch.Tensor:
        flat_a, flat_b = a.flatten(1).float(), b.flatten(1).float()
        meet = flat_a @ flat_b.T
        return meet / (flat_a.sum(1)[:, None] + flat_b.sum(1) - meet).clamp(min=1)

    def dense() -> npt.NDArray[np.float64]:
        out = np.zeros((n, n))
        for i, one in enumerate(a.numpy()):
            meet = np.logical_and(one, b.numpy()).sum(axis=(1, 2))
            out[i] = meet / np.maximum(np.logical_or(one, b.numpy()).sum(axis=(1, 2)), 1)
        return out

    return [
        *ours(sk.mask_iou, a, b),
        Contestant("cpu, packed before", partial(sk.mask_iou, *packed)),
        Contestant("numpy dense", dense),
        Contestant("torch matmul", matmul),
        Contestant("pycocotools", partial(coco_iou, a.numpy(), b.numpy())),
    ]


def transform_each(labels: torch.Tensor, n: int, transform: Callable[[Any], Any]) -> npt.NDArray[np.float32]:
    """One full-frame transform a label, as the published Set-of-Mark code does."""
    out = np.zeros(labels.shape, np.float32)
    for label in range(n + 1):
        mask = np.pad(labels.numpy() == label, 1).view(np.uint8)
        out += transform(mask)[1:-1, 1:-1].astype(np.float32)
    return out


def opencv_exact(mask: Any) -> Any:
    """OpenCV's exact transform of one mask."""
    return cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def distance(w: int, h: int, n: int) -> list[Contestant]:
    """Distance transform of all labels; SciPy is the truth, the reference would take seconds."""
    labels = label_map(w, h, n, 0)
    return [
        Contestant("scipy each mask", partial(transform_each, labels, n, ndimage.distance_transform_edt)),
        Contestant("cv2 each mask", partial(transform_each, labels, n, opencv_exact)),
        *ours(sk.distance_transform, labels)[1:],
    ]


def circles(w: int, h: int, n: int) -> list[Contestant]:
    """Largest inscribed circles; only the radii are compared: the peer takes any of the equals."""
    labels = label_map(w, h, n, 0)

    def each() -> npt.NDArray[np.float32]:
        masks = [np.pad(labels.numpy() == label, 1).view(np.uint8) for label in range(1, n + 1)]
        return np.array([cv2.minMaxLoc(opencv_exact(mask))[1] for mask in masks], np.float32)

    return [
        Contestant("cv2 each mask", each),
        *ours(sk.inscribed_circles, labels, n, view=lambda result: result[1])[1:],
    ]


def paint(w: int, h: int, n: int) -> list[Contestant]:
    """Masks over each other."""
    masks = mask_stack(w, h, n, 0)

    def copies() -> npt.NDArray[np.int32]:
        labels = np.zeros((h, w), np.int32)
        for i, mask in enumerate(masks.numpy()):
            np.copyto(labels, i + 1, where=mask)
        return labels

    return [*ours(sk.paint_labels, masks, range(n)), Contestant("numpy copyto", copies)]


def stats(w: int, h: int, n: int) -> list[Contestant]:
    """Area, box, centroid and colour; the peer has only areas and colours, and only those are compared."""
    labels = label_map(w, h, n, 0)
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8))

    def labelled() -> Any:
        index = np.arange(1, n + 1)
        colours = [ndimage.mean(image.numpy()[..., c], labels.numpy(), index) for c in range(3)]
        return np.bincount(labels.numpy().ravel(), minlength=n + 1)[1:], np.stack(colours, axis=1)

    return [
        *ours(sk.region_stats, labels, image, n, view=lambda result: (result.areas, result.colours)),
        Contestant("scipy.ndimage", labelled),
    ]


def cases(
    op: str, make: Callable[[int, int, int], list[Contestant]], *shapes: tuple[int, int, int]
) -> list[Case]:
    """One case for each width, height and number."""
    return [Case(op, f"{w}x{h} n={n}", partial(make, w, h, n)) for w, h, n in shapes]


CASES: list[Case] = [
    *cases("label_overlap", overlap, (480, 270, 30), (480, 270, 300), (854, 480, 200)),
    *cases("mask_iou", iou, (480, 270, 30), (854, 480, 80)),
    *cases("distance_transform", distance, (480, 270, 30), (480, 270, 300)),
    *cases("inscribed_circles", circles, (480, 270, 30), (480, 270, 300), (854, 480, 80)),
    *cases("paint_labels", paint, (480, 270, 30), (854, 480, 200)),
    *cases("region_stats", stats, (480, 270, 30), (480, 270, 300)),
]
