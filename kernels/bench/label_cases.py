"""Cases on label maps, and from masks to label maps and marks."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import ndimage

import som_kernels as sk
from bench import inputs, peers
from bench.trial import Contestant, Trial, lazily, ours

__all__ = ["circles", "distance", "overlap", "overlay", "paint", "placement", "stats"]


def radii(result: Any) -> Any:
    """The radii of marks; of several equal circles everyone may take another."""
    if isinstance(result, list):
        return np.array([radius for *_, radius in result], np.float32)
    return result[1]


def place(masks: torch.Tensor, *, backend: sk.Backend | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """From masks to where their marks go: smallest masks on top, then the largest circle in each."""
    return sk.inscribed_circles(sk.paint_labels(masks, backend=backend), len(masks), backend=backend)


def placement(w: int, h: int, n: int) -> Trial:
    """Overlapping masks to the anchors of their marks, everything included."""
    masks = inputs.with_covered(w, h, n, 0)
    dense = masks.numpy()
    return Trial(
        (masks,),
        [
            Contestant("the paper's order", partial(peers.paper_marks, dense), view=radii),
            *ours(place, masks, reference=False, view=radii),
            Contestant("published Set-of-Mark", partial(peers.published_marks, dense), agrees=None),
            Contestant("edt", partial(peers.edt_marks, dense), view=radii, package="edt"),
        ],
    )


def overlap_iou(
    a: torch.Tensor, b: torch.Tensor, n: int, *, backend: sk.Backend | None = None
) -> torch.Tensor:
    """Intersection over union of labels 1 to `n` of two maps."""
    table = sk.label_overlap(a, b, n, n, backend=backend)
    if table.device.type == "cpu":  # torch would wake its threads for these few numbers
        return torch.from_numpy(peers.table_iou(table.numpy()))
    meet = table[1:, 1:]
    unions = table.sum(1)[1:, None] + table.sum(0)[None, 1:] - meet
    return meet / unions.clamp(min=1)


def overlap(w: int, h: int, n: int) -> Trial:
    """Two label maps to the IoU of their labels; masks for those who need them are made before."""
    maps = inputs.label_map(w, h, n, 0), inputs.label_map(w, h, n, 1)
    a, b = (labels.numpy() for labels in maps)

    @lazily
    def masks() -> list[peers.Masks]:
        return [labels == np.arange(1, n + 1)[:, None, None] for labels in (a, b)]

    table = partial(sk.label_overlap, *maps, n, n)
    return Trial(
        maps,
        [
            *ours(overlap_iou, *maps, n),
            Contestant("cpu, counts alone", table, agrees=None, ours=True),
            Contestant("numpy bincount", partial(peers.bincount_iou, a, b, n)),
            Contestant("pycocotools", lambda: peers.coco_iou(*masks())),
        ],
        weighed="cpu, counts alone",
    )


def distance(w: int, h: int, n: int) -> Trial:
    """Distance transform of all labels; OpenCV a mask is the truth, the reference takes seconds."""
    labels = inputs.label_map(w, h, n, 0)
    dense = labels.numpy()

    @lazily
    def shifted() -> Any:
        # edt is told that 0 is no label, so the ground becomes 1; it is quickest with small numbers.
        return (dense + 1).astype(np.min_scalar_type(n + 1))

    each = partial(peers.transform_each, dense, n)
    contestants = [
        Contestant("cv2 each mask", partial(each, peers.opencv_exact)),
        *ours(sk.distance_transform, labels, reference=False),
        Contestant("edt", lambda: peers.edt_transform(shifted()), package="edt"),
    ]
    if w * h * n < 10**8:  # it takes minutes on more
        contestants.append(Contestant("scipy each mask", partial(each, ndimage.distance_transform_edt)))
    return Trial((labels,), contestants)


def circles(w: int, h: int, n: int) -> Trial:
    """Largest inscribed circles of a label map."""
    labels = inputs.label_map(w, h, n, 0)
    dense = labels.numpy()

    return Trial(
        (labels,),
        [
            Contestant("cv2 each mask", partial(peers.opencv_circles, dense, n), view=radii),
            *ours(sk.inscribed_circles, labels, n, reference=False, view=radii),
            Contestant("edt", partial(peers.edt_circles, dense, n), view=radii, package="edt"),
        ],
    )


def paint(w: int, h: int, n: int) -> Trial:
    """Masks over each other."""
    masks = inputs.ellipses(w, h, n, 0)
    packed = sk.pack_masks(masks)
    painted = partial(sk.paint_labels, packed, range(n))
    return Trial(
        (masks,),
        [
            *ours(sk.paint_labels, masks, range(n)),
            Contestant("cpu, packed before", painted, ours=True, inputs=(packed,)),
            Contestant("numpy copyto", partial(peers.copyto, masks.numpy(), range(n))),
        ],
    )


def stats(w: int, h: int, n: int) -> Trial:
    """Area, box, centre of mass and colour of every region."""
    labels = inputs.label_map(w, h, n, 0)
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8))
    return Trial(
        (labels, image),
        [
            *ours(sk.region_stats, labels, image, n),
            Contestant("scipy.ndimage", partial(peers.scipy_stats, labels.numpy(), image.numpy(), n)),
        ],
    )


def overlay(w: int, h: int, n: int) -> Trial:
    """Tints, contours and seams over a picture, as marks are drawn on a frame."""
    labels = inputs.label_map(w, h, n, 0)
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.integers(0, 256, (h, w, 3), dtype=np.uint8))
    colors = torch.from_numpy(rng.integers(0, 256, (n, 3), dtype=np.uint8))
    alpha, line_px = 0.12, 2
    arrays = image.numpy(), labels.numpy(), colors.numpy()
    return Trial(
        (image, labels, colors),
        [
            *ours(sk.overlay_labels, image, labels, colors, alpha, line_px),
            # OpenCV rounds halves to even, and its weights are not whole 256ths.
            Contestant("opencv", partial(peers.opencv_overlay, *arrays, alpha, line_px), agrees=within_one),
        ],
    )


def within_one(result: Any, truth: Any) -> bool:
    """Whether no value of two pictures differs by more than 1."""
    return int(np.abs(np.asarray(result, np.int16) - np.asarray(truth, np.int16)).max()) <= 1
