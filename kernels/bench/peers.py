"""How others do it, each written from the description of the way or on top of the library that does it.

Whoever has masks has them as `[N, H, W] bool` from a network or a mask generator. What a peer must do before
it can use those is therefore timed, by the quickest way that we know; where it is not, that is said.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from pycocotools import mask as coco
from scipy import ndimage

Masks = npt.NDArray[np.bool_]
Labels = npt.NDArray[Any]


# pycocotools: runs down the columns


def fortran(masks: Masks) -> npt.NDArray[np.uint8]:
    """Masks as pycocotools wants them, `[H, W, N] uint8` in Fortran order.

    `np.asfortranarray` of the whole, as one reads it everywhere, takes twice as long.
    """
    n, h, w = masks.shape
    columns = np.empty((n, w, h), np.uint8)
    for mask, turned in zip(masks.view(np.uint8), columns, strict=True):
        cv2.transpose(mask, dst=turned)
    return columns.transpose(2, 1, 0)


def coco_encode(masks: Masks) -> list[dict[str, Any]]:
    """Run-length encode masks."""
    encoded: list[dict[str, Any]] = coco.encode(fortran(masks))
    return encoded


def coco_iou(a: Masks, b: Masks) -> Any:
    """Encode both sides and compare, as COCO's evaluation does."""
    return coco.iou(coco_encode(a), coco_encode(b), [0] * len(b))


# supervision


def supervision_iou(a: Any, b: Any) -> Any:
    """Intersection over union of dense masks, or of compact ones."""
    import supervision as sv

    return sv.mask_iou_batch(a, b)


def compact(masks: Masks, boxes: torch.Tensor) -> Any:
    """Masks cut to their boxes; supervision's detections carry boxes, so these are given."""
    import supervision as sv

    inclusive = boxes.numpy() - np.array([0, 0, 1, 1])
    return sv.CompactMask.from_dense(masks, inclusive, image_shape=masks.shape[1:])


def supervision_nms(masks: Masks, boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> Any:
    """Indices of the masks that supervision keeps."""
    import supervision as sv

    predictions = np.column_stack([boxes.numpy(), scores.numpy()]).astype(np.float64)
    return np.flatnonzero(sv.mask_non_max_suppression(predictions, masks, threshold))


# numpy and torch


def dense_iou(a: Masks, b: Masks) -> npt.NDArray[np.float64]:
    """Intersection over union in numpy, one mask of `a` after the other."""
    out = np.zeros((len(a), len(b)))
    for i, one in enumerate(a):
        meet = np.logical_and(one, b).sum(axis=(1, 2))
        out[i] = meet / np.maximum(np.logical_or(one, b).sum(axis=(1, 2)), 1)
    return out


def matmul_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over union by a product of matrices."""
    flat_a, flat_b = a.flatten(1).float(), b.flatten(1).float()
    meet = flat_a @ flat_b.T
    return meet / (flat_a.sum(1)[:, None] + flat_b.sum(1) - meet).clamp(min=1)


def greedy(iou: Any, scores: torch.Tensor, threshold: float) -> npt.NDArray[np.intp]:
    """Indices of the masks that stay, best score first, given all pairs."""
    order = np.argsort(-scores.numpy(), kind="stable")
    gone = np.zeros(len(order), bool)
    keep = []
    for i in order:
        if not gone[i]:
            keep.append(i)
            gone |= iou[i] > threshold
    return np.array(keep)


def bincount_iou(a: Labels, b: Labels, n: int) -> Any:
    """Intersection over union of labels 1 to `n` of two maps by one joint histogram."""
    joint = np.bincount(a.ravel() * (n + 1) + b.ravel(), minlength=(n + 1) ** 2)
    return table_iou(joint.reshape(n + 1, n + 1))


def table_iou(table: npt.NDArray[np.int64]) -> Any:
    """Intersection over union from the common pixels of every pair of labels, the ground's first."""
    meet = table[1:, 1:]
    return meet / np.maximum(table.sum(1)[1:, None] + table.sum(0)[1:] - meet, 1)


def copyto(masks: Masks, order: Any) -> npt.NDArray[np.int32]:
    """Masks painted over each other."""
    labels = np.zeros(masks.shape[1:], np.int32)
    for i in order:
        np.copyto(labels, i + 1, where=masks[i])
    return labels


def packbits(masks: Masks) -> tuple[Any, ...]:
    """Bits, boxes and areas of masks that are not empty."""
    h, w = masks.shape[1:]
    rows, columns = masks.any(axis=2), masks.any(axis=1)
    x1, y1 = w - columns[:, ::-1].argmax(axis=1), h - rows[:, ::-1].argmax(axis=1)
    boxes = np.stack([columns.argmax(axis=1), rows.argmax(axis=1), x1, y1], axis=1)
    return np.packbits(masks, axis=2, bitorder="little"), boxes, masks.sum(axis=(1, 2))


def scipy_stats(labels: Labels, image: npt.NDArray[np.uint8], n: int) -> tuple[Any, ...]:
    """Areas, boxes, centres of mass and colours of labels that are all there."""
    index = np.arange(1, n + 1)
    slices = ndimage.find_objects(labels, max_label=n)
    boxes = np.array([[x.start, y.start, x.stop, y.stop] for y, x in slices])
    ones = np.broadcast_to(np.float32(1), labels.shape)
    centres = np.array(ndimage.center_of_mass(ones, labels, index))[:, ::-1]
    colours = np.stack([ndimage.mean(image[..., c], labels, index) for c in range(3)], axis=1)
    return np.bincount(labels.ravel(), minlength=n + 1)[1:], boxes, centres, colours


# distance transforms


def opencv_exact(mask: Any) -> Any:
    """OpenCV's exact transform of one mask."""
    return cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def transform_each(labels: Labels, n: int, transform: Any) -> npt.NDArray[np.float32]:
    """One full-frame transform a label."""
    out = np.zeros(labels.shape, np.float32)
    for label in range(n + 1):
        mask = np.pad(labels == label, 1).view(np.uint8)
        out += transform(mask)[1:-1, 1:-1].astype(np.float32)
    return out


def edt_transform(labels: Labels) -> Any:
    """All labels but 0 at once; outside the picture is another label."""
    import edt

    return edt.edt(labels, black_border=True, parallel=torch.get_num_threads())


# where to put marks


def opencv_circles(labels: Labels, n: int) -> list[tuple[int, int, float]]:
    """A furthest pixel, x and y, and its distance of labels 1 to `n`, by one full-frame transform a label."""
    found = []
    for label in range(1, n + 1):
        _, radius, _, (x, y) = cv2.minMaxLoc(opencv_exact(np.pad(labels == label, 1).view(np.uint8)))
        found.append((x - 1, y - 1, radius))
    return found


def full_frame_mark(mask: npt.NDArray[np.uint8]) -> tuple[int, int, float]:
    """The middle one of the pixels furthest from the edge, x and y, and how far that is."""
    distance = opencv_exact(np.pad(mask, 1))[1:-1, 1:-1]
    radius = distance.max()
    ys, xs = np.where(distance == radius)
    middle = len(xs) // 2
    return int(xs[middle]), int(ys[middle]), float(radius)


def published_marks(masks: Masks) -> list[tuple[int, int, float]]:
    """Set-of-Mark as published: each mask by itself, overlaps not taken away."""
    return [full_frame_mark(mask) for mask in masks.view(np.uint8)]


def paper_marks(masks: Masks) -> list[tuple[int, int, float]]:
    """Set-of-Mark as the paper has it: smallest first, what is taken is taken."""
    taken = np.zeros(masks.shape[1:], bool)
    found = [(-1, -1, 0.0)] * len(masks)
    for i in smallest_last(masks)[::-1]:
        found[i] = full_frame_mark((masks[i] & ~taken).view(np.uint8))
        taken |= masks[i]
    return found


def edt_marks(masks: Masks) -> tuple[Any, Any]:
    """Furthest pixels, x and y, and distances from one transform of the painted map; 0 for covered masks."""
    labels = copyto(masks, smallest_last(masks))
    return edt_circles(labels, len(masks))


def edt_circles(labels: Labels, n: int) -> tuple[Any, Any]:
    """Furthest pixels, x and y, and distances of labels 1 to `n`; the background counts as an edge."""
    distance = edt_transform(labels)
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=n + 1)[1:])
    centres, radii = np.full((n, 2), -1), np.zeros(n, np.float32)
    radii[present] = ndimage.maximum(distance, labels, present + 1)
    centres[present] = np.array(ndimage.maximum_position(distance, labels, present + 1))[:, ::-1]
    return centres, radii


def smallest_last(masks: Masks) -> npt.NDArray[np.intp]:
    """Indices from the largest mask to the smallest; of equals the first comes first."""
    return np.argsort(-np.count_nonzero(masks, axis=(1, 2)), kind="stable")


# drawing


def opencv_overlay(
    image: npt.NDArray[np.uint8], labels: Labels, colors: npt.NDArray[np.uint8], alpha: float, line_px: int
) -> npt.NDArray[np.uint8]:
    """Regions tinted and lined in full-frame steps of OpenCV, on labels of 8 bits where they fit."""
    n, picture = len(colors), image.copy()
    table = np.zeros((max(256, n + 1), 1, 3), np.uint8)
    table[1 : n + 1, 0] = colors
    small = labels.astype(np.uint8 if n < 256 else np.uint16)
    own = cv2.applyColorMap(small, table) if n < 256 else table[small, 0]
    marked = (small > 0).view(np.uint8)
    cv2.copyTo(cv2.addWeighted(picture, 1 - alpha, own, alpha, 0), marked, picture)
    dy, dx = np.mgrid[-line_px : line_px + 1, -line_px : line_px + 1]
    disc = (dy**2 + dx**2 <= line_px**2).astype(np.uint8)
    edge = (cv2.dilate(small, disc) != cv2.erode(small, disc)).view(np.uint8) & marked
    seam = cv2.dilate(marked, np.ones((3, 3), np.uint8)) - marked
    cv2.copyTo(cv2.convertScaleAbs(image, alpha=0.45), seam, picture)
    cv2.copyTo(own, edge, picture)
    return picture


# Segment Anything


def clean(masks: Masks, min_area: int) -> Masks:
    """Without small holes, then without small islands, as the mask generator of segment-anything does it."""
    from segment_anything.utils.amg import remove_small_regions

    out = np.empty_like(masks)
    for i, mask in enumerate(masks):
        filled, _ = remove_small_regions(mask, min_area, "holes")
        out[i], _ = remove_small_regions(filled, min_area, "islands")
    return out


def upsample(
    logits: torch.Tensor, square: int, inner: tuple[int, int], size: tuple[int, int]
) -> torch.Tensor:
    """Segment Anything's way from its maps to the picture: two resizings and a cut between them."""
    maps = logits[:, None]
    for whole, (h, w) in (((square, square), inner), (size, size)):
        maps = torch.nn.functional.interpolate(maps, whole, mode="bilinear", align_corners=False)[..., :h, :w]
    return maps[:, 0]


def measured(
    logits: torch.Tensor, square: int, inner: tuple[int, int], size: tuple[int, int]
) -> tuple[Any, Any]:
    """Stability and boxes, ends one past the last pixel, of masks of the size of the picture."""
    from segment_anything.utils.amg import batched_mask_to_box, calculate_stability_score

    large = upsample(logits, square, inner, size)
    stability = calculate_stability_score(large, 0.0, 1.0)
    return stability, batched_mask_to_box(large > 0)
